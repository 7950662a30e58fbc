//! Storms: given operations of an owner against thieves that really run, and the history of what came out where.
//!
//! For fuzzers: the script is plain data, so a failing one can be shrunk, printed and run again. The storm itself
//! checks that each token came out exactly once; a policy checks the history against the order that it promises.

use super::run_queue_threads::Gate;
use crate::contract::{RunQueue, Slot, Steal, StealRound, Thief};
use crate::queue::List;
use crate::suite::{CONFIG, Ledger, Probe};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

/// What the owner does next. Each pushed token gets the next number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Pushes one token.
    Push(Slot),
    /// Pushes that many tokens as one batch.
    PushBatch(u8),
    /// Pops.
    Pop,
    /// Lets others run: that many spins, or the rest of the time slice if it is 0.
    Pause(u8),
}

/// What happens in a storm.
#[derive(Clone, Debug)]
pub struct Script {
    /// The owner's operations, once.
    pub owner: Vec<Op>,
    /// For each thief what it knows at its looks, over and over until the owner is done. May be empty.
    pub thieves: Vec<Vec<StealRound>>,
}

/// What the owner saw leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A pop, and whether it inherits.
    Popped(u64, bool),
    /// A batch that a push spilled.
    Spilled(Vec<u64>),
    /// What had no room of a batch of that many tokens.
    StayedInBatch(Vec<u64>),
}

/// One successful steal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loot {
    /// What the thief knew.
    pub round: StealRound,
    /// The token to run.
    pub ran: u64,
    /// The others, in the order in which the thief's own queue gives them.
    pub others: Vec<u64>,
}

/// Who got what, each in order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// What left by the owner's hand, with the index of its operation; the last ones drain the queue.
    pub owner: Vec<(usize, Left)>,
    /// The loot of each thief.
    pub thieves: Vec<Vec<Loot>>,
}

impl Script {
    fn tokens(&self) -> usize {
        let count = |op: &Op| match op {
            Op::Push(_) => 1,
            Op::PushBatch(count) => usize::from(*count),
            Op::Pop | Op::Pause(_) => 0,
        };
        self.owner.iter().map(count).sum()
    }

    /// Runs the script once. Panics if a token is lost or doubled.
    pub fn run<Q: RunQueue<Probe>>(&self) -> History {
        let ledger = Ledger::new(self.tokens());
        let (mut queue, thief) = Q::new(&CONFIG);
        let (gate, over) = (Gate::default(), AtomicBool::new(false));
        let everybody = self.thieves.len() + 1;
        let mut history = History::default();
        thread::scope(|scope| {
            let _alarm = gate.alarm();
            let looters: Vec<_> = self
                .thieves
                .iter()
                .map(|rounds| {
                    let (thief, gate, over) = (thief.clone(), &gate, &over);
                    scope.spawn(move || {
                        let _alarm = gate.alarm();
                        gate.meet(everybody);
                        let over = || {
                            gate.check();
                            over.load(SeqCst)
                        };
                        loot::<Q>(&thief, rounds, over)
                    })
                })
                .collect();
            gate.meet(everybody);
            history.owner = self.own(&mut queue, &ledger);
            over.store(true, SeqCst);
            history.thieves =
                looters.into_iter().map(|looter| looter.join().expect("a thief panicked")).collect();
        });
        assert!(queue.is_empty() && thief.is_empty());
        ledger.settle();
        history
    }

    fn own<Q: RunQueue<Probe>>(&self, queue: &mut Q, ledger: &Ledger) -> Vec<(usize, Left)> {
        let mut left = Vec::new();
        for (index, op) in self.owner.iter().enumerate() {
            match *op {
                Op::Push(slot) => {
                    queue.push(ledger.mint(), slot, &mut |batch: List<Probe>| {
                        left.push((index, Left::Spilled(batch.map(Probe::consume).collect())));
                    });
                }
                Op::PushBatch(count) => {
                    let mut batch = (0..count).map(|_| ledger.mint()).collect();
                    queue.push_batch(&mut batch);
                    left.push((index, Left::StayedInBatch(batch.map(Probe::consume).collect())));
                }
                Op::Pop => left.extend(pop(queue).map(|popped| (index, popped))),
                Op::Pause(0) => thread::yield_now(),
                Op::Pause(spins) => (0..spins).for_each(|_| std::hint::spin_loop()),
            }
        }
        left.extend(std::iter::from_fn(|| pop(queue)).map(|popped| (self.owner.len(), popped)));
        left
    }
}

fn pop<Q: RunQueue<Probe>>(queue: &mut Q) -> Option<Left> {
    queue.pop().map(|popped| Left::Popped(popped.token.consume(), popped.inherits))
}

fn loot<Q: RunQueue<Probe>>(victim: &Q::Thief, rounds: &[StealRound], over: impl Fn() -> bool) -> Vec<Loot> {
    let (mut own, own_thief) = Q::new(&CONFIG);
    let mut looted = Vec::new();
    for &round in rounds.iter().cycle() {
        if over() {
            break;
        }
        match victim.steal_into(&mut own, round) {
            Steal::Taken(probe) => {
                let others = std::iter::from_fn(|| own.pop()).map(|popped| popped.token.consume()).collect();
                looted.push(Loot { round, ran: probe.consume(), others });
            }
            Steal::BackOff(_) => assert!(!round.backed_off, "asked to back off twice"),
            Steal::Empty | Steal::Retry => thread::yield_now(),
        }
        assert!(own_thief.is_empty(), "tokens moved by a steal that gave none to run");
    }
    looted
}
