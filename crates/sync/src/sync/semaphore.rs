//! `Semaphore`: a number of permits, given out in the order in which they were asked for.
//!
//! ```text
//!   acquire n: nobody waits and n are there? take them ─► else queue, sleep
//!   give back: permits + n; then, as long as the first in the queue can be served, serve it
//! ```
//!
//! **Invariant.** Whenever the lock is free, the first waiter asks for more permits than there are. So a waiter that
//! asks for many is not overtaken by those that ask for few, and nobody waits without need. Whoever leaves the queue
//! serves those behind. A waiter that a closed runtime has abandoned cannot do so; the next caller does it instead.

use crate::seam::{const_fn, give_way, step_aside};
use crate::wait::{Caller, Fired, Guard, Lock, Node, Queue, Unfired, WaitMode, Waiter, must_have, wait};
use core::fmt;
use core::mem::ManuallyDrop;
use gmp_core::{WaitReason, Wake};
use std::time::{Duration, Instant};

/// A number of permits, for goroutines and for plain threads.
///
/// It is strictly first come, first served: a newcomer does not get even a free permit while others wait.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::Semaphore;
///
/// static AT_ONCE: Semaphore = Semaphore::new(3);
///
/// runtime.run(|| {
///     let all: Vec<_> = (0..10).map(|n| gmp::go(move || {
///         let _permit = AT_ONCE.acquire();
///         gmp::yield_now();
///         n
///     })).collect();
///     assert_eq!(all.into_iter().map(|one| one.join().unwrap()).sum::<i32>(), 45);
///     assert_eq!(AT_ONCE.available(), 3);
/// }).unwrap();
/// ```
#[doc(alias = "semaphore.Weighted")]
pub struct Semaphore(Lock<Permits>);

/// What the lock protects.
struct Permits {
    free: usize,
    /// A node's content is the number of permits that it asks for.
    queue: Queue<usize>,
}

impl Semaphore {
    const_fn! {
        /// A semaphore with this many permits. Never suspends.
        pub const fn new(permits: usize) -> Self {
            Self(Lock::new(Permits { free: permits, queue: Queue::new() }))
        }
    }

