//! Go's order under a lock, with one thing wrong: the faults that need no race.
//!
//! The queue without a fault passes all laws (`tests/broken.rs` has that test too), so what is caught is the fault.

use crate::words::Word;
use gmp_core::contract::List;
use gmp_core::contract::{
    Popped, Promise, QueueConfig, RunQueue, Slot, Spill, Steal, StealRound, Thief, Token,
};
use gmp_core::suite::Probe;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many tokens wait behind the slot.
const ROOM: usize = 64;

/// What a queue does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The token that is put at a certain place of the ring, the last before it wraps round, is forgotten.
    LostAtWrap,
    /// A pop from a queue of three leaves the token where it was.
    TakenTwice,
    /// A token alone in the slot does not count.
    WrongEmpty,
    /// The owner does not see what a thief does: its `is_empty` forgets the tokens behind the slot.
    WrongOwnersEmpty,
    /// A pop gives up when only the slot is filled.
    GivesUp,
    /// A pop of a long queue gives the second one.
    OutOfOrder,
    /// A push Next that displaces another one goes behind it.
    SlotKeepsTheOld,
    /// A steal takes the newest.
    StealsTheNewest,
    /// A spilled batch is reversed.
    SpillLosesOrder,
    /// A spill comes in two batches.
    SpillsTwice,
    /// Twice as many as declared fit.
    TooMany,
    /// A batch's front stays outside, instead of its end.
    BatchTurnedRound,
    /// It steals from itself.
    StealsFromItself,
    /// The last look leaves the slot alone.
    LeavesTheSlot,
    /// It asks to back off again and again.
    BacksOffTwice,
    /// An index out of bounds.
    Panics,
    /// What is inside when the owner's half is dropped is forgotten.
    LeaksAtTheEnd,
}

/// A fault as a type.
pub(crate) trait Faulty: Send + Sync + 'static {
    const FAULT: Fault;
}

/// The queue with a fault.
pub(crate) type Queue<F> = Locked<Probe, F>;

#[derive(Default)]
struct State {
    slot: Option<Word>,
    ring: VecDeque<Word>,
    puts: usize,
}

/// Both halves.
pub(crate) struct Locked<T: Token, F: Faulty> {
    state: Arc<Mutex<State>>,
    owns: bool,
    kind: PhantomData<fn() -> (T, F)>,
}

impl<T: Token, F: Faulty> Locked<T, F> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(fault: Fault) -> bool {
        F::FAULT == fault
    }

    fn put(state: &mut State, word: Word) {
        state.puts += 1;
        if !(Self::has(Fault::LostAtWrap) && state.puts.is_multiple_of(ROOM)) {
            state.ring.push_back(word);
        }
    }

    fn room() -> usize {
        if Self::has(Fault::TooMany) { 2 * ROOM } else { ROOM }
    }
}

impl<T: Token, F: Faulty> RunQueue<T> for Locked<T, F> {
    type Thief = Self;
    const CAPACITY: Option<usize> = Some(ROOM + 1);
    const PROMISE: Promise = Promise::GO;

