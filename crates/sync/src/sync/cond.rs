//! `Cond`: waiting under a mutex until somebody says that something has changed.
//!
//! ```text
//!   wait:   queue ─► let the mutex go ─► fired already? else sleep ─► take the mutex back
//!   notify: the first in the queue, or all, in order
//! ```
//!
//! **Invariant.** Whoever calls `wait` is queued before the mutex is free, so no notification under the mutex can
//! miss it. The queue is in the order of those calls, which is also the order of the tickets. Go draws the ticket at
//! that point and queues later; a signal then looks for the lowest ticket, which is the same goroutine. Go:
//! `sync.Cond`, `notifyList` (Go 1.27).

use super::mutex::{MutexGuard, yield_to_new_owner};
use crate::seam::{const_fn, step_aside};
use crate::wait::{Caller, Fired, Lock, Node, Queue, Unfired, WaitMode, Waiter, must_have, wait};
use core::fmt;
use gmp_core::{WaitReason, Wake};
use std::time::{Duration, Instant};

/// A condition that goroutines and plain threads wait for under a [`Mutex`](super::Mutex).
///
/// Waiters are served first come, first served, and none is woken without a notification.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::{Cond, Mutex};
///
/// static READY: Mutex<bool> = Mutex::new(false);
/// static CHANGED: Cond = Cond::new();
///
/// runtime.run(|| {
///     gmp::go(|| {
///         *READY.lock() = true;
///         CHANGED.notify_one();
///     });
///     let mut ready = READY.lock();
///     CHANGED.wait_while(&mut ready, |ready| !*ready);
///     assert!(*ready);
/// }).unwrap();
/// ```
#[doc(alias = "sync.Cond")]
#[doc(alias = "Condvar")]
#[doc(alias = "notifyList")]
pub struct Cond(Lock<State>);

/// What the lock protects.
struct State {
    /// The next ticket.
    next: u64,
    /// A node's content is its ticket.
    queue: Queue<u64>,
}

impl Cond {
    const_fn! {
        /// A condition that nobody waits for. Never suspends.
        pub const fn new() -> Self {
            Self(Lock::new(State { next: 0, queue: Queue::new() }))
        }
    }

