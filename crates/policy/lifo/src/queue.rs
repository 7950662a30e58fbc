//! `LifoQueue`: a P's queue on one of crossbeam's deques.

use core::fmt;
use crossbeam_deque::{Steal as Grab, Stealer, Worker as Deque};
use gmp_core::contract::List;
use gmp_core::contract::{BackPromise, NextPromise, Popped, Promise, QueueConfig, RunQueue};
use gmp_core::contract::{Slot, Spill, Steal, StealPromise, StealRound, Thief, Token};
use std::sync::Arc;

/// The owner's half.
pub struct LifoQueue<T: Token> {
    deque: Deque<T>,
    thief: LifoThief<T>,
}

/// The thieves' half.
pub struct LifoThief<T: Token> {
    deque: Stealer<T>,
    /// Identifies the queue: a thief must recognise its own.
    identity: Arc<()>,
}

impl<T: Token> RunQueue<T> for LifoQueue<T> {
    type Thief = LifoThief<T>;

    const CAPACITY: Option<usize> = None;
    const PROMISE: Promise =
        Promise { next: NextPromise::Back, back: BackPromise::Lifo, steals: StealPromise::Oldest };

    fn new(_config: &QueueConfig) -> (Self, LifoThief<T>) {
        let deque = Deque::new_lifo();
        let thief = LifoThief { deque: deque.stealer(), identity: Arc::new(()) };
        (Self { deque, thief: thief.clone() }, thief)
    }

    fn push(&mut self, token: T, _slot: Slot, _spill: &mut dyn Spill<T>) {
        self.deque.push(token);
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        batch.for_each(|token| self.deque.push(token));
    }

    /// Nothing inherits a time slice: the youngest of many would always be a goroutine just spawned, and a chain of those
    /// would run for a whole slice of sysmon's before the shared queue had its turn.
    fn pop(&mut self) -> Option<Popped<T>> {
        self.deque.pop().map(|token| Popped { token, inherits: false })
    }

    fn is_empty(&self) -> bool {
        self.deque.is_empty()
    }
}

impl<T: Token> Drop for LifoQueue<T> {
    /// Otherwise crossbeam would keep the tokens for as long as a thief has a handle.
    fn drop(&mut self) {
        while let Some(token) = self.deque.pop() {
            drop(token);
        }
    }
}

impl<T: Token> Thief<T> for LifoThief<T> {
    type Queue = LifoQueue<T>;

    /// One token, the oldest, in every round.
    fn steal_into(&self, into: &mut LifoQueue<T>, _round: StealRound) -> Steal<T> {
        if Arc::ptr_eq(&self.identity, &into.thief.identity) {
            return Steal::Empty;
        }
        match self.deque.steal() {
            Grab::Success(token) => Steal::Taken(token),
            Grab::Retry => Steal::Retry,
            Grab::Empty => Steal::Empty,
        }
    }

    fn is_empty(&self) -> bool {
        self.deque.is_empty()
    }

    fn len(&self) -> usize {
        self.deque.len()
    }
}

impl<T: Token> Clone for LifoThief<T> {
    fn clone(&self) -> Self {
        Self { deque: self.deque.clone(), identity: Arc::clone(&self.identity) }
    }
}

impl<T: Token> fmt::Debug for LifoQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifoQueue").field("len", &self.deque.len()).finish()
    }
}

impl<T: Token> fmt::Debug for LifoThief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LifoThief").field("len", &self.deque.len()).finish()
    }
}
