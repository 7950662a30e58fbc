//! `RandomQueue`: a P's queue on two of crossbeam's deques.
//!
//! ```text
//!   push Next --heads--> next: at most one token --kicked by the next one--> fifo
//!             --tails--> fifo
//!   push Back ---------> fifo: at most 256 tokens --full--> the oldest 128 and the new one, shuffled, spill
//!   pop:                 next, else the front of fifo
//!   steal:               up to half of fifo; `next` only in the last round and if fifo is empty
//! ```
//!
//! *Why `next` is a deque too.* A token in a plain field would be invisible to thieves: `is_empty` would call a P idle
//! that still has work (clause Q2), and nobody could take the work. A second deque has a thief's handle like the first.
//!
//! *Why `is_empty` needs `moves`.* A thief looks at `fifo` and then at `next`. Between the looks a push may put a
//! token into `fifo` and a pop may take the one in `next`: each look finds nothing, although there was a token at
//! every moment. Moreover, during a kick neither deque has the token that the owner moves. So the owner counts
//! `moves` up by two once a token is in `fifo`, before it can empty `next`; around a kick it counts by one before and
//! one after, odd in between. A thief that sees an odd count says "not empty", and one whose count changed while it
//! looked looks again: what Go's second look at the ring's tail is for. With the odd count there is not even the
//! window that the ring has when a kick and a steal overlap.

use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering, fence};
use core::time::Duration;
use crossbeam_deque::{Steal as Grab, Stealer, Worker as Deque};
use gmp_core::contract::List;
use gmp_core::contract::{Popped, QueueConfig, RunQueue, Slot, Spill, Steal, StealRound, Thief, Token};
use std::sync::Arc;

/// How many tokens `fifo` holds. crossbeam's deque grows without end; a bound is what makes a burst reach the shared
/// queue, where idle Ps find it and where the tick of 61 gives everybody a turn. Go: 256.
const CAPACITY: usize = 256;

/// How long a running victim is left alone with its `next`, as in Go's `runqgrab` (Go 1.27).
const BACK_OFF: Duration = Duration::from_micros(3);

/// The owner's half.
pub struct RandomQueue<T: Token> {
    fifo: Deque<T>,
    next: Deque<T>,
    thief: RandomThief<T>,
    rng: fastrand::Rng,
}

/// The thieves' half.
pub struct RandomThief<T: Token> {
    fifo: Stealer<T>,
    next: Stealer<T>,
    moves: Arc<AtomicUsize>,
}

impl<T: Token> RandomQueue<T> {
    /// To the back of `fifo`. The caller counts the move.
    fn put_back(&mut self, token: T, spill: &mut dyn Spill<T>) {
        if self.fifo.len() < CAPACITY {
            self.fifo.push(token);
        } else {
            self.overflow(token, spill);
        }
    }

    /// Go: `runqputslow` (Go 1.27) with its shuffle for race builds. Thieves may have left fewer than half.
    #[cold]
    fn overflow(&mut self, token: T, spill: &mut dyn Spill<T>) {
        let oldest = (0..CAPACITY / 2).map_while(|_| self.fifo.pop());
        let mut batch: Vec<T> = oldest.chain([token]).collect();
        self.rng.shuffle(&mut batch);
        spill.spill(batch.into_iter().collect());
    }

    /// Puts a token into `next`; the one that was there goes to the back.
    fn push_next(&mut self, token: T, spill: &mut dyn Spill<T>) {
        if self.next.is_empty() {
            self.next.push(token);
            return;
        }
        self.count_moves(1);
        let kicked = self.next.pop();
        self.next.push(token);
        if let Some(kicked) = kicked {
            self.put_back(kicked, spill);
        }
        self.count_moves(1);
    }

    /// Tells the thieves that a token has come into `fifo` (2), or that a kick begins or ends (1 each).
    fn count_moves(&self, step: usize) {
        let moves = &self.thief.moves;
        let counted = moves.load(Ordering::Relaxed).wrapping_add(step);
        // ORDER: moves. Pairs with the first load in `is_empty`: whoever sees the new count sees what came into
        // `fifo`.
        moves.store(counted, Ordering::Release);
        // ORDER: moves. Pairs with the fence in `is_empty`: whoever sees anything that we do to a deque from here on,
        // above all the pop that empties `next`, sees the new count in its second load.
        fence(Ordering::Release);
    }
}

impl<T: Token> RunQueue<T> for RandomQueue<T> {
    type Thief = RandomThief<T>;

    /// The bound of `fifo` and the token in `next`. The queue promises no order, which is its purpose.
    const CAPACITY: Option<usize> = Some(CAPACITY + 1);

    fn new(config: &QueueConfig) -> (Self, RandomThief<T>) {
        let (fifo, next) = (Deque::new_fifo(), Deque::new_lifo());
        let thief =
            RandomThief { fifo: fifo.stealer(), next: next.stealer(), moves: Arc::new(AtomicUsize::new(0)) };
        let rng = fastrand::Rng::with_seed(config.seed);
        (Self { fifo, next, thief: thief.clone(), rng }, thief)
    }

