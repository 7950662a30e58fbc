//! One wait at one place: queued, asleep, and off the queue again, whatever ended it.
//!
//! ```text
//!   queued, locked ── sleep ──► fired: off the queue, done
//!         │                └──► timed out, closing: lock; fired meanwhile? done. Else unlink, and leave locked, so
//!         │                     that the leaver's share in any count goes in the same step
//!         └── endure, if the goroutine may not leave: fired or timed out only
//! ```
//!
//! **Enduring.** When a runtime closes and unwinds its goroutines, a wait ends early and the goroutine unwinds from it.
//! Two kinds of wait cannot end early: one in a destructor during an unwind, for its caller goes on as if it had what it
//! asked for, and the taking back of a lock by a condition's waiter, whose guard will be dropped. These endure: they
//! keep their place in the queue, let others run for [`YIELDING`], since most holders unwind as well and let go, and
//! then block their thread as a plain thread does, inside `blocking`. So the order and the exclusion hold, and a wait
//! that would never end costs a thread left behind, counted in `Leftover::running`, but does not keep `run` from
//! returning.

#[cfg(not(loom))]
use super::sleeper::wait_as_thread;
use super::{Caller, Fired, Guard, Lock, Node, Queue, Waiter, check_unfired};
#[cfg(not(loom))]
use gmp_core::park::{AtGate, Place};
use gmp_core::{WaitReason, Wake};
#[cfg(not(loom))]
use std::time::Duration;
use std::time::Instant;

/// How long an enduring goroutine lets others run before it blocks its thread. A destructor's lock is held for
/// microseconds; this is long against that and short against a program's end.
#[cfg(not(loom))]
const YIELDING: Duration = Duration::from_millis(20);

/// What is to be known of a wait beside its place.
#[derive(Clone, Copy)]
pub(crate) struct How {
    pub(crate) deadline: Option<Instant>,
    /// It must not end because the runtime closes.
    pub(crate) endures: bool,
}

impl How {
    pub(crate) const FOR_EVER: Self = Self { deadline: None, endures: false };

    pub(crate) fn until(deadline: Option<Instant>) -> Self {
        Self { deadline, ..Self::FOR_EVER }
    }

    /// The same with an end that does not come before the wait is fired.
    pub(crate) fn to_the_end() -> Self {
        Self { deadline: None, endures: true }
    }

    /// For the next try after a wait that was ended by a closing runtime. Unwinds from here, unless the caller must not.
    pub(crate) fn after_closing(self) -> Self {
        if !self.endures {
            gmp_core::goroutine::unwind_if_closing(Wake::Closing);
        }
        Self { endures: true, ..self }
    }
}

/// A wait that was not fired. The node is off the queue, whose lock is held.
pub(crate) struct Left<'a, S> {
    pub(crate) wake: Wake,
    pub(crate) guard: Guard<'a, S>,
    /// Whether it was still queued. If not, a waker took it off as gone, and out of every count.
    pub(crate) queued: bool,
}

/// Waits until the node is fired, or the wait ends otherwise. **Suspends.**
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
    how: How,
) -> Result<Fired, Left<'a, S>> {
    let held = guard.keep();
    let wake = if endures(caller, how) {
        // SAFETY: held, and kept for this.
        unsafe { held.unlock() };
        endure(caller, held.lock(), waiter, how.deadline)
    } else {
        // SAFETY: the node is queued and its lock held; giving it back touches nothing after the lock itself.
        unsafe { caller.sleep(waiter, WaitReason::Sync, how.deadline, move || held.unlock()) }
    };
    leave(caller, held.lock(), queue, waiter, node, how, wake)
}

/// The end of [`wait`], fired or not.
#[inline]
fn leave<'a, S, E>(
    caller: &Caller,
    lock: &'a Lock<S>,
    queue: impl Fn(&S) -> &Queue<E>,
    waiter: &Waiter,
    node: &Node<E>,
    how: How,
    mut wake: Wake,
) -> Result<Fired, Left<'a, S>> {
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
        if wake == Wake::Closing && queued && endures(caller, how) {
            // It was asleep when the closing began. Nobody is to take it for gone from here on.
            waiter.awake();
            drop(guard);
            wake = endure(caller, lock, waiter, how.deadline);
            continue;
        }
        queue(&guard).unlink(node);
        check_unfired(wake, how.deadline);
        return Err(Left { wake, guard, queued });
    }
}

/// Whether the caller's runtime closes, and it must wait all the same.
#[cfg(not(loom))]
#[inline]
fn endures(caller: &Caller, how: How) -> bool {
    matches!(&caller.0, Place::Goroutine(goroutine) if goroutine.is_closing())
        && (how.endures || std::thread::panicking())
}

/// In a model there is no runtime to close.
#[cfg(loom)]
fn endures(_caller: &Caller, _how: How) -> bool {
    false
}

#[cfg(loom)]
fn endure<S>(_caller: &Caller, _lock: &Lock<S>, _waiter: &Waiter, _deadline: Option<Instant>) -> Wake {
    unreachable!("a model has no goroutines")
}

/// See the module's documentation. The waiter has no sleeper, and is queued or fired.
#[cfg(not(loom))]
#[cold]
fn endure<S>(caller: &Caller, lock: &Lock<S>, waiter: &Waiter, deadline: Option<Instant>) -> Wake {
    let began = Instant::now();
    while let Place::Goroutine(goroutine) = &caller.0
        && began.elapsed() < YIELDING
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
