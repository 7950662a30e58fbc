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
//! different locks race, and the compare-and-swap to Claimed decides; Fired tells the waiter that the value has been
//! moved and that nobody touches its frame any more, so it need not wait for that waker's lock. The waiter puts the
//! token that wakes it in before it gives back any lock that guards a node, and the waker that fires takes the token
//! out under such a lock.

use super::outsider::Outsider;
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

/// The right to wake a waiter: a parked goroutine, or an outsider.
///
/// It is no enum, and it keeps the goroutine in two words that are read one by one, as they were written. It is moved
/// on every wake-up, and the CPU's store buffer cannot forward a value that is read in other pieces than it was
/// written in.
pub(crate) struct WakeHandle {
    /// The two words of a [`Parked`], which is this handle's alone; null for none.
    goroutine: *mut (),
    wait: u64,
    outsider: Option<Box<Outsider>>,
}

// SAFETY: a `Parked` may be used on any thread, and so may an outsider.
unsafe impl Send for WakeHandle {}

impl WakeHandle {
    /// Whether the waiter is a goroutine that sleeps.
    pub(crate) fn is_goroutine(&self) -> bool {
        !self.goroutine.is_null()
    }

    /// Wakes the waiter. Never suspends.
    pub(crate) fn wake(self) {
        self.wake_as(&mut Me::default());
    }

    /// [`WakeHandle::wake`] by a caller that has already been looked up.
    #[inline(always)]
    pub(crate) fn wake_as(self, me: &mut Me) {
        if let Some(goroutine) = NonNull::new(self.goroutine) {
            // SAFETY: the commit put the two words in, and `fire` took them out once.
            let parked = unsafe { Parked::from_raw(goroutine, self.wait) };
            // A time-out may have ended its wait a moment ago; it still finds out that it was fired.
            parked.ready_by(me.who());
        } else if let Some(outsider) = self.outsider {
            (*outsider).wake();
        }
    }
}

/// How a wait was ended by a waker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fired {
    /// The waiter got what it waited for.
    Done,
    /// What the waiter waited for will not come: the channel was closed.
    Closed,
}

const PENDING: u32 = 0;
const CLAIMED: u32 = 1;

fn encode(case: u32, fired: Fired) -> u32 {
    ((case + 1) << 1) | u32::from(fired == Fired::Closed)
}

/// One wait. It lives in the frame of the goroutine or thread that waits.
pub(crate) struct Waiter {
    state: AtomicU32,
    shared: bool,
    /// The two words of a [`Parked`]; null for none.
    goroutine: Cell<*mut ()>,
    wait: Cell<u64>,
    outsider: Cell<Option<Box<Outsider>>>,
}

impl Waiter {
    /// A wait with one node.
    #[inline]
    pub(crate) fn alone() -> Self {
        let (goroutine, wait, outsider) = (Cell::new(ptr::null_mut()), Cell::new(0), Cell::new(None));
        Self { state: AtomicU32::new(PENDING), shared: false, goroutine, wait, outsider }
    }

    /// A wait with nodes in several queues.
    #[inline]
    pub(crate) fn shared() -> Self {
        Self { shared: true, ..Self::alone() }
    }

    /// How the wait was ended, and through which case. The waiter asks this.
    #[doc(alias = "selectDone")]
    #[inline]
    pub(crate) fn fired(&self) -> Option<(u32, Fired)> {
        // ORDER: fire. Pairs with `fire`: whoever sees the wait ended sees the value moved.
        let state = self.state.load(Acquire);
        let fired = if state & 1 == 0 { Fired::Done } else { Fired::Closed };
        (state > CLAIMED).then(|| ((state >> 1) - 1, fired))
    }

    /// The waiter is awake and stays queued: a waker fires it and wakes nobody. Called under the queue's lock.
    pub(super) fn awake(&self) {
        // The token belongs to a park that is over.
        self.goroutine.set(ptr::null_mut());
    }

    /// The calling thread waits for this by blocking itself. Called under the queue's lock, before the waiter is
    /// fired.
    #[cfg(not(loom))]
    pub(super) fn sleeps_as_thread(&self) -> Thread {
        let thread = this_thread();
        self.set_outsider(Outsider::Thread(thread.clone()));
        thread
    }

    /// Sets what is woken, and returns what was set before. Called under the lock of the node's queue, or before the
    /// node is queued; not while a waker has claimed the wait.
    pub(crate) fn set_outsider(&self, outsider: Outsider) -> Option<Box<Outsider>> {
        self.outsider.replace(Some(Box::new(outsider)))
    }

    /// Whether it is here only for its value, so that nobody is woken when it is fired. Called under the queue's lock.
    pub(super) fn wakes_nobody(&self) -> bool {
        // SAFETY: whoever changes it holds the lock of the node's queue.
        let outsider = unsafe { &*self.outsider.as_ptr() };
        outsider.as_ref().is_some_and(|outsider| matches!(**outsider, Outsider::Task(None, _)))
    }

    /// From now on nobody is woken. To be called as [`Waiter::set_outsider`] is.
    pub(crate) fn take_outsider(&self) -> Option<Box<Outsider>> {
        self.outsider.take()
    }

