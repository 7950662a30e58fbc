//! A whole wait in a single queue: queued, asleep, and off the queue again, whatever ended it.
//!
//! ```text
//!   queued, locked ── sleep ──► fired: off the queue, done
//!         │                └──► timed out, closing: lock; fired meanwhile? done. Else unlink, and leave locked, so
//!         │                     that the leaver's share in any count goes in the same step
//!         └── uninterruptible, if the goroutine may not leave: fired or timed out only
//! ```
//!
//! **Uninterruptible waits.** When a runtime closes and unwinds its goroutines, a wait ends early and the goroutine
//! unwinds from it. Two kinds of wait cannot end early: a wait in a destructor during an unwind, since its caller
//! goes on as if it had what it asked for, and the wait of a condition's waiter for its mutex, since the guard will
//! be dropped. These are uninterruptible: they keep their place in the queue, let others run for [`YIELD_FIRST`],
//! since most holders unwind as well and let go, and then block their thread as a plain thread does, inside
//! `blocking`. So order and exclusion hold. A wait that would never end leaves a thread behind, counted in
//! `Leftover::running`, but does not keep `run` from returning.

use super::lock::{Guard, Lock};
use super::queue::{Node, Queue};
#[cfg(not(loom))]
use super::waiter::wait_as_thread;
use super::waiter::{Caller, Fired, Waiter, check_unfired};
#[cfg(not(loom))]
use gmp_core::park::{AtGate, Place};
use gmp_core::{WaitReason, Wake};
#[cfg(not(loom))]
use std::time::Duration;
use std::time::Instant;

/// How long a goroutine in an uninterruptible wait lets others run before it blocks its thread. A destructor's lock is
/// held for microseconds; this is long against that and short against a program's end.
#[cfg(not(loom))]
const YIELD_FIRST: Duration = Duration::from_millis(20);

/// How to wait: for what, until when, and whether a closing runtime may end it.
#[derive(Clone, Copy)]
pub(crate) struct WaitMode {
    pub(crate) reason: WaitReason,
    pub(crate) deadline: Option<Instant>,
    /// Whether the wait must not end because the runtime closes.
    pub(crate) uninterruptible: bool,
    /// The address that dumps show; 0: the queue's lock.
    pub(crate) at: usize,
}

impl WaitMode {
    /// A wait until the deadline, or without one, that a closing runtime ends.
    pub(crate) fn new(reason: WaitReason, deadline: Option<Instant>) -> Self {
        Self { reason, deadline, uninterruptible: false, at: 0 }
    }

    /// The same wait, except that it does not end before it is fired.
    pub(crate) fn uninterruptible(self) -> Self {
        Self { deadline: None, uninterruptible: true, ..self }
    }

    /// The mode of the next try after a closing runtime ended a wait. Unwinds the goroutine from here, unless it must
    /// not unwind.
    pub(crate) fn retry_after_closing(self) -> Self {
        if !self.uninterruptible {
            gmp_core::goroutine::unwind_if_closing(Wake::Closing);
        }
        Self { uninterruptible: true, ..self }
    }
}

/// A wait that ended without being fired. The node is off the queue, whose lock is held.
pub(crate) struct Unfired<'a, S> {
    pub(crate) wake: Wake,
    pub(crate) guard: Guard<'a, S>,
    /// Whether the node was still queued. If not, a waker found it gone, and took it off the queue and out of every
    /// count.
    pub(crate) queued: bool,
}

/// Waits until the node is fired, or the wait ends in another way. **Suspends.**
///
/// # Safety
/// The node is queued in `queue(guard)` and is the only one of `waiter`.
#[inline]
pub(crate) unsafe fn wait<'a, S, E>(
    caller: &Caller,
    guard: Guard<'a, S>,
    queue: impl Fn(&S) -> &Queue<E>,
    waiter: &Waiter,
    node: &Node<E>,
    mode: WaitMode,
) -> Result<Fired, Unfired<'a, S>> {
    let held = guard.keep();
    let wake = if is_uninterruptible(caller, mode) {
        // SAFETY: held, and kept for this.
        unsafe { held.unlock() };
        wait_uninterruptibly(caller, held.lock(), waiter, mode.deadline)
    } else {
        let at = if mode.at == 0 { held.address() } else { mode.at };
        // SAFETY: the node is queued and its lock held; giving it back touches nothing after the lock itself.
        unsafe { caller.sleep(waiter, mode.reason, at, mode.deadline, move || held.unlock()) }
    };
    leave(caller, held.lock(), queue, waiter, node, mode, wake)
}

/// The end of [`wait`], fired or not.
#[inline]
fn leave<'a, S, E>(
    caller: &Caller,
    lock: &'a Lock<S>,
    queue: impl Fn(&S) -> &Queue<E>,
    waiter: &Waiter,
    node: &Node<E>,
    mode: WaitMode,
    mut wake: Wake,
) -> Result<Fired, Unfired<'a, S>> {
    loop {
        if let Some((_, fired)) = waiter.fired() {
            return Ok(fired);
        }
        let guard = lock.lock();
        if let Some((_, fired)) = waiter.fired() {
            return Ok(fired);
        }
        let queued = node.is_queued();
        #[cfg(not(loom))]
        if wake == Wake::Closing && queued && is_uninterruptible(caller, mode) {
            // The goroutine was asleep when the closing began. From here on nobody is to take it for gone.
            waiter.awake();
            drop(guard);
            wake = wait_uninterruptibly(caller, lock, waiter, mode.deadline);
            continue;
        }
        queue(&guard).unlink(node);
        check_unfired(wake, mode.deadline);
        return Err(Unfired { wake, guard, queued });
    }
}

/// Whether the caller's runtime closes, and it must wait all the same.
#[cfg(not(loom))]
#[inline]
fn is_uninterruptible(caller: &Caller, mode: WaitMode) -> bool {
    matches!(&caller.0, Place::Goroutine(goroutine) if goroutine.is_closing())
        && (mode.uninterruptible || !gmp_core::goroutine::may_unwind())
}

/// In a model there is no runtime to close.
#[cfg(loom)]
fn is_uninterruptible(_caller: &Caller, _how: WaitMode) -> bool {
    false
}

#[cfg(loom)]
fn wait_uninterruptibly<S>(
    _caller: &Caller,
    _lock: &Lock<S>,
    _waiter: &Waiter,
    _deadline: Option<Instant>,
) -> Wake {
    unreachable!("a model has no goroutines")
}

/// See the module's documentation. The waiter is queued or fired, and holds no token through which anybody could be
/// woken.
#[cfg(not(loom))]
#[cold]
fn wait_uninterruptibly<S>(
    caller: &Caller,
    lock: &Lock<S>,
    waiter: &Waiter,
    deadline: Option<Instant>,
) -> Wake {
    let began = Instant::now();
    while let Place::Goroutine(goroutine) = &caller.0
        && began.elapsed() < YIELD_FIRST
    {
        if let Some(wake) = over(waiter, deadline) {
            return wake;
        }
        AtGate::yield_local(goroutine);
    }
    gmp_core::blocking(|| {
        let guard = lock.lock();
        if waiter.fired().is_some() {
            return Wake::Woken;
        }
        let thread = waiter.sleeps_as_thread();
        drop(guard);
        wait_as_thread(waiter, deadline, &thread)
    })
}

#[cfg(not(loom))]
fn over(waiter: &Waiter, deadline: Option<Instant>) -> Option<Wake> {
    if waiter.fired().is_some() {
        return Some(Wake::Woken);
    }
    deadline.is_some_and(|at| at <= Instant::now()).then_some(Wake::TimedOut)
}
