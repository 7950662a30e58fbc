//! `Waiter`: one wait of one goroutine or plain thread, and how it ended.
//!
//! ```text
//!            claim, if shared             fire: the value has been moved
//!   Pending ──────────────────► Claimed ──────────────────────────────► Fired(case, what)
//!      │  by wakers under the lock of their queue; both in one step if the wait is alone
//!      │ time-out, closing: the one who waits unlinks its nodes under their locks
//!      ▼
//!   over, still Pending
//! ```
//!
//! **Invariant.** The state leaves Pending once. A waiter with one node is *alone*: the lock of that node's queue
//! decides who ends the wait, so a plain store is enough. One with nodes in several queues is *shared*: wakers under
//! different locks race, and the compare-and-swap to Claimed decides; Fired tells the one who waits that the value has
//! been moved and that nobody touches its frame any more, so it need not wait for that waker's lock. The token that
//! wakes it is put in by the one who waits before any lock that guards a node is given back, and taken out by the one
//! who fired, under such a lock.

use super::raw::Me;
use crate::seam::AtomicU32;
#[cfg(loom)]
use crate::seam::{Thread, this_thread, thread};
use core::cell::Cell;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::park::{Commit, Place, Who};
use gmp_core::{Parked, WaitReason, Wake};
use std::time::Instant;

#[cfg(not(loom))]
use std::thread::{Thread, current as this_thread};

/// Who sleeps, and the right to wake it: a parked goroutine, or a plain thread, which looks at its waiter's state each
/// time it is unparked.
///
/// No enum, and the goroutine in two words that are read one by one, as they were written: it is moved on every
/// wake-up, and what is read in other pieces than it was written in, the CPU's store buffer cannot serve.
pub(crate) struct WakeHandle {
    /// The two words of a [`Parked`], which is this handle's alone; null for none.
    goroutine: *mut (),
    wait: u64,
    thread: Option<Thread>,
}

// SAFETY: a `Parked` may be used on any thread.
unsafe impl Send for WakeHandle {}

impl WakeHandle {
    /// Whether it is a goroutine that sleeps.
    pub(crate) fn is_goroutine(&self) -> bool {
        !self.goroutine.is_null()
    }

    /// Wakes it. Never suspends.
    pub(crate) fn wake(self) {
        self.wake_as(&mut Me::default());
    }

    /// [`WakeHandle::wake`] by a caller that has been looked up already.
    #[inline(always)]
    pub(crate) fn wake_as(self, me: &mut Me) {
        if let Some(goroutine) = NonNull::new(self.goroutine) {
            // SAFETY: the commit put them in and `fire` took them out, once.
            let parked = unsafe { Parked::from_raw(goroutine, self.wait) };
            // Its wait may have ended by a time-out a moment ago: then it finds that it was fired, all the same.
            parked.ready_by(me.who());
        } else if let Some(thread) = self.thread {
            unpark(thread);
        }
    }
}