    /// Releases the mutex, waits to be notified, and takes the mutex back. **Suspends.**
    ///
    /// A goroutine whose runtime closes meanwhile takes the mutex back and unwinds from here, or goes on waiting and
    /// keeps its thread, as described at [`Mutex::lock`](super::Mutex::lock).
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::{Cond, Mutex};
    ///
    /// static QUEUE: Mutex<Vec<u32>> = Mutex::new(Vec::new());
    /// static FILLED: Cond = Cond::new();
    ///
    /// runtime.run(|| {
    ///     let taker = gmp::go(|| {
    ///         let mut queue = QUEUE.lock();
    ///         loop {
    ///             match queue.pop() {
    ///                 Some(n) => return n,
    ///                 None => FILLED.wait(&mut queue),
    ///             }
    ///         }
    ///     });
    ///     gmp::yield_now();
    ///     QUEUE.lock().push(7);
    ///     FILLED.notify_one();
    ///     assert_eq!(taker.join().unwrap(), 7);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "Wait")]
    #[track_caller]
    pub fn wait<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_until(guard, None);
    }

    /// Calls [`Cond::wait`] for as long as `condition` holds, and not at all if it does not hold. **Suspends.**
    ///
    /// Shown at [`Cond`].
    ///
    /// # Panics
    /// The same as for [`Cond::wait`]; also if `condition` panics.
    #[track_caller]
    pub fn wait_while<T: ?Sized>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// Like [`Cond::wait`], but waits for a notification for at most `timeout`; taking the mutex back may take longer.
    /// `false`: no notification came in time. **Suspends.**
    ///
    /// ```
    /// use gmp::sync::{Cond, Mutex};
    /// use std::time::Duration;
    ///
    /// let (ready, changed) = (Mutex::new(false), Cond::new());
    /// let mut guard = ready.lock();
    /// assert!(!changed.wait_timeout(&mut guard, Duration::from_millis(1)));
    /// ```
    ///
    /// # Panics
    /// The same as for [`Cond::wait`].
    #[track_caller]
    pub fn wait_timeout<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, timeout: Duration) -> bool {
        self.wait_until(guard, crate::seam::after_now(timeout))
    }

    /// Like [`Cond::wait_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`Cond::wait_timeout`]. It is useful in a loop, which then has one deadline for all rounds.
    ///
    /// # Panics
    /// The same as for [`Cond::wait`].
    #[track_caller]
    pub fn wait_deadline<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        self.wait_until(guard, Some(deadline))
    }

    #[track_caller]
    fn wait_until<T: ?Sized>(&self, guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> bool {
        let caller = Caller::enter("Cond::wait");
        let waiter = Waiter::alone();
        let mut state = self.0.lock();
        let node = Node::new(&waiter, 0, state.next);
        state.next += 1;
        // SAFETY: nothing below unwinds or returns before `fired` has seen the node off the queue.
        unsafe { state.queue.push_back(&node) };
        drop(state);
        let mutex = MutexGuard::raw(guard);
        // SAFETY: the guard says that the lock is held, and is not used before it is taken back.
        if unsafe { mutex.unlock() } {
            yield_to_new_owner();
        }
        // SAFETY: queued above.
        let (fired, wake) = unsafe { self.fired(&caller, &waiter, &node, deadline) };
        drop(caller);
        must_have(mutex.lock_with(WaitMode::new(WaitReason::Mutex, None).uninterruptible()));
        if !fired {
            gmp_core::goroutine::unwind_if_closing(wake);
        }
        fired
    }

    /// Waits with a node that may already have been fired.
    ///
    /// # Safety
    /// The node was queued here, and is the waiter's only one.
    unsafe fn fired(
        &self,
        caller: &Caller,
        waiter: &Waiter,
        node: &Node<u64>,
        deadline: Option<Instant>,
    ) -> (bool, Wake) {
        let state = self.0.lock();
        if waiter.fired().is_some() {
            return (true, Wake::Woken);
        }
        let mode = WaitMode::new(WaitReason::Cond, deadline);
        // SAFETY: not fired, so still queued: while it is awake nobody takes it for gone.
        match unsafe { wait(caller, state, |state| &state.queue, waiter, node, mode) } {
            Ok(_) => (true, Wake::Woken),
            Err(Unfired { wake, .. }) => (false, wake),
        }
    }

    /// Wakes the waiter that has waited longest, if there is one. The caller may hold the mutex, but need not. Never
    /// suspends.
    ///
    /// Shown at [`Cond`] and [`Cond::wait`].
    #[doc(alias = "Signal")]
    pub fn notify_one(&self) {
        step_aside();
        self.wake_before(u64::MAX);
    }

    /// Wakes all who wait now, in the order in which they came. The caller may hold the mutex, but need not. Never
    /// suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::{Cond, Mutex};
    ///
    /// static OPEN: Mutex<bool> = Mutex::new(false);
    /// static OPENED: Cond = Cond::new();
    ///
    /// runtime.run(|| {
    ///     let guests: Vec<_> = (0..3).map(|_| gmp::go(|| {
    ///         OPENED.wait_while(&mut OPEN.lock(), |open| !*open);
    ///     })).collect();
    ///     *OPEN.lock() = true;
    ///     OPENED.notify_all();
    ///     guests.into_iter().for_each(|guest| guest.join().unwrap());
    /// }).unwrap();
    /// ```
    #[doc(alias = "Broadcast")]
    pub fn notify_all(&self) {
        step_aside();
        let next = self.0.lock().next;
        while self.wake_before(next) {}
    }

    /// Wakes the first waiter, if its ticket is below `end`. `false`: there is none.
    fn wake_before(&self, end: u64) -> bool {
        let state = self.0.lock();
        let handle = state.queue.pop_if(|&ticket| ticket < end, |_| ()).map(|node| node.fire(Fired::Done));
        drop(state);
        let found = handle.is_some();
        if let Some(handle) = handle {
            handle.wake();
        }
        found
    }
}

impl Default for Cond {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Cond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cond").finish_non_exhaustive()
    }
}