    fn new(_: &QueueConfig) -> (Self, Self) {
        let state = Arc::new(Mutex::new(State::default()));
        let half = |owns| Self { state: state.clone(), owns, kind: PhantomData };
        (half(true), half(false))
    }

    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        let mut state = self.lock();
        let mut word = Word::new(token);
        if slot == Slot::Next {
            let kept = Self::has(Fault::SlotKeepsTheOld) && state.slot.is_some();
            match if kept { Some(word) } else { state.slot.replace(word) } {
                Some(displaced) => word = displaced,
                None => return,
            }
        }
        if state.ring.len() < Self::room() {
            return Self::put(&mut state, word);
        }
        let oldest = state.ring.drain(..ROOM / 2).chain([word]);
        let mut batch: VecDeque<T> = oldest.map(Word::token).collect();
        drop(state);
        if Self::has(Fault::SpillLosesOrder) {
            batch = batch.into_iter().rev().collect();
        }
        if Self::has(Fault::SpillsTwice) {
            spill.spill(batch.drain(..1).collect());
        }
        spill.spill(batch.into_iter().collect());
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        let mut state = self.lock();
        let fits = batch.len().min(Self::room() - state.ring.len());
        if Self::has(Fault::BatchTurnedRound) && fits < batch.len() {
            let stays = batch.split_front(batch.len() - fits);
            batch.by_ref().for_each(|token| Self::put(&mut state, Word::new(token)));
            *batch = stays;
            return;
        }
        batch.take(fits).for_each(|token| Self::put(&mut state, Word::new(token)));
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        let mut state = self.lock();
        if Self::has(Fault::GivesUp) && state.ring.is_empty() && state.puts % 2 == 1 {
            state.puts += 1;
            return None;
        }
        if let Some(next) = state.slot.take() {
            return Some(Popped { token: next.token(), inherits: true });
        }
        if Self::has(Fault::Panics) && state.ring.len() == 7 {
            let beyond = state.ring[state.ring.len()];
            state.ring.push_back(beyond);
        }
        let word = match F::FAULT {
            Fault::TakenTwice if state.ring.len() == 3 => state.ring[0],
            Fault::OutOfOrder if state.ring.len() > 10 => state.ring.remove(1)?,
            _ => state.ring.pop_front()?,
        };
        Some(Popped { token: word.token(), inherits: false })
    }

    fn is_empty(&self) -> bool {
        let state = self.lock();
        state.slot.is_none() && (state.ring.is_empty() || Self::has(Fault::WrongOwnersEmpty))
    }
}

impl<T: Token, F: Faulty> Thief<T> for Locked<T, F> {
    type Queue = Self;

    fn steal_into(&self, into: &mut Self, round: StealRound) -> Steal<T> {
        let oneself = Arc::ptr_eq(&self.state, &into.state);
        if oneself && !Self::has(Fault::StealsFromItself) {
            return Steal::Empty;
        }
        let mut state = self.lock();
        let half = state.ring.len().div_ceil(2);
        if half > 0 {
            let newest = Self::has(Fault::StealsTheNewest);
            let range = if newest { state.ring.len() - half..state.ring.len() } else { 0..half };
            let mut taken: VecDeque<Word> = state.ring.drain(range).collect();
            drop(state);
            let ran = taken.pop_back().expect("half is not 0");
            taken.into_iter().for_each(|word| Self::put(&mut into.lock(), word));
            return Steal::Taken(ran.token());
        }
        if !round.last || state.slot.is_none() || Self::has(Fault::LeavesTheSlot) {
            return Steal::Empty;
        }
        if round.victim_runs && (!round.backed_off || Self::has(Fault::BacksOffTwice)) {
            return Steal::BackOff(std::time::Duration::from_micros(3));
        }
        state.slot.take().map_or(Steal::Empty, |word| Steal::Taken(word.token()))
    }

    fn is_empty(&self) -> bool {
        let state = self.lock();
        state.ring.is_empty() && (state.slot.is_none() || Self::has(Fault::WrongEmpty))
    }

    fn len(&self) -> usize {
        let state = self.lock();
        state.ring.len() + usize::from(state.slot.is_some())
    }
}

impl<T: Token, F: Faulty> Clone for Locked<T, F> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), owns: false, kind: PhantomData }
    }
}

impl<T: Token, F: Faulty> Drop for Locked<T, F> {
    fn drop(&mut self) {
        if self.owns && !Self::has(Fault::LeaksAtTheEnd) {
            let mut state = self.lock();
            let words: Vec<Word> =
                state.slot.take().into_iter().chain(std::mem::take(&mut state.ring)).collect();
            drop(state);
            words.into_iter().for_each(|word| drop(word.token::<T>()));
        }
    }
}
