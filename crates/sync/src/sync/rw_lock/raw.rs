//! `RawRwLock`: Go's reader-writer mutex, without the value.
//!
//! ```text
//!   word:  WRITER | DRAINING | waiting readers | active readers
//!
//!   read:        active + 1.  There was a WRITER? active - 1 as at the end, waiting + 1, wait for a unit of `readers`
//!   end of read: active - 1;  the last takes DRAINING away, and gives `writer` its unit
//!   write:       the mutex of writers; set WRITER;  active? set DRAINING too, and wait for the unit of `writer`
//!   end of write: in one step WRITER goes and all that wait are active; a unit for each; then the mutex of writers
//! ```
//!
//! **Invariant.** WRITER is set by the holder of the writers' mutex alone. While it is set, `waiting` is the number
//! of readers that have come since, each of which is owed a unit when WRITER goes; otherwise `waiting` is zero.
//! DRAINING is set with WRITER alone, and while it is, the writer waits and `active` is not zero, or whoever made it
//! zero is about to look. Whoever takes DRAINING away at zero owes the writer its unit, so it gets one.
//! A reader that meets a WRITER counts as active for a moment. So the writer has the lock when DRAINING is gone, and
//! not when `active` is zero.
//! Whoever gives up waiting leaves in one compare-and-swap of the word: a reader while WRITER is set, a writer while
//! DRAINING is; otherwise its unit is on the way, and it waits for the unit.
//!
//! Go keeps one count from which a writer subtracts a large number, and a second one of readers that a writer waits
//! for; waiting readers are then implied. Here they are counted, since otherwise a writer with a deadline could not
//! tell them from those that are just leaving. Go: `sync.RWMutex` (rwmutex.go, Go 1.27).

use crate::seam::{AtomicU64, const_fn};
use crate::sync::mutex::RawMutex;
use crate::sync::sema::{Grant, Sema};
use crate::wait::{Caller, WaitMode};
use core::cell::Cell;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::{WaitReason, Wake};
use std::time::Instant;

const WRITER: u64 = 1 << 63;
/// A writer waits until the active readers are through.
const DRAINING: u64 = 1 << 62;
/// One waiting reader.
const WAITING: u64 = 1 << 31;
/// The active readers' part.
const ACTIVE: u64 = WAITING - 1;
/// The most readers at a time, as in Go (`rwmutexMaxReaders`). It is half of what the field can hold, so that a burst of
/// readers finds out in time.
const MOST: u64 = 1 << 30;

fn waiting(word: u64) -> u64 {
    (word & !(WRITER | DRAINING)) / WAITING
}

/// The word after WRITER has gone: who waited reads.
fn without_writer(word: u64) -> u64 {
    (word & ACTIVE) + waiting(word)
}

#[cold]
#[track_caller]
fn too_many() -> ! {
    panic!("RwLock::read: {MOST} readers at a time is the limit");
}

/// The lock.
pub(crate) struct RawRwLock {
    word: AtomicU64,
    writers: RawMutex,
    /// The writer's unit, which says that no reader is active any more.
    writer: Sema,
    /// A unit for each reader that waits.
    readers: Sema,
}

