//! The note: one-shot sleep and wake for an M (and for sysmon).
//!
//! ```text
//!   Clear ──sleep──► (thread parked) ──wake──► Set ──clear──► Clear
//!     └────────wake────────────────────────────►┘
//! ```
//!
//! **Invariant.** `wake` happens at most once between two `clear`s, `sleep` returns only after it (or at its deadline).
//! The wake may come before the sleep; it is never lost. What the waker wrote before is seen after `sleep`.
//!
//! Go: `note`, `notesleep`, `notewakeup`, `noteclear` (lock_futex.go, Go 1.27). The thread sleeps by
//! `std::thread::park`, a futex on Linux, whose token other code may consume or leave behind: the flag decides.

use crate::ground::sync::{AtomicU32, thread};
use core::sync::atomic::Ordering;
use std::sync::OnceLock;
use std::time::Instant;

const CLEAR: u32 = 0;
const SET: u32 = 1;

/// The note of one thread.
#[derive(Debug)]
#[doc(alias = "note")]
pub(crate) struct Note {
    state: AtomicU32,
    owner: OnceLock<thread::Thread>,
}

impl Note {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(CLEAR), owner: OnceLock::new() }
    }

    /// Makes the calling thread the one that sleeps here. Before the first `sleep`, once.
    pub(crate) fn adopt(&self) {
        let adopted = self.owner.set(thread::current());
        debug_assert!(adopted.is_ok(), "a note has one owner");
    }

    /// Sleeps until woken.
    #[doc(alias = "notesleep")]
    pub(crate) fn sleep(&self) {
        while !self.is_set() {
            thread::park();
        }
    }

    /// Sleeps until woken or `deadline`; `true` if woken.
    #[doc(alias = "notetsleep")]
    #[cfg(not(loom))]
    pub(crate) fn sleep_until(&self, deadline: Instant) -> bool {
        loop {
            if self.is_set() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.is_set();
            }
            thread::park_timeout(left);
        }
    }

    /// In a model any moment may be the deadline.
    #[cfg(loom)]
    pub(crate) fn sleep_until(&self, _deadline: Instant) -> bool {
        thread::yield_now();
        self.is_set()
    }

    /// Wakes the owner, now or when it goes to sleep.
    #[doc(alias = "notewakeup")]
    pub(crate) fn wake(&self) {
        if let Some(owner) = self.set() {
            owner.unpark();
        }
    }

    /// The first half of a wake: the caller unparks the thread, if it is given one, as soon as it can. The owner may run
    /// before that, and then finds an unpark left over.
    #[must_use]
    pub(crate) fn set(&self) -> Option<&thread::Thread> {
        // ORDER: note. Release pairs with the acquire of `is_set`: what the waker prepared is seen by the sleeper.
        self.state.store(SET, Ordering::Release);
        self.owner.get()
    }

    /// Readies the note for its next use; by the owner, awake.
    #[doc(alias = "noteclear")]
    #[inline]
    pub(crate) fn clear(&self) {
        self.state.store(CLEAR, Ordering::Relaxed);
    }

    /// Whether a wake has come since the last `clear`.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // ORDER: note. Acquire pairs with the release of `wake`.
        self.state.load(Ordering::Acquire) == SET
    }
}