    /// Takes one permit, waiting for it if there is none. **Suspends.**
    ///
    /// If the runtime closes meanwhile, it ends as [`Mutex::lock`](super::Mutex::lock) does.
    ///
    /// Shown at [`Semaphore`].
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "Acquire")]
    #[track_caller]
    #[inline]
    pub fn acquire(&self) -> Permit<'_> {
        self.acquire_many(1)
    }

    /// Takes `n` permits at once, waiting until there are that many. **Suspends.**
    ///
    /// ```
    /// let memory = gmp::sync::Semaphore::new(100);
    /// let much = memory.acquire_many(70);
    /// assert_eq!((much.count(), memory.available()), (70, 30));
    /// assert!(memory.try_acquire_many(40).is_none());
    /// drop(much);
    /// assert!(memory.try_acquire_many(40).is_some());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    #[inline]
    pub fn acquire_many(&self, n: usize) -> Permit<'_> {
        give_way();
        must_have(self.take(n, None));
        Permit { semaphore: self, n }
    }

    /// Takes one permit, if one is free and nobody waits. Never suspends.
    ///
    /// ```
    /// let seats = gmp::sync::Semaphore::new(1);
    /// let seat = seats.try_acquire().unwrap();
    /// assert!(seats.try_acquire().is_none());
    /// drop(seat);
    /// assert!(seats.try_acquire().is_some());
    /// ```
    #[doc(alias = "TryAcquire")]
    #[inline]
    pub fn try_acquire(&self) -> Option<Permit<'_>> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits, if they are free and nobody waits. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    #[inline]
    pub fn try_acquire_many(&self, n: usize) -> Option<Permit<'_>> {
        step_aside();
        self.take_now(n).then(|| Permit { semaphore: self, n })
    }

    /// Like [`Semaphore::acquire`], but waits for at most `timeout`, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let seats = gmp::sync::Semaphore::new(0);
    /// assert!(seats.acquire_timeout(Duration::from_millis(1)).is_none());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Option<Permit<'_>> {
        self.acquire_many_until(1, crate::seam::after_now(timeout))
    }

    /// Like [`Semaphore::acquire`], but waits until `deadline` at most, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_deadline(&self, deadline: Instant) -> Option<Permit<'_>> {
        self.acquire_many_until(1, Some(deadline))
    }

    /// Like [`Semaphore::acquire_many`], but waits for at most `timeout`. **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many_timeout(&self, n: usize, timeout: Duration) -> Option<Permit<'_>> {
        self.acquire_many_until(n, crate::seam::after_now(timeout))
    }

    /// Like [`Semaphore::acquire_many`], but waits until `deadline` at most. **Suspends.**
    ///
    /// As shown at [`Semaphore::acquire_timeout`].
    ///
    /// # Panics
    /// The same as for [`Semaphore::acquire`].
    #[track_caller]
    pub fn acquire_many_deadline(&self, n: usize, deadline: Instant) -> Option<Permit<'_>> {
        self.acquire_many_until(n, Some(deadline))
    }

    #[track_caller]
    fn acquire_many_until(&self, n: usize, deadline: Option<Instant>) -> Option<Permit<'_>> {
        give_way();
        self.take(n, deadline).then(|| Permit { semaphore: self, n })
    }

    /// How many permits are free now. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    pub fn available(&self) -> usize {
        step_aside();
        self.0.lock().free
    }

    /// Adds `n` permits. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::Semaphore;
    ///
    /// static LETTERS: Semaphore = Semaphore::new(0);
    ///
    /// runtime.run(|| {
    ///     // Permits that one side makes and the other uses up.
    ///     let reader = gmp::go(|| (0..3).for_each(|_| LETTERS.acquire().forget()));
    ///     LETTERS.add_permits(3);
    ///     reader.join().unwrap();
    ///     assert_eq!(LETTERS.available(), 0);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// If there would be more than `usize::MAX` permits.
    #[doc(alias = "Release")]
    #[track_caller]
    #[inline]
    pub fn add_permits(&self, n: usize) {
        step_aside();
        let mut permits = self.0.lock();
        let Some(free) = permits.free.checked_add(n) else {
            drop(permits);
            too_many(n);
        };
        permits.free = free;
        self.serve_any(permits);
    }

    /// Permits have come back: serves those who wait, if somebody does, and gives back the lock.
    #[inline]
    fn serve_any(&self, permits: Guard<'_, Permits>) {
        if !permits.queue.is_empty() {
            drop(self.serve(permits));
        }
    }

    /// Serves the first waiter for as long as there are enough permits.
    #[cold]
    #[inline(never)]
    fn serve<'a>(&'a self, mut permits: Guard<'a, Permits>) -> Guard<'a, Permits> {
        loop {
            let free = permits.free;
            let Some(node) = permits.queue.pop_if(|&n| n <= free, |_| ()) else { return permits };
            let n = node.extra;
            let handle = node.fire(Fired::Done);
            permits.free -= n;
            drop(permits);
            handle.wake();
            permits = self.0.lock();
        }
    }

    /// Takes `n` permits unless somebody waits who can still come back.
    #[inline]
    fn take_now(&self, n: usize) -> bool {
        let mut permits = self.0.lock();
        if permits.take(n) {
            return true;
        }
        // The first waiter may have been abandoned by its runtime, which nobody has told us; those behind it come
        // before us.
        !permits.queue.is_empty() && self.serve(permits).take(n)
    }

    #[must_use]
    #[track_caller]
    #[inline]
    fn take(&self, n: usize, deadline: Option<Instant>) -> bool {
        self.take_now(n) || self.wait_for(n, deadline)
    }

    #[track_caller]
    fn wait_for(&self, n: usize, deadline: Option<Instant>) -> bool {
        let caller = Caller::enter("Semaphore::acquire");
        let mut mode = WaitMode::new(WaitReason::Semaphore, deadline);
        loop {
            let mut permits = self.0.lock();
            if permits.take(n) {
                return true;
            }
            let waiter = Waiter::alone();
            let node = Node::new(&waiter, 0, n);
            // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
            unsafe { permits.queue.push_back(&node) };
            // SAFETY: the node is queued, and the waiter's only one.
            match unsafe { wait(&caller, permits, |permits| &permits.queue, &waiter, &node, mode) } {
                Ok(_) => return true,
                Err(Unfired { wake, guard, .. }) => {
                    // Those behind us may ask for less.
                    drop(self.serve(guard));
                    if wake != Wake::Closing {
                        return false;
                    }
                    mode = mode.retry_after_closing();
                }
            }
        }
    }
}

#[cold]
#[track_caller]
fn too_many(n: usize) -> ! {
    panic!("Semaphore::add_permits({n}): more permits than a usize counts");
}

impl Permits {
    /// Takes `n` permits, unless somebody waits.
    #[inline]
    fn take(&mut self, n: usize) -> bool {
        let may = self.queue.is_empty() && n <= self.free;
        if may {
            self.free -= n;
        }
        may
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("available", &self.available()).finish_non_exhaustive()
    }
}

/// Permits of a [`Semaphore`], given back when this is dropped. Dropping never suspends.
///
/// Shown at [`Semaphore`] and [`Semaphore::acquire_many`].
#[must_use = "the permits last as long as this"]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    n: usize,
}

impl Permit<'_> {
    /// The number of permits. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    pub fn count(&self) -> usize {
        self.n
    }

    /// Uses the permits up: they are not given back. Never suspends.
    ///
    /// Shown at [`Semaphore::add_permits`].
    #[inline]
    pub fn forget(self) {
        let _ = ManuallyDrop::new(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        let mut permits = self.semaphore.0.lock();
        // This overflows only after absurd calls of `add_permits`, since the permits were taken out of this number.
        permits.free = permits.free.saturating_add(self.n);
        self.semaphore.serve_any(permits);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.n).finish_non_exhaustive()
    }
}