impl RawRwLock {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { word: AtomicU64::new(0), writers: RawMutex::new(), writer: Sema::new(), readers: Sema::new() }
        }
    }

    /// Whether the lock is free and nobody waits, by its own account.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.word.load(Relaxed) == 0
            && self.writers.is_idle()
            && self.writer.is_idle()
            && self.readers.is_idle()
    }

    /// Takes the lock for reading. `false`: the deadline came first. **Suspends.**
    #[must_use]
    #[track_caller]
    #[inline]
    pub(crate) fn read(&self, deadline: Option<Instant>) -> bool {
        // ORDER: rw-lock. Pairs with the writers' `end_write`: what they wrote is seen.
        self.word.fetch_add(1, Acquire) < MOST
            || self.read_slow(WaitMode::new(WaitReason::RwLockRead, deadline))
    }

    /// Takes the lock for reading if no writer has it or waits. Never suspends.
    #[inline]
    pub(crate) fn try_read(&self) -> bool {
        // A guess: a look beforehand would have to wait for the locked instruction with which this thread gave the lock
        // back last.
        let mut word = 0;
        while word & WRITER == 0 {
            if word >= MOST {
                too_many();
            }
            // ORDER: rw-lock, as in `read`.
            match self.word.compare_exchange_weak(word, word + 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// [`RawRwLock::read`] by who has been counted as active beside a writer, or beside as many readers as there may be.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn read_slow(&self, mut mode: WaitMode) -> bool {
        // SAFETY: counted, and by nobody else.
        unsafe { self.end_read() };
        let caller = Caller::enter("RwLock::read");
        loop {
            // ORDER: rw-lock, as in `read`.
            let word = self.word.fetch_update(Acquire, Relaxed, |word| match word & WRITER {
                0 => (word < MOST).then_some(word + 1),
                _ => (waiting(word) < MOST - 1).then_some(word + WAITING),
            });
            match word {
                Ok(word) if word & WRITER == 0 => return true,
                Ok(_) => {}
                Err(_) => too_many(),
            }
            match self.readers.acquire(&caller, false, mode, || self.reader_leaves()) {
                Ok(_) => return true,
                Err(Wake::Closing) => mode = mode.retry_after_closing(),
                Err(_) => return false,
            }
        }
    }

    /// A waiting reader leaves without the lock. `false`: it is active already, and its unit is on the way.
    fn reader_leaves(&self) -> bool {
        let left = |word: u64| (word & WRITER != 0).then(|| word - WAITING);
        self.word.fetch_update(Relaxed, Relaxed, left).is_ok()
    }

    /// Gives back the lock held for reading. Never suspends.
    ///
    /// # Safety
    /// The caller holds the lock in this way.
    #[inline]
    pub(crate) unsafe fn end_read(&self) {
        // ORDER: rw-lock. Pairs with `set_writer`, or with `last_read`, which hands on: the writer comes after all that
        // was read.
        let now = self.word.fetch_sub(1, Release) - 1;
        if now & DRAINING != 0 && now & ACTIVE == 0 {
            self.last_read();
        }
    }

    /// No reader was active a moment ago, and a writer waited. Unless another reader has come or seen to it since, the
    /// writer owns the lock from here on. If its runtime has abandoned it, the lock is given back in its place.
    #[cold]
    fn last_read(&self) {
        let drained = |word: u64| (word & DRAINING != 0 && word & ACTIVE == 0).then_some(word & !DRAINING);
        // ORDER: rw-lock. Pairs with `end_read` of all readers, for the writer, who gets its unit from here.
        if self.word.fetch_update(Acquire, Relaxed, drained).is_err() {
            return;
        }
        let gone = Cell::new(false);
        self.writer.release(|| (!gone.get()).then_some(Grant::Count), || gone.set(true));
        if gone.get() {
            // SAFETY: the lock is the writer's, and the abandoned writer will not give it back.
            unsafe { self.end_write() };
        }
    }

    /// Takes the lock for writing. `false`: the deadline came first. **Suspends.**
    #[must_use]
    #[track_caller]
    #[inline]
    pub(crate) fn write(&self, deadline: Option<Instant>) -> bool {
        let mode = WaitMode::new(WaitReason::RwLockWrite, deadline);
        self.writers.lock_with(mode) && (self.set_writer() || self.write_slow(mode))
    }

    /// [`RawRwLock::write`] by the holder of the writers' mutex, who has set WRITER while readers are active.
    #[cold]
    #[inline(never)]
    #[track_caller]
    fn write_slow(&self, mut mode: WaitMode) -> bool {
        loop {
            match self.wait_for_readers(mode) {
                Ok(()) => return true,
                Err(Wake::Closing) => mode = mode.retry_after_closing(),
                Err(_) => return false,
            }
            if !self.writers.lock_with(mode) {
                return false;
            }
            if self.set_writer() {
                return true;
            }
        }
    }

    /// Sets WRITER. `true`: no reader is active. By the holder of the writers' mutex.
    #[inline]
    fn set_writer(&self) -> bool {
        // ORDER: rw-lock. Acquire pairs with `end_read`.
        self.word.compare_exchange(0, WRITER, Acquire, Relaxed).is_ok() || self.set_writer_beside_readers()
    }

    /// [`RawRwLock::set_writer`] where readers are active, or were a moment ago.
    #[cold]
    fn set_writer_beside_readers(&self) -> bool {
        let set = |word: u64| Some(if word == 0 { WRITER } else { word | WRITER | DRAINING });
        // ORDER: rw-lock, as in `set_writer`.
        self.word.fetch_update(Acquire, Relaxed, set) == Ok(0)
    }

    /// Waits with WRITER set. If the wait fails, the whole lock is given up.
    #[cold]
    #[track_caller]
    fn wait_for_readers(&self, mode: WaitMode) -> Result<(), Wake> {
        let caller = Caller::enter("RwLock::write");
        let owed = Cell::new(None);
        let leave = || {
            owed.set(self.writer_leaves());
            owed.get().is_some()
        };
        let result = self.writer.acquire(&caller, false, mode, leave).map(|_| ());
        if let Some(owed) = owed.get() {
            // SAFETY: taken in `write`.
            unsafe { self.let_others(owed) };
        }
        result
    }

    /// A waiting writer leaves without the lock. Returns the number of readers that waited behind it and need wait no
    /// longer. `None`: the last reader is through, so the lock is the writer's, and its unit is on the way.
    fn writer_leaves(&self) -> Option<u64> {
        let left = |word: u64| (word & DRAINING != 0).then(|| without_writer(word));
        self.word.fetch_update(Relaxed, Relaxed, left).ok().map(waiting)
    }

    /// Gives back the lock held for writing. Returns whether a sleeping goroutine was handed the writers' mutex.
    /// Never suspends.
    ///
    /// # Safety
    /// The caller holds the lock in this way.
    #[inline]
    pub(crate) unsafe fn end_write(&self) -> bool {
        // ORDER: rw-lock. Release pairs with the readers' acquire; those that wait get it with their units.
        if self.word.compare_exchange(WRITER, 0, Release, Relaxed).is_ok() {
            // SAFETY: as the caller promises.
            return unsafe { self.writers.unlock() };
        }
        // SAFETY: as the caller promises.
        unsafe { self.end_write_beside_readers() }
    }

    /// [`RawRwLock::end_write`] where readers wait, or have just come.
    ///
    /// # Safety
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn end_write_beside_readers(&self) -> bool {
        // ORDER: rw-lock, as in `end_write`.
        let before = self.word.fetch_update(Release, Relaxed, |word| Some(without_writer(word)));
        // SAFETY: as the caller promises.
        unsafe { self.let_others(waiting(before.unwrap_or_default())) }
    }

    /// WRITER is gone, and `owed` readers that waited are active now: wakes them, and then lets the next writer in.
    ///
    /// # Safety
    /// The caller holds the writers' mutex.
    unsafe fn let_others(&self, owed: u64) -> bool {
        let gone = self.readers.release_to_all(owed as u32);
        if gone != 0 {
            // No writer waits that would have to be told when the last of them goes.
            self.word.fetch_sub(u64::from(gone), Relaxed);
        }
        // SAFETY: as the caller promises.
        unsafe { self.writers.unlock() }
    }

    /// Takes the lock for writing if nobody has it. Never suspends.
    pub(crate) fn try_write(&self) -> bool {
        if !self.writers.try_lock() {
            return false;
        }
        // ORDER: rw-lock. Acquire pairs with `end_read`.
        if self.word.compare_exchange(0, WRITER, Acquire, Relaxed).is_ok() {
            return true;
        }
        // SAFETY: just taken.
        unsafe { self.writers.unlock() };
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// As many as may read, but for `n`.
    fn all_but(n: u64) -> RawRwLock {
        RawRwLock { word: AtomicU64::new(MOST - n), ..RawRwLock::new() }
    }

    #[test]
    fn one_reader_too_many_panics_and_leaves_no_trace() {
        let lock = all_but(1);
        assert!(lock.read(None));
        for _ in 0..3 {
            assert!(catch_unwind(AssertUnwindSafe(|| lock.read(None))).is_err());
            assert!(catch_unwind(AssertUnwindSafe(|| lock.try_read())).is_err());
            assert_eq!(lock.word.load(Relaxed), MOST);
        }
        // SAFETY: taken above.
        unsafe { lock.end_read() };
        assert!(lock.try_read());
    }

    #[test]
    fn readers_and_flags_have_room_beside_each_other() {
        let word = WRITER | DRAINING | ((MOST - 1) * WAITING) | ACTIVE;
        assert_eq!((waiting(word), word & ACTIVE), (MOST - 1, 2 * MOST - 1));
        assert!(without_writer(MOST | ((MOST - 1) * WAITING)) <= ACTIVE);
    }
}
