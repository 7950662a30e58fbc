//! A ring without a lock whose claims are not atomic: it is right on one thread, and wrong only under real thieves.

use crate::words::Slots;
use gmp_core::contract::List;
use gmp_core::contract::{
    BackPromise, NextPromise, Popped, Promise, QueueConfig, RunQueue, Slot, Spill, Steal, StealPromise,
    StealRound, Thief, Token,
};
use gmp_core::suite::Probe;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// How many tokens fit.
const ROOM: usize = 64;

/// Where the race is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nowhere.
    None,
    /// A thief claims by a load and a store of `head`: two takers get one token, or one is skipped.
    ThiefsClaim,
    /// The owner does the same.
    OwnersClaim,
    /// The owner publishes `tail` before the slot is filled: a thief takes what was there a lap ago.
    EarlyPublish,
    /// A pop moves the last token but one through the owner's hand: a thief that looks then sees nothing.
    HiddenMove,
}

/// A fault as a type.
pub(crate) trait Faulty: Send + Sync + 'static {
    const FAULT: Fault;
}

/// The queue with a fault.
pub(crate) type Queue<F> = Racy<Probe, F>;

struct Words<T> {
    head: AtomicUsize,
    tail: AtomicUsize,
    slots: Slots<T>,
}

/// Both halves.
pub(crate) struct Racy<T, F>(Arc<Words<T>>, PhantomData<fn() -> F>);

impl<T: Token, F: Faulty> Racy<T, F> {
    fn has(fault: Fault) -> bool {
        F::FAULT == fault
    }

    fn len_now(&self) -> usize {
        let head = self.0.head.load(SeqCst);
        self.0.tail.load(SeqCst).saturating_sub(head)
    }

    /// Moves `head` from what was read of it: in one step, or in two with room for a rival between them.
    fn claim(&self, head: usize, atomic: bool) -> bool {
        if atomic {
            return self.0.head.compare_exchange(head, head + 1, SeqCst, SeqCst).is_ok();
        }
        if self.0.head.load(SeqCst) != head {
            return false;
        }
        self.0.head.store(head + 1, SeqCst);
        true
    }

    fn put(&self, token: T) {
        let tail = self.0.tail.load(SeqCst);
        if Self::has(Fault::EarlyPublish) {
            self.0.tail.store(tail + 1, SeqCst);
            self.0.slots.put(tail, token);
        } else {
            self.0.slots.put(tail, token);
            self.0.tail.store(tail + 1, SeqCst);
        }
    }

    /// Takes the first token, in as many tries as it needs.
    fn take(&self, atomic: bool) -> Option<T> {
        loop {
            let head = self.0.head.load(SeqCst);
            if head >= self.0.tail.load(SeqCst) {
                return None;
            }
            // Read before the claim: the owner may fill the slot again once `head` is past it.
            let word = self.0.slots.look(head);
            if self.claim(head, atomic)
                && let Some(word) = word
            {
                return Some(word.token());
            }
            std::hint::spin_loop();
        }
    }
}

impl<T: Token, F: Faulty> RunQueue<T> for Racy<T, F> {
    type Thief = Self;
    const CAPACITY: Option<usize> = Some(ROOM);
    const PROMISE: Promise =
        Promise { next: NextPromise::Back, back: BackPromise::Fifo, steals: StealPromise::Oldest };

    fn new(_: &QueueConfig) -> (Self, Self) {
        let words =
            Words { head: AtomicUsize::new(0), tail: AtomicUsize::new(0), slots: Slots::new(2 * ROOM) };
        let words = Arc::new(words);
        (Self(words.clone(), PhantomData), Self(words, PhantomData))
    }

    fn push(&mut self, token: T, _: Slot, spill: &mut dyn Spill<T>) {
        if self.len_now() >= ROOM {
            spill.spill([token].into_iter().collect());
        } else {
            self.put(token);
        }
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        while self.len_now() < ROOM
            && let Some(token) = batch.pop_front()
        {
            self.put(token);
        }
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        if Self::has(Fault::HiddenMove) && self.len_now() == 2 {
            let (first, second) = (self.take(true), self.take(true));
            second.into_iter().for_each(|token| self.put(token));
            return first.map(|token| Popped { token, inherits: false });
        }
        let token = self.take(!Self::has(Fault::OwnersClaim))?;
        Some(Popped { token, inherits: false })
    }

    fn is_empty(&self) -> bool {
        self.len_now() == 0
    }
}

impl<T: Token, F: Faulty> Thief<T> for Racy<T, F> {
    type Queue = Self;

    fn steal_into(&self, into: &mut Self, _: StealRound) -> Steal<T> {
        if Arc::ptr_eq(&self.0, &into.0) {
            return Steal::Empty;
        }
        self.take(!Self::has(Fault::ThiefsClaim)).map_or(Steal::Empty, Steal::Taken)
    }

    fn is_empty(&self) -> bool {
        self.len_now() == 0
    }

    fn len(&self) -> usize {
        self.len_now()
    }
}

impl<T, F> Clone for Racy<T, F> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}
