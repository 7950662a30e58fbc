//! A policy's queues, timed on one thread with the tickets that the simulator uses.

use crate::costs::QueueCosts;
use crate::ticket::Ticket;
use gmp_core::contract::{
    List, OnlyP, Policy, QueueConfig, RunQueue, SharedQueue, Slot, Steal, StealRound, Thief,
};
use std::time::{Duration, Instant};

/// How many tickets are used at a time: they fit into every queue.
const BATCH: usize = 100;
/// How many rounds there are; the quickest counts, since a machine only ever makes things slower.
const ROUNDS: usize = 3000;
/// A look that may take anything.
const LOOK: StealRound = StealRound { last: true, victim_runs: false, backed_off: true };

type QueueOf<P> = <P as Policy>::Queue<Ticket>;
type ThiefOf<P> = <QueueOf<P> as RunQueue<Ticket>>::Thief;

/// A pair of queues to measure, and the tickets that are in neither. No other thread has any of them.
struct Toy<P: Policy> {
    own: QueueOf<P>,
    thief: ThiefOf<P>,
    other: QueueOf<P>,
    shared: P::Shared<Ticket>,
    hand: Vec<Ticket>,
    spilled: List<Ticket>,
}

/// What the queues of `P` take.
pub(crate) fn queues<P: Policy>() -> QueueCosts {
    let mut toy = Toy::<P>::new();
    let [push_next, push_back, pop, lone, shared_push, shared_pop] = toy.six(false);
    let alone = toy.six(true);
    // The push in it costs next to nothing: it writes the same slot each time.
    let one = toy.push_and_steal();
    let (many, moved) = toy.steal_half();
    QueueCosts {
        push_next,
        push_back,
        pop,
        lone,
        steal: one,
        token: if moved > 1 { ((many - one) / (moved - 1) as f64).max(0.0) } else { 0.0 },
        shared_push,
        shared_pop,
        alone,
        last_round_fences: P::NAME == "block",
    }
}

/// Nanoseconds of one of `count` operations, less what it takes to look at the clock.
fn quickest(count: usize, mut round: impl FnMut() -> Duration) -> f64 {
    let mut best = || (0..ROUNDS).map(|_| round().as_nanos()).min().unwrap_or(0) as f64;
    let clock = (0..ROUNDS).map(|_| Instant::now().elapsed().as_nanos()).min().unwrap_or(0) as f64;
    ((best() - clock) / count as f64).max(0.1)
}

fn new<P: Policy>(seed: u64) -> (QueueOf<P>, ThiefOf<P>) {
    RunQueue::new(&QueueConfig { seed })
}

impl<P: Policy> Toy<P> {
    fn new() -> Self {
        let ((own, thief), (other, _)) = (new::<P>(1), new::<P>(2));
        let hand = (0..BATCH).map(Ticket::new).collect();
        Self { own, thief, other, shared: P::Shared::default(), hand, spilled: List::new() }
    }

    /// Push next, push back, pop, lone, shared push, shared pop; `alone`: as the holder of the only P.
    fn six(&mut self, alone: bool) -> [f64; 6] {
        let mut push = |slot: Slot| {
            quickest(BATCH, || {
                self.gather(alone);
                let start = Instant::now();
                (0..BATCH).for_each(|_| self.push(alone, slot));
                start.elapsed()
            })
        };
        let (push_next, push_back) = (push(Slot::Next), push(Slot::Back));
        let pop = quickest(BATCH, || {
            self.gather(alone);
            (0..BATCH).for_each(|_| self.push(alone, Slot::Back));
            let start = Instant::now();
            while self.pop(alone) {}
            start.elapsed()
        });
        // One at a time is pushed and popped, as goroutines do that wake each other.
        let lone = quickest(BATCH, || {
            self.gather(alone);
            let start = Instant::now();
            for _ in 0..BATCH {
                self.push(alone, Slot::Next);
                let _ = self.pop(alone);
            }
            start.elapsed()
        });
        let shared_push = quickest(BATCH, || {
            self.gather(alone);
            let start = Instant::now();
            (0..BATCH).for_each(|_| self.push_shared(alone));
            start.elapsed()
        });
        let shared_pop = quickest(BATCH, || {
            self.gather(alone);
            (0..BATCH).for_each(|_| self.push_shared(alone));
            let start = Instant::now();
            while self.pop_shared(alone) {}
            start.elapsed()
        });
        self.gather(alone);
        [push_next, push_back, pop, lone, shared_push, shared_pop]
    }

