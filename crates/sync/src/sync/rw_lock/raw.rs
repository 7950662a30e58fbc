//! `RawRwLock`: Go's reader-writer mutex, without the value.
//!
//! ```text
//!   word:  WRITER | waiting readers | active readers
//!
//!   read:        no WRITER: active + 1.            WRITER: waiting + 1, then wait for a unit of `readers`
//!   end of read: active - 1; the last under a WRITER gives `writer` its unit
//!   write:       the mutex of writers; set WRITER;  active? wait for the unit of `writer`
//!   end of write: in one step WRITER goes and all that wait are active; a unit for each; then the mutex of writers
//! ```
//!
//! **Invariant.** WRITER is set by the holder of the writers' mutex alone. While it is set, `waiting` is the number
//! of readers that have come since, each of which is owed a unit when WRITER goes; otherwise `waiting` is zero.
//! Whoever gives up waiting leaves in one compare-and-swap of the word: a reader while WRITER is set, a writer while
//! readers are active; otherwise its unit is on the way, and it waits for the unit.
//!
//! Go keeps one count from which a writer subtracts a large number, and a second one of readers that a writer waits
//! for; waiting readers are then implied. Here they are counted, since otherwise a writer with a deadline could not
//! tell them from those that are just leaving. Go: `sync.RWMutex` (rwmutex.go, Go 1.27).

use crate::seam::{AtomicU64, const_fn};
use crate::sync::mutex::RawMutex;
use crate::sync::sema::{Grant, Sema};
use crate::wait::{Caller, WaitMode};
use core::cell::Cell;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use gmp_core::{WaitReason, Wake};
use std::time::Instant;

const WRITER: u64 = 1 << 63;
/// One waiting reader.
const WAITING: u64 = 1 << 32;
/// The active readers' part.
const ACTIVE: u64 = WAITING - 1;
/// The most readers at a time. It is far below what the field can hold, so that a burst of readers finds out in time.
const MOST: u64 = i32::MAX as u64;

fn waiting(word: u64) -> u64 {
    (word & !WRITER) / WAITING
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
        self.try_read() || self.read_slow(WaitMode::new(WaitReason::RwLockRead, deadline))
    }

    /// Takes the lock for reading if no writer has it or waits. Never suspends.
    ///
    /// The first compare-and-swap guesses that nobody has it, as everywhere here: a look beforehand would have to wait for
    /// the locked instruction with which this thread gave it back last.
    #[inline]
    pub(crate) fn try_read(&self) -> bool {
        // ORDER: rw-lock. Pairs with the writers' `end_write`: what they wrote is seen.
        match self.word.compare_exchange(0, 1, Acquire, Relaxed) {
            Ok(_) => true,
            Err(word) => self.try_read_beside(word),
        }
    }

    /// [`RawRwLock::try_read`] where others read, or a writer has the lock.
    #[inline]
    fn try_read_beside(&self, mut word: u64) -> bool {
        while word & WRITER == 0 {
            assert!(word < MOST, "RwLock::read: {MOST} readers at a time is the limit");
            // ORDER: rw-lock, as in `try_read`.
            match self.word.compare_exchange_weak(word, word + 1, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    #[cold]
    #[inline(never)]
    #[track_caller]
    fn read_slow(&self, mut mode: WaitMode) -> bool {
        let caller = Caller::enter("RwLock::read");
        loop {
            // ORDER: rw-lock, as in `try_read`.
            let word = self.word.fetch_update(Acquire, Relaxed, |word| {
                Some(if word & WRITER == 0 { word + 1 } else { word + WAITING })
            });
            if word.is_ok_and(|word| word & WRITER == 0) {
                return true;
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
        // ORDER: rw-lock. Release pairs with the writer's `fetch_or` in `write`, or through the last reader with its
        // unit, for which this acquires too: the writer comes after all that was read.
        let now = self.word.fetch_sub(1, AcqRel) - 1;
        if now & WRITER != 0 && now & ACTIVE == 0 {
            self.last_read();
        }
    }

    /// The writer that waited for this reader owns the lock now. If its runtime has abandoned it, the lock is given
    /// back in its place.
    #[cold]
    fn last_read(&self) {
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
        self.word.compare_exchange(0, WRITER, Acquire, Relaxed).is_ok()
            || self.word.fetch_or(WRITER, Acquire) & ACTIVE == 0
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
        let left = |word: u64| (word & ACTIVE != 0).then(|| (word & ACTIVE) + waiting(word));
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

    /// [`RawRwLock::end_write`] where readers wait.
    ///
    /// # Safety
    /// As there.
    #[cold]
    #[inline(never)]
    unsafe fn end_write_beside_readers(&self) -> bool {
        // ORDER: rw-lock, as in `end_write`.
        let before = self.word.fetch_update(Release, Relaxed, |word| Some(waiting(word)));
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
