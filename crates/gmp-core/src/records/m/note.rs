//! The note: one-shot sleep and wake for an M (and for sysmon), in its thread or in the runtime's poller.
//!
//! ```text
//!   Clear ──sleep──► (thread parked) ──────wake: unpark──────► Set ──clear──► Clear
//!     ├────────────────────────wake─────────────────────────────►┤
//!     └──sleep_in──► Polling (thread in the poller) ──wake: interrupt──►┘
//!                      └──it came back by itself: clear──► Clear
//! ```
//!
//! **Invariant.** `sleep` returns only after a `wake` (or at its deadline). The wake may come before the sleep; it is never
//! lost, and a second one before the owner has cleared the note changes nothing. What the waker wrote before is seen after
//! `sleep`.
//!
//! **Thread or poller?** The word that the waker swaps says where the owner sleeps: a waker that finds Polling there
//! interrupts the poller, and one that finds Clear unparks the thread. The owner leaves Clear for Polling by a
//! compare-and-swap, which fails if the wake is there already. An interrupt that comes when the owner is back already
//! ends the next wait in the poller too early, which costs a look.
//!
//! Go: `note`, `notesleep`, `notewakeup`, `noteclear` (lock_futex.go, Go 1.27). The thread sleeps by
//! `std::thread::park`, a futex on Linux, whose token other code may consume or leave behind: the flag decides.

use crate::contract::{Poller, ReadyList};
use crate::ground::sync::{AtomicU32, thread};
use core::sync::atomic::Ordering;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

const CLEAR: u32 = 0;
const SET: u32 = 1;
const POLLING: u32 = 2;

/// Where a note's owner sleeps, and is woken.
#[derive(Clone)]
pub(crate) enum WakeTarget {
    Thread(thread::Thread),
    Poller(Arc<dyn Poller>),
}

impl WakeTarget {
    /// The second half of a wake.
    pub(crate) fn rouse(&self) {
        match self {
            Self::Thread(thread) => thread.unpark(),
            Self::Poller(poller) => poller.interrupt(),
        }
    }
}

impl fmt::Debug for WakeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Thread(_) => "Thread",
            Self::Poller(_) => "Poller",
        })
    }
}

/// The note of one thread.
#[derive(Debug)]
#[doc(alias = "note")]
pub(crate) struct Note {
    state: AtomicU32,
    owner: OnceLock<WakeTarget>,
    /// The runtime's, once the owner has slept there.
    poller: OnceLock<WakeTarget>,
}

impl Note {
    pub(crate) fn new() -> Self {
        Self { state: AtomicU32::new(CLEAR), owner: OnceLock::new(), poller: OnceLock::new() }
    }

    /// Makes the calling thread the one that sleeps here. Before the first `sleep`, once.
    pub(crate) fn adopt(&self) {
        let adopted = self.owner.set(WakeTarget::Thread(thread::current()));
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

    /// Waits in the poller until woken, until `deadline`, or until it has something to tell. `poller` is the same each
    /// time.
    pub(crate) fn sleep_in(
        &self,
        poller: &Arc<dyn Poller>,
        deadline: Option<Instant>,
        ready: &mut ReadyList,
    ) -> io::Result<()> {
        self.poller.get_or_init(|| WakeTarget::Poller(Arc::clone(poller)));
        // ORDER: note. Release pairs with the swap in `set`: whoever finds Polling finds the poller, too.
        if self.state.compare_exchange(CLEAR, POLLING, Ordering::Release, Ordering::Relaxed).is_err() {
            return Ok(());
        }
        poller.wait(deadline, ready)
    }

    /// Wakes the owner, now or when it goes to sleep.
    #[doc(alias = "notewakeup")]
    pub(crate) fn wake(&self) {
        if let Some(target) = self.set() {
            target.rouse();
        }
    }

    /// The first half of a wake: the caller rouses the owner from where it sleeps, if it is given that, as soon as it can.
    /// The owner may run before that, and then finds an unpark or an interrupt left over.
    #[must_use]
    pub(crate) fn set(&self) -> Option<&WakeTarget> {
        // ORDER: note. Release pairs with the acquire of `is_set`: what the waker prepared is seen by the sleeper. Acquire
        // pairs with `sleep_in`.
        match self.state.swap(SET, Ordering::AcqRel) {
            POLLING => self.poller.get(),
            _ => self.owner.get(),
        }
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