#[cold]
#[inline(never)]
fn unpark(thread: Thread) {
    thread.unpark();
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
const CLAIMED: u32 = 1;

fn encode(case: u32, fired: Fired) -> u32 {
    ((case + 1) << 1) | u32::from(fired == Fired::Closed)
}

/// One wait. Lives in the frame of the one who waits.
pub(crate) struct Waiter {
    state: AtomicU32,
    shared: bool,
    /// The two words of a [`Parked`]; null for none.
    goroutine: Cell<*mut ()>,
    wait: Cell<u64>,
    thread: Cell<Option<Thread>>,
}

impl Waiter {
    /// A wait with one node.
    #[inline]
    pub(crate) fn alone() -> Self {
        let (goroutine, wait, thread) = (Cell::new(ptr::null_mut()), Cell::new(0), Cell::new(None));
        Self { state: AtomicU32::new(PENDING), shared: false, goroutine, wait, thread }
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
        // ORDER: fire. Pairs with `fire`: who sees the wait ended sees the value moved.
        let state = self.state.load(Acquire);
        let fired = if state & 1 == 0 { Fired::Done } else { Fired::Closed };
        (state > CLAIMED).then(|| ((state >> 1) - 1, fired))
    }

    /// The one who waits is awake and stays queued: a waker is to fire it and need wake nobody. Under the queue's lock.
    pub(super) fn awake(&self) {
        // The token is of a wait that is over.
        self.goroutine.set(ptr::null_mut());
    }

    /// The calling thread waits for this, by blocking itself. Under the queue's lock, before it is fired.
    #[cfg(not(loom))]
    pub(super) fn sleeps_as_thread(&self) -> Thread {
        let thread = this_thread();
        self.thread.set(Some(thread.clone()));
        thread
    }

    /// Takes the right to end the wait. By a waker, under the lock of the node's queue, which has just taken the node
    /// off. `false`: another case came first, or nobody waits any more.
    #[inline]
    pub(super) fn claim(&self) -> bool {
        if !self.shared {
            // SAFETY: whoever waits alone is reached through one lock, which we hold: nobody changes it under us.
            return !unsafe { self.is_gone() };
        }
        // Relaxed: it only decides. What the winner reads, the one who waits wrote before it gave this lock back.
        if self.state.load(Relaxed) != PENDING
            || self.state.compare_exchange(PENDING, CLAIMED, Relaxed, Relaxed).is_err()
        {
            return false;
        }
        // SAFETY: the claim makes us the only one to touch it.
        if unsafe { self.is_gone() } {
            // Nothing will be moved. The one who waits, if it comes back at all, asks under all locks, ours too.
            self.state.store(PENDING, Relaxed);
            return false;
        }
        true
    }

    /// Whether the wait could still be claimed, as far as one can tell without doing so. By a waker, as
    /// [`Waiter::claim`].
    pub(super) fn is_pending(&self) -> bool {
        // SAFETY: as in `claim`; of a shared wait only the state is looked at.
        self.state.load(Relaxed) == PENDING && (self.shared || !unsafe { self.is_gone() })
    }

    /// Whether nobody waits any more: timed out and about to unlink itself, or left behind by a closed runtime.
    ///
    /// # Safety
    /// Nobody puts the token in or takes it out meanwhile.
    #[inline]
    unsafe fn is_gone(&self) -> bool {
        let Some(goroutine) = NonNull::new(self.goroutine.get()) else { return false };
        // SAFETY: the commit put them in; only looked at. That nobody changes them the caller promises.
        ManuallyDrop::new(unsafe { Parked::from_raw(goroutine, self.wait.get()) }).is_stale()
    }

    /// Ends a claimed wait: the value has been moved. The waiter and its nodes must not be touched after this; what is
    /// given back is to be woken once the lock is released.
    #[inline]
    #[must_use]
    pub(super) fn fire(&self, case: u32, fired: Fired) -> WakeHandle {
        let (goroutine, wait) = (self.goroutine.get(), self.wait.get());
        let handle = WakeHandle { goroutine, wait, thread: self.thread.take() };
        // ORDER: fire. Pairs with the load in `fired`: the one who waits may go on, and leave the frame, from here on.
        self.state.store(encode(case, fired), Release);
        handle
    }
}

/// A wait has ended and was not fired. Its deadline passed then, or its runtime closes; if neither is so, something else
/// has ended it, and the process ends here: callers of `lock` and its like go on as holders of what they waited for.
#[inline]
pub(crate) fn check_unfired(wake: Wake, deadline: Option<Instant>) {
    if wake != Wake::Closing && deadline.is_none() {
        cut_short(wake);
    }
}

/// The same for a caller who had no deadline and was to wait until it got what it waited for.
#[inline]
pub(crate) fn must_have(got: bool) {
    if !got {
        cut_short(Wake::TimedOut);
    }
}

#[cold]
#[inline(never)]
fn cut_short(wake: Wake) -> ! {
    gmp_core::fatal!(
        "a wait ends by its waker, at its deadline or with its runtime",
        "without a deadline: {wake:?}"
    )
}

/// The one who is about to wait, past the runtime's gate.
pub(crate) struct Caller(#[cfg(not(loom))] pub(super) Place);

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
        // SAFETY: a `Caller` stays in the frame of the call that made it.
        #[cfg(not(loom))]
        Self(unsafe { Place::enter(call) })
    }

    /// Whether it may spin for what somebody else holds.
    pub(crate) fn may_spin(&self) -> bool {
        #[cfg(loom)]
        return false;
        #[cfg(not(loom))]
        self.0.may_spin()
    }

    /// The same without ever suspending; `None` if it would have to.
    #[track_caller]
    #[inline]
    pub(crate) fn enter_at_once(who: Who, call: &'static str) -> Option<Self> {
        #[cfg(loom)]
        return (_ = who, Some(Self::enter(call))).1;
        #[cfg(not(loom))]
        // SAFETY: as above.
        unsafe { Place::enter_at_once(who, call) }.map(Self)
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
            // SAFETY: the commit's last touch of the frame is before `unlock` gives the last lock back, as our caller
            // promises, and the token is reachable only under those locks. All it holds is usable on any thread.
            return unsafe {
                goroutine.park(reason, deadline, move |parked| {
                    let (goroutine, wait) = parked.into_raw();
                    waiter.goroutine.set(goroutine.as_ptr());
                    waiter.wait.set(wait);
                    unlock();
                    Commit::Stay
                })
            };
        }
        let _ = (reason, Commit::Stay);
        let thread = this_thread();
        waiter.thread.set(Some(thread.clone()));
        unlock();
        wait_as_thread(waiter, deadline, &thread)
    }
}

#[cfg(not(loom))]
pub(super) fn wait_as_thread(waiter: &Waiter, deadline: Option<Instant>, _thread: &Thread) -> Wake {
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
fn wait_as_thread(waiter: &Waiter, deadline: Option<Instant>, thread: &Thread) -> Wake {
    if deadline.is_some() {
        thread::yield_now();
        return if waiter.fired().is_some() { Wake::Woken } else { Wake::TimedOut };
    }
    thread.park_until(|| waiter.fired().is_some());
    Wake::Woken
}
