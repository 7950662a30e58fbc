//! `Semaphore` and its permits.

mod raw;

use crate::seam::{const_fn, give_way, step_aside};
use crate::wait::must_have;
use core::fmt;
use core::mem::ManuallyDrop;
use gmp_core::foreign;
use raw::RawSemaphore;
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
pub struct Semaphore(RawSemaphore);

impl Semaphore {
    /// The most permits that may be free at a time: a quarter of what a `usize` counts.
    pub const MAX_PERMITS: usize = raw::MOST;

    const_fn! {
        /// A semaphore with this many permits. Never suspends.
        ///
        /// # Panics
        /// If there are more than [`Semaphore::MAX_PERMITS`].
        pub const fn new(permits: usize) -> Self {
            assert!(permits <= Self::MAX_PERMITS, "Semaphore::new: more permits than Semaphore::MAX_PERMITS");
            Self(RawSemaphore::new(permits))
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
        must_have(self.0.take(n, None));
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
        self.0.take_now(n).then(|| Permit { semaphore: self, n })
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
        self.0.take(n, deadline).then(|| Permit { semaphore: self, n })
    }

    /// How many permits are free now. Never suspends.
    ///
    /// Shown at [`Semaphore::acquire_many`].
    pub fn available(&self) -> usize {
        step_aside();
        foreign::refuse("sync");
        self.0.available()
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
    /// If more than [`Semaphore::MAX_PERMITS`] would be free.
    #[doc(alias = "Release")]
    #[track_caller]
    #[inline]
    pub fn add_permits(&self, n: usize) {
        step_aside();
        foreign::refuse("sync");
        if !self.0.add(n) {
            too_many(n);
        }
    }

    /// Whether nobody waits, by its own account.
    #[cfg(all(test, loom))]
    pub(super) fn is_idle(&self) -> bool {
        self.0.is_idle()
    }
}

#[cold]
#[track_caller]
fn too_many(n: usize) -> ! {
    let most = Semaphore::MAX_PERMITS;
    panic!("Semaphore::add_permits({n}): at most {most} permits are free at a time (Semaphore::MAX_PERMITS)");
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
        foreign::refuse("sync");
        // The permits were taken out of this number, so only absurd calls of `add_permits` leave no room for them, and then
        // they are lost.
        self.semaphore.0.give_back(self.n);
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("count", &self.n).finish_non_exhaustive()
    }
}