    /// Go: `runqput` (Go 1.27) of a race build: every other `next` is dropped.
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        if slot == Slot::Next && self.rng.bool() {
            self.push_next(token, spill);
        } else {
            self.put_back(token, spill);
            self.count_moves(2);
        }
    }

    /// Go: `runqputbatch` (Go 1.27) of a race build: what is newly added is shuffled.
    fn push_batch(&mut self, batch: &mut List<T>) {
        let room = CAPACITY.saturating_sub(self.fifo.len());
        let mut fitting: Vec<T> = batch.take(room).collect();
        self.rng.shuffle(&mut fitting);
        fitting.into_iter().for_each(|token| self.fifo.push(token));
        self.count_moves(2);
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        if let Some(token) = self.next.pop() {
            return Some(Popped { token, inherits: true });
        }
        self.fifo.pop().map(|token| Popped { token, inherits: false })
    }

    fn is_empty(&self) -> bool {
        self.next.is_empty() && self.fifo.is_empty()
    }
}

impl<T: Token> Drop for RandomQueue<T> {
    /// Otherwise crossbeam would keep the tokens for as long as a thief has a handle.
    fn drop(&mut self) {
        while let Some(popped) = self.pop() {
            drop(popped.token);
        }
    }
}

impl<T: Token> Thief<T> for RandomThief<T> {
    type Queue = RandomQueue<T>;

    fn steal_into(&self, into: &mut RandomQueue<T>, round: StealRound) -> Steal<T> {
        if Arc::ptr_eq(&self.moves, &into.thief.moves) {
            return Steal::Empty;
        }
        // The bound holds for a thief that breaks the contract and steals with a full queue: one to run always fits.
        let limit = CAPACITY.saturating_sub(into.fifo.len()) + 1;
        match self.fifo.steal_batch_with_limit_and_pop(&into.fifo, limit) {
            Grab::Success(token) => {
                into.count_moves(2);
                return Steal::Taken(token);
            }
            Grab::Retry => return Steal::Retry,
            Grab::Empty if !round.last || self.next.is_empty() => return Steal::Empty,
            Grab::Empty => {}
        }
        if round.victim_runs && !round.backed_off {
            return Steal::BackOff(BACK_OFF);
        }
        match self.next.steal() {
            Grab::Success(token) => Steal::Taken(token),
            Grab::Retry => Steal::Retry,
            Grab::Empty => Steal::Empty,
        }
    }

    fn is_empty(&self) -> bool {
        loop {
            // ORDER: moves. Pairs with the store in `count_moves`.
            let before = self.moves.load(Ordering::Acquire);
            if before % 2 == 1 || !self.fifo.is_empty() || !self.next.is_empty() {
                return false;
            }
            // ORDER: moves. Pairs with the fence in `count_moves`.
            fence(Ordering::Acquire);
            if self.moves.load(Ordering::Relaxed) == before {
                return true;
            }
        }
    }

    fn len(&self) -> usize {
        self.fifo.len() + self.next.len()
    }
}

impl<T: Token> Clone for RandomThief<T> {
    fn clone(&self) -> Self {
        Self { fifo: self.fifo.clone(), next: self.next.clone(), moves: Arc::clone(&self.moves) }
    }
}

impl<T: Token> fmt::Debug for RandomQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomQueue").field("len", &self.thief.len()).finish()
    }
}

impl<T: Token> fmt::Debug for RandomThief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomThief").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gmp_core::suite::{CONFIG, Ledger, Probe, TAKE_ANY};

    /// The count, and the length of `fifo`.
    fn look(queue: &RandomQueue<Probe>) -> (usize, usize) {
        (queue.thief.moves.load(Ordering::Relaxed), queue.fifo.len())
    }

    /// When only kicks were counted, a push to `fifo` and a pop of `next` between a thief's two looks made it call a
    /// queue empty that never was. On two loaded CPUs, one run of the conformance suite in nine met this.
    #[test]
    fn each_token_that_enters_the_fifo_is_counted() {
        let ledger = Ledger::new(460);
        let ((mut queue, thief), (mut own, _)) = (RandomQueue::new(&CONFIG), RandomQueue::new(&CONFIG));
        let mut consume = |batch: List<Probe>| batch.for_each(|probe| assert!(probe.consume() < 460));
        let counted = |before: (usize, usize), after: (usize, usize)| {
            assert!(after.0.is_multiple_of(2), "a kick is over");
            assert!(after.0 > before.0 || after.1 <= before.1, "a token came into fifo unseen");
        };
        for push in 0..400 {
            let before = look(&queue);
            queue.push(ledger.mint(), if push % 3 == 0 { Slot::Back } else { Slot::Next }, &mut consume);
            counted(before, look(&queue));
        }
        (0..100).filter_map(|_| queue.pop()).for_each(|popped| assert!(popped.token.consume() < 460));
        let mut batch = (0..60).map(|_| ledger.mint()).collect();
        let before = look(&queue);
        queue.push_batch(&mut batch);
        counted(before, look(&queue));
        consume(batch);
        let before = look(&own);
        let Steal::Taken(probe) = thief.steal_into(&mut own, TAKE_ANY) else { panic!("there is enough") };
        assert!(probe.consume() < 460 && !own.is_empty());
        counted(before, look(&own));
        for queue in [&mut queue, &mut own] {
            std::iter::from_fn(|| queue.pop()).for_each(|popped| assert!(popped.token.consume() < 460));
        }
        ledger.settle();
    }
}
