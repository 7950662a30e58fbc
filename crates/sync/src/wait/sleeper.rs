//! `Waiter`: one wait of one goroutine or plain thread, and how it ended.
//!
//! ```text
//!              claim (shared) or fire (alone), by a waker under its queue's lock
//!   Pending ───────────────────────────────────────────────────────────────────► Fired(case, what)
//!      │ time-out, closing: the one who waits unlinks its nodes under their locks
//!      ▼
//!   over, still Pending
//! ```
//!
//! **Invariant.** The state leaves Pending once. A waiter with one node is *alone*: the lock of that node's queue decides
//! who ends the wait, so a plain store is enough. One with nodes in several queues is *shared*: wakers under different
//! locks race, and the compare-and-swap decides. The sleeper is put in by the one who waits before any lock that guards
//! a node is given back, and taken out by the one who fired, under such a lock.

use crate::seam::AtomicU32;
#[cfg(loom)]
use crate::seam::thread;
use core::cell::Cell;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use gmp_core::park::{Commit, Place};
use gmp_core::{Parked, WaitReason, Wake};
use std::time::Instant;

/// Who sleeps, and the right to wake it.
pub(crate) enum Sleeper {
    /// A parked goroutine.
    Goroutine(Parked),
    /// A plain thread, which looks at its waiter's state each time it is unparked.
    #[cfg(not(loom))]
    Thread(std::thread::Thread),
    /// One of loom's threads.
    #[cfg(loom)]
    Thread(loom::thread::Thread),
}

impl Sleeper {
    /// Wakes it. Never suspends.
    #[inline]
    pub(crate) fn wake(self) {
        match self {
            // Its wait may have ended by a time-out a moment ago: then it finds that it was fired, all the same.
            Self::Goroutine(parked) => _ = parked.ready(),
            Self::Thread(thread) => thread.unpark(),
        }
    }

    /// Whether nobody waits for this any more: timed out and about to unlink itself, or left behind by its runtime.
    #[inline]
    fn is_gone(&self) -> bool {
        match self {
            Self::Goroutine(parked) => parked.is_stale(),
            Self::Thread(_) => false,
        }
    }
}

/// How a wait was ended by a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// It got what it waited for.
    Done,
    /// What it waited for will not come: the channel was closed.
    Closed,
}

const PENDING: u32 = 0;

fn encode(case: u32, fired: Fired) -> u32 {
    ((case + 1) << 1) | u32::from(fired == Fired::Closed)
}

/// One wait. Lives in the frame of the one who waits.
pub(crate) struct Waiter {
    state: AtomicU32,
    shared: bool,
    sleeper: Cell<Option<Sleeper>>,
}

impl Waiter {
    /// A wait with one node.
    #[inline]
    pub(crate) fn alone() -> Self {
        Self { state: AtomicU32::new(PENDING), shared: false, sleeper: Cell::new(None) }
    }

    /// A wait with nodes in several queues.
    #[inline]
    pub(crate) fn shared() -> Self {
        Self { shared: true, ..Self::alone() }
    }

    /// How the wait was ended, and through which case. Asked by the one who waits.
    #[doc(alias = "selectDone")]
    #[inline]
    pub(crate) fn fired(&self) -> Option<(u32, Fired)> {
        // ORDER: fire. Pairs with `claim` and `fire`: a plain thread that sees the wait ended sees the value moved.
        let state = self.state.load(Acquire);
        let fired = if state & 1 == 0 { Fired::Done } else { Fired::Closed };
        (state != PENDING).then(|| ((state >> 1) - 1, fired))
    }

    /// Takes the right to end the wait through `case`. By a waker, under the lock of the node's queue, which has just
    /// taken the node off. `false`: another case came first, or nobody waits any more.
    #[inline]
    pub(super) fn claim(&self, case: u32, fired: Fired) -> bool {
        // Put in before the lock that we hold was given back, and taken out by the one who fires: if the wait is shared
        // that may be another, now, so the content is looked at only by who has won.
        if !self.shared {
            // SAFETY: whoever waits alone is reached through one lock, which we hold: nobody changes it under us.
            return unsafe { &*self.sleeper.as_ptr() }.as_ref().is_none_or(|sleeper| !sleeper.is_gone());
        }
        // ORDER: fire. Pairs with the load in `fired`.
        if self.state.load(Relaxed) != PENDING
            || self.state.compare_exchange(PENDING, encode(case, fired), AcqRel, Relaxed).is_err()
        {
            return false;
        }
        // SAFETY: the claim makes us the only one to touch it.
        let lives = unsafe { &*self.sleeper.as_ptr() }.as_ref().is_none_or(|sleeper| !sleeper.is_gone());
        if !lives {
            // Nothing will be moved. The one who waits, if it comes back at all, asks under all locks, ours too.
            self.state.store(PENDING, Relaxed);
        }
        lives
    }