    /// A push and a steal of what was pushed.
    fn push_and_steal(&mut self) -> f64 {
        let took = quickest(BATCH, || {
            self.gather(false);
            let start = Instant::now();
            for _ in 0..BATCH {
                self.push(false, Slot::Back);
                if let Steal::Taken(ticket) = self.thief.steal_into(&mut self.other, LOOK) {
                    self.hand.push(ticket);
                }
            }
            start.elapsed()
        });
        self.gather(false);
        took
    }

    /// A steal from a full queue, and how many it took.
    fn steal_half(&mut self) -> (f64, usize) {
        let mut moved = 0;
        let took = quickest(1, || {
            self.gather(false);
            (0..BATCH).for_each(|_| self.push(false, Slot::Back));
            let start = Instant::now();
            let steal = self.thief.steal_into(&mut self.other, LOOK);
            let took = start.elapsed();
            let before = self.hand.len();
            if let Steal::Taken(ticket) = steal {
                self.hand.push(ticket);
            }
            while let Some(popped) = self.other.pop() {
                self.hand.push(popped.token);
            }
            moved = self.hand.len() - before;
            took
        });
        self.gather(false);
        (took, moved)
    }

    /// Takes everything out of the queues.
    fn gather(&mut self, alone: bool) {
        self.hand.extend(std::mem::take(&mut self.spilled));
        while self.pop(alone) || self.pop_shared(alone) {}
        if alone {
            // SAFETY: no other thread has these queues.
            unsafe { self.shared.settle(OnlyP::for_suite()) };
        }
        assert_eq!(self.hand.len(), BATCH, "the policy {} loses goroutines", P::NAME);
    }

    fn ticket(&mut self) -> Ticket {
        self.hand.pop().expect("nobody pushes more than there are")
    }

    fn push(&mut self, alone: bool, slot: Slot) {
        let ticket = self.ticket();
        let mut keep = |batch: List<Ticket>| self.spilled.append(batch);
        if alone {
            // SAFETY: no other thread has these queues.
            unsafe { self.own.push_only_p(ticket, slot, &mut keep, OnlyP::for_suite()) };
        } else {
            self.own.push(ticket, slot, &mut keep);
        }
    }

    fn pop(&mut self, alone: bool) -> bool {
        let popped = if alone {
            // SAFETY: no other thread has these queues.
            unsafe { self.own.pop_only_p(OnlyP::for_suite()) }
        } else {
            self.own.pop()
        };
        self.keep(popped.map(|popped| popped.token))
    }

    fn push_shared(&mut self, alone: bool) {
        let ticket = self.ticket();
        if alone {
            // SAFETY: no other thread has these queues.
            unsafe { self.shared.push_only_p(ticket, OnlyP::for_suite()) };
        } else {
            self.shared.push(ticket);
        }
    }

    fn pop_shared(&mut self, alone: bool) -> bool {
        let ticket = if alone {
            // SAFETY: no other thread has these queues.
            unsafe { self.shared.pop_only_p(OnlyP::for_suite()) }
        } else {
            self.shared.pop()
        };
        self.keep(ticket)
    }

    fn keep(&mut self, ticket: Option<Ticket>) -> bool {
        let is_one = ticket.is_some();
        self.hand.extend(ticket);
        is_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmp_policy_global::Global;
    use gmp_policy_go::Go;
    use gmp_policy_lifo::Lifo;

    #[test]
    fn what_is_timed_as_a_steal_is_one() {
        fn moved<P: Policy>() -> usize {
            let mut toy = Toy::<P>::new();
            toy.push_and_steal();
            toy.steal_half().1
        }
        assert_eq!([moved::<Go>(), moved::<Lifo>(), moved::<Global>()], [BATCH / 2, 1, 0]);
    }
}
