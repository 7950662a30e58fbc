//! `HoldsNothing`: the queue of a P that keeps no goroutines. Each push spills.

use gmp_core::contract::List;
use gmp_core::contract::{BackPromise, NextPromise, Popped, Promise, QueueConfig, RunQueue};
use gmp_core::contract::{Slot, Spill, Steal, StealPromise, StealRound, Thief, Token};

/// The owner's half.
#[derive(Debug)]
pub struct HoldsNothing;

/// The thieves' half.
#[derive(Clone, Debug)]
pub struct NothingToSteal;

impl<T: Token> RunQueue<T> for HoldsNothing {
    type Thief = NothingToSteal;

    const CAPACITY: Option<usize> = Some(0);
    /// Spilled tokens go, one by one, to a queue that is first in, first out.
    const PROMISE: Promise =
        Promise { next: NextPromise::Back, back: BackPromise::Fifo, steals: StealPromise::Oldest };

    fn new(_config: &QueueConfig) -> (Self, NothingToSteal) {
        (Self, NothingToSteal)
    }

    fn push(&mut self, token: T, _slot: Slot, spill: &mut dyn Spill<T>) {
        spill.spill([token].into_iter().collect());
    }

    fn push_batch(&mut self, _batch: &mut List<T>) {}

    fn pop(&mut self) -> Option<Popped<T>> {
        None
    }

    fn is_empty(&self) -> bool {
        true
    }
}

impl<T: Token> Thief<T> for NothingToSteal {
    type Queue = HoldsNothing;

    fn steal_into(&self, _into: &mut HoldsNothing, _round: StealRound) -> Steal<T> {
        Steal::Empty
    }

    fn is_empty(&self) -> bool {
        true
    }

    fn len(&self) -> usize {
        0
    }
}