    /// Ends a claimed wait: the value has been moved. The waiter and its nodes must not be touched after this; what is
    /// given back is to be woken once the lock is released.
    #[inline]
    #[must_use]
    pub(super) fn fire(&self, case: u32, fired: Fired) -> Option<Sleeper> {
        let sleeper = self.sleeper.take();
        if !self.shared {
            // ORDER: fire. Pairs with the load in `fired`: a plain thread may go on, and leave the frame, from here on.
            self.state.store(encode(case, fired), Release);
        }
        sleeper
    }
}

/// The one who is about to wait, past the runtime's gate.
pub(crate) struct Caller(#[cfg(not(loom))] Place);

impl Caller {
    /// **Suspends** a goroutine inside `blocking`, so: before any lock is taken.
    ///
    /// # Panics
    /// In the scheduler's place.
    #[track_caller]
    #[inline]
    pub(crate) fn enter(call: &'static str) -> Self {
        #[cfg(loom)]
        return (_ = call, Self()).1;
        #[cfg(not(loom))]
        Self(Place::enter(call))
    }

    /// The same without ever suspending; `None` if it would have to.
    #[track_caller]
    #[inline]
    pub(crate) fn enter_at_once(call: &'static str) -> Option<Self> {
        #[cfg(loom)]
        return Some(Self::enter(call));
        #[cfg(not(loom))]
        Place::enter_at_once(call).map(Self)
    }

    /// Sleeps until the waiter is fired, or until the deadline, or until a closing runtime wants its goroutines to
    /// unwind. `unlock` gives back every lock that guards a node of the waiter.
    ///
    /// After anything but [`Wake::Woken`] the wait may have been fired all the same: to be asked under the locks, where
    /// the nodes are then unlinked.
    ///
    /// # Safety
    /// The nodes of the waiter are queued and their locks held, to be given back by `unlock` and by nothing else; and
    /// `unlock` touches nothing in the caller's frame after it has given back the last of them.
    #[inline]
    pub(crate) unsafe fn sleep(
        &self,
        waiter: &Waiter,
        reason: WaitReason,
        deadline: Option<Instant>,
        unlock: impl FnOnce(),
    ) -> Wake {
        #[cfg(not(loom))]
        if let Place::Goroutine(goroutine) = &self.0 {
            if goroutine.is_closing() {
                unlock();
                return Wake::Closing;
            }
            let sleeper = &waiter.sleeper;
            // SAFETY: the commit's last touch of the frame is before `unlock` gives the last lock back, as our caller
            // promises, and the token is reachable only under those locks. All it holds is usable on any thread.
            return unsafe {
                goroutine.park(reason, deadline, move |parked| {
                    sleeper.set(Some(Sleeper::Goroutine(parked)));
                    unlock();
                    Commit::Stay
                })
            };
        }
        let _ = (reason, Commit::Stay);
        waiter.sleeper.set(Some(Sleeper::Thread(thread_handle())));
        unlock();
        wait_as_thread(waiter, deadline)
    }
}

#[cfg(not(loom))]
fn thread_handle() -> std::thread::Thread {
    std::thread::current()
}

#[cfg(loom)]
fn thread_handle() -> loom::thread::Thread {
    thread::current()
}

#[cfg(not(loom))]
fn wait_as_thread(waiter: &Waiter, deadline: Option<Instant>) -> Wake {
    loop {
        if waiter.fired().is_some() {
            return Wake::Woken;
        }
        match deadline.map(|at| at.saturating_duration_since(Instant::now())) {
            None => std::thread::park(),
            Some(left) if left.is_zero() => return Wake::TimedOut,
            Some(left) => std::thread::park_timeout(left),
        }
    }
}

/// In a model a deadline is one more way to end at any moment: the past one ends at once, others never.
#[cfg(loom)]
fn wait_as_thread(waiter: &Waiter, deadline: Option<Instant>) -> Wake {
    loop {
        if waiter.fired().is_some() {
            return Wake::Woken;
        }
        if deadline.is_some() {
            thread::yield_now();
            return Wake::TimedOut;
        }
        thread::park();
    }
}