    /// Takes the right to end the wait. A waker calls this under the lock of the node's queue, from which it has just
    /// taken the node. `false`: another case came first, or nobody waits any more.
    #[inline]
    pub(super) fn claim(&self) -> bool {
        if !self.shared {
            // SAFETY: a waiter with one node is reached through one lock, which we hold, so nobody changes it
            // meanwhile.
            return !unsafe { self.is_gone() };
        }
        // Relaxed, since it only decides: the waiter wrote what the winner reads before it gave this lock back.
        if self.state.load(Relaxed) != PENDING
            || self.state.compare_exchange(PENDING, CLAIMED, Relaxed, Relaxed).is_err()
        {
            return false;
        }
        // SAFETY: after the claim nobody else touches the token.
        if unsafe { self.is_gone() } {
            // Nothing will be moved. If the waiter comes back at all, it asks under all locks, ours included.
            self.state.store(PENDING, Relaxed);
            return false;
        }
        true
    }

    /// Whether the wait could still be claimed, as far as can be told without claiming it. A waker asks, as in
    /// [`Waiter::claim`].
    pub(super) fn is_pending(&self) -> bool {
        // SAFETY: the token is put in under the locks of all nodes, ours among them. Of a shared wait it is then only read,
        // also by who fires it; of one with a single node it changes under our lock alone.
        self.state.load(Relaxed) == PENDING && !unsafe { self.is_gone() }
    }

    /// Whether nobody waits any more: the waiter has timed out and is about to unlink itself, or a closed runtime has
    /// left it behind.
    ///
    /// # Safety
    /// Nobody puts the token in or takes it out meanwhile.
    #[inline]
    unsafe fn is_gone(&self) -> bool {
        let Some(goroutine) = NonNull::new(self.goroutine.get()) else { return false };
        // SAFETY: the commit put the two words in, they are only looked at, and the caller promises that nobody
        // changes them.
        ManuallyDrop::new(unsafe { Parked::from_raw(goroutine, self.wait.get()) }).is_stale()
    }

    /// Ends a claimed wait: the value has been moved. The waiter and its nodes must not be touched after this; the
    /// caller wakes the handle that it gets once it has released the lock.
    #[inline]
    #[must_use]
    pub(super) fn fire(&self, case: u32, fired: Fired) -> WakeHandle {
        let (goroutine, wait) = (self.goroutine.get(), self.wait.get());
        let handle = WakeHandle { goroutine, wait, outsider: self.outsider.take() };
        // ORDER: fire. Pairs with the load in `fired`: from here on the waiter may go on and leave the frame.
        self.state.store(encode(case, fired), Release);
        handle
    }
}

/// Checks a wait that has ended without being fired: either its deadline has passed, or its runtime closes. If
/// neither is so, something else has ended it, and the process ends here, because the callers of `lock` and its like
/// go on as holders of what they waited for.
#[inline]
pub(crate) fn check_unfired(wake: Wake, deadline: Option<Instant>) {
    if wake != Wake::Closing && deadline.is_none() {
        cut_short(wake);
    }
}

/// Checks the same for a caller without a deadline, which had to wait until it got what it waited for.
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

/// A caller that is about to wait, and has passed the runtime's gate.
pub(crate) struct Caller(#[cfg(not(loom))] pub(super) Place);

impl Caller {
    /// **Suspends** a goroutine inside `blocking`, so it is called before any lock is taken.
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

    /// Whether the caller may spin for what somebody else holds.
    pub(crate) fn may_spin(&self) -> bool {
        #[cfg(loom)]
        return false;
        #[cfg(not(loom))]
        self.0.may_spin()
    }

    /// [`Caller::enter`] that never suspends; `None` if it would have to.
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
    /// unwind. `unlock` gives back every lock that guards a node of the waiter. `at` is the address of what it waits at.
    ///
    /// After anything but [`Wake::Woken`] the wait may have been fired all the same: the caller asks under the locks,
    /// and unlinks the nodes there.
    ///
    /// # Safety
    /// The nodes of the waiter are queued and their locks held, to be given back by `unlock` and by nothing else; and
    /// `unlock` touches nothing in the caller's frame after it has given back the last of them.
    #[inline]
    pub(crate) unsafe fn sleep(
        &self,
        waiter: &Waiter,
        reason: WaitReason,
        at: usize,
        deadline: Option<Instant>,
        unlock: impl FnOnce(),
    ) -> Wake {
        if gmp_core::contention::waits_are_told() {
            // SAFETY: as the caller promises.
            return unsafe { self.sleep_and_tell(waiter, reason, at, deadline, unlock) };
        }
        // SAFETY: as the caller promises.
        unsafe { self.sleep_untold(waiter, reason, at, deadline, unlock) }
    }

    /// [`Caller::sleep`], told to who profiles waits.
    ///
    /// # Safety
    /// The same as for [`Caller::sleep`].
    #[cold]
    unsafe fn sleep_and_tell(
        &self,
        waiter: &Waiter,
        reason: WaitReason,
        at: usize,
        deadline: Option<Instant>,
        unlock: impl FnOnce(),
    ) -> Wake {
        let began = Instant::now();
        // SAFETY: as the caller promises.
        let wake = unsafe { self.sleep_untold(waiter, reason, at, deadline, unlock) };
        gmp_core::contention::waited(began.elapsed());
        wake
    }

    /// [`Caller::sleep`], told to nobody.
    ///
    /// # Safety
    /// The same as for [`Caller::sleep`].
    #[inline(always)]
    unsafe fn sleep_untold(
        &self,
        waiter: &Waiter,
        reason: WaitReason,
        at: usize,
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
                goroutine.park(reason, at, deadline, move |parked| {
                    let (goroutine, wait) = parked.into_raw();
                    waiter.goroutine.set(goroutine.as_ptr());
                    waiter.wait.set(wait);
                    unlock();
                    Commit::Stay
                })
            };
        }
        let _ = (reason, at, Commit::Stay);
        let thread = this_thread();
        waiter.set_outsider(Outsider::Thread(thread.clone()));
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
