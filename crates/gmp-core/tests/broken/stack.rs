//! A stack under a lock, without a bound, that promises last in, first out to its owner and the oldest to thieves.

use crate::words::Word;
use gmp_core::contract::List;
use gmp_core::contract::{
    BackPromise, NextPromise, Popped, Promise, QueueConfig, RunQueue, Slot, Spill, Steal, StealPromise,
    StealRound, Thief, Token,
};
use gmp_core::suite::Probe;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the stack does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// A pop takes from the wrong end.
    PopsTheOldest,
    /// A thief takes from the owner's end.
    StealsTheNewest,
    /// It spills although it has no bound.
    Spills,
    /// A token pushed Next inherits, although Next is the same as Back here.
    Inherits,
    /// A steal that is told to come again has moved a token already.
    MovesAndRetries,
}

/// A fault as a type.
pub(crate) trait Faulty: Send + Sync + 'static {
    const FAULT: Fault;
}

/// The queue with a fault.
pub(crate) type Queue<F> = Stack<Probe, F>;

/// Both halves.
pub(crate) struct Stack<T, F>(Arc<Mutex<Vec<Word>>>, PhantomData<fn() -> (T, F)>);

impl<T: Token, F: Faulty> Stack<T, F> {
    fn lock(&self) -> MutexGuard<'_, Vec<Word>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Token, F: Faulty> RunQueue<T> for Stack<T, F> {
    type Thief = Self;
    const CAPACITY: Option<usize> = None;
    const PROMISE: Promise =
        Promise { next: NextPromise::Back, back: BackPromise::Lifo, steals: StealPromise::Oldest };

    fn new(_: &QueueConfig) -> (Self, Self) {
        let words = Arc::new(Mutex::new(Vec::new()));
        (Self(words.clone(), PhantomData), Self(words, PhantomData))
    }

    fn push(&mut self, token: T, _: Slot, spill: &mut dyn Spill<T>) {
        if F::FAULT == Fault::Spills && self.lock().len() > 500 {
            return spill.spill([token].into_iter().collect());
        }
        self.lock().push(Word::new(token));
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        self.lock().extend(batch.map(Word::new));
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        let mut words = self.lock();
        let oldest = F::FAULT == Fault::PopsTheOldest && words.len() > 3;
        let word = if oldest { words.remove(0) } else { words.pop()? };
        Some(Popped { token: word.token(), inherits: F::FAULT == Fault::Inherits })
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }
}

impl<T: Token, F: Faulty> Thief<T> for Stack<T, F> {
    type Queue = Self;

    fn steal_into(&self, into: &mut Self, round: StealRound) -> Steal<T> {
        if Arc::ptr_eq(&self.0, &into.0) {
            return Steal::Empty;
        }
        let mut words = self.lock();
        if words.is_empty() {
            return Steal::Empty;
        }
        if F::FAULT == Fault::MovesAndRetries && words.len() == 2 && !round.last {
            into.lock().push(words.remove(0));
            return Steal::Retry;
        }
        let newest = F::FAULT == Fault::StealsTheNewest;
        let at = if newest { words.len() - 1 } else { 0 };
        Steal::Taken(words.remove(at).token())
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn len(&self) -> usize {
        self.lock().len()
    }
}

impl<T, F> Clone for Stack<T, F> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}
