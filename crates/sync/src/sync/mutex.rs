//! `Mutex` and its guard.

mod raw;

pub(crate) use raw::RawMutex;

use crate::seam::{const_fn, give_way, step_aside};
use crate::wait::{WaitMode, must_have};
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use gmp_core::WaitReason;
use gmp_core::park::{Place, Who};
use std::time::{Duration, Instant};

/// A lock around a value, for goroutines and for plain threads.
///
/// Like Go's, it has two modes. In the normal mode whoever runs takes it, and waiters are woken one at a time, in
/// order, to try for it; that is fast. When a waiter has tried in vain for 1 ms, the mutex goes into its fair mode,
/// in which it is handed over in the order of the queue until the waiters have caught up. It is not reentrant, and a
/// panic under it leaves it usable: there is no poisoning.
///
/// Taking it while it is free costs one locked instruction, and releasing it one more.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::Mutex;
///
/// static TOTAL: Mutex<u32> = Mutex::new(0);
///
/// runtime.run(|| {
///     let handles: Vec<_> = (1..=10).map(|n| gmp::go(move || *TOTAL.lock() += n)).collect();
///     handles.into_iter().for_each(|handle| handle.join().unwrap());
///     assert_eq!(*TOTAL.lock(), 55);
/// }).unwrap();
/// ```
#[doc(alias = "sync.Mutex")]
pub struct Mutex<T: ?Sized> {
    raw: RawMutex,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the holder of the lock alone, so sharing the mutex amounts to sending the value from
// holder to holder.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
// SAFETY: as for the value.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    const_fn! {
        /// A free mutex around `value`. Never suspends.
        pub const fn new(value: T) -> Self {
            Self { raw: RawMutex::new(), value: UnsafeCell::new(value) }
        }
    }

    /// The value. Never suspends.
    ///
    /// ```
    /// assert_eq!(gmp::sync::Mutex::from(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Takes the lock, waiting for it if somebody else has it. **Suspends.**
    ///
    /// A goroutine whose runtime closes meanwhile unwinds from here. If it is already unwinding, and this call is in
    /// a destructor, it goes on waiting and keeps its thread. Should the lock never become free, that thread is left
    /// behind, and counted in [`Leftover::running`](gmp_core::Leftover::running).
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::sync::Mutex;
    /// use std::sync::Arc;
    ///
    /// runtime.run(|| {
    ///     let total = Arc::new(Mutex::new(0));
    ///     let theirs = total.clone();
    ///     let adder = gmp::go(move || *theirs.lock() += 1);
    ///     *total.lock() += 2;
    ///     adder.join().unwrap();
    ///     assert_eq!(*total.lock(), 3);
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack.
    #[doc(alias = "Lock")]
    #[track_caller]
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        give_way();
        self.raw.lock();
        MutexGuard::of(self)
    }

    /// Takes the lock if it is free. Never suspends.
    ///
    /// ```
    /// let total = gmp::sync::Mutex::new(1);
    /// let guard = total.try_lock().unwrap();
    /// assert!(total.try_lock().is_none());
    /// drop(guard);
    /// assert!(total.try_lock().is_some());
    /// ```
    #[doc(alias = "TryLock")]
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        step_aside();
        self.raw.try_lock().then(|| MutexGuard::of(self))
    }

    /// Like [`Mutex::lock`], but waits for at most `timeout`, and returns `None` if that was not enough. **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let total = gmp::sync::Mutex::new(1);
    /// let guard = total.lock();
    /// assert!(total.lock_timeout(Duration::from_millis(1)).is_none());
    /// drop(guard);
    /// assert!(total.lock_timeout(Duration::from_millis(1)).is_some());
    /// ```
    ///
    /// # Panics
    /// The same as for [`Mutex::lock`].
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> Option<MutexGuard<'_, T>> {
        self.lock_until(crate::seam::after_now(timeout))
    }

    /// Like [`Mutex::lock`], but waits until `deadline` at most, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// As shown at [`Mutex::lock_timeout`].
    ///
    /// # Panics
    /// The same as for [`Mutex::lock`].
    #[track_caller]
    pub fn lock_deadline(&self, deadline: Instant) -> Option<MutexGuard<'_, T>> {
        self.lock_until(Some(deadline))
    }

    #[track_caller]
    fn lock_until(&self, deadline: Option<Instant>) -> Option<MutexGuard<'_, T>> {
        give_way();
        self.raw.lock_with(WaitMode::new(WaitReason::Mutex, deadline)).then(|| MutexGuard::of(self))
    }

    /// [`Mutex::lock`] for something that is built on a mutex; a deadlock's report names that.
    #[track_caller]
    pub(crate) fn lock_for(&self, reason: WaitReason) -> MutexGuard<'_, T> {
        must_have(self.raw.lock_with(WaitMode::new(reason, None)));
        MutexGuard::of(self)
    }

    /// The value, which nobody else can reach. Never suspends.
    ///
    /// ```
    /// let mut total = gmp::sync::Mutex::new(1);
    /// *total.get_mut() += 1;
    /// assert_eq!(total.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => debug.field("value", &&*guard),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

/// The held lock of a [`Mutex`].
///
/// Dropping it releases the lock and never suspends. If the mutex is in its fair mode, the next waiter owns it from
/// then on, and runs when the scheduler comes to it. [`MutexGuard::unlock`] also yields to that waiter, as Go does.
///
/// A guard goes where its goroutine goes, from thread to thread: nothing in it belongs to a thread. Nevertheless it
/// is not `Send`, as std's is not: Go's order of events has no hand-over of a held lock to another goroutine, and a
/// guard sent into a channel that nobody reads would be a lock that nobody releases.
///
/// ```
/// use gmp::sync::Mutex;
///
/// let names = Mutex::new(vec!["one"]);
/// {
///     let mut guard = names.lock();
///     guard.push("two");
///     assert!(names.try_lock().is_none());
/// }
/// assert_eq!(names.lock().len(), 2);
/// ```
#[must_use = "the lock lasts as long as the guard"]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared references to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// A guard for the lock, which the caller has just taken.
    #[inline]
    fn of(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, not_send: PhantomData }
    }

    /// Releases the lock. If the mutex is in its fair mode, this hands it to the next waiter and lets that goroutine
    /// run at once, in what is left of this time slice. **Suspends** in that case only.
    ///
    /// ```
    /// let total = gmp::sync::Mutex::new(1);
    /// let mut guard = total.lock();
    /// *guard += 1;
    /// guard.unlock();
    /// assert_eq!(total.into_inner(), 2);
    /// ```
    #[doc(alias = "Unlock")]
    #[inline]
    pub fn unlock(self) {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the guard is the held lock, and goes here.
        if unsafe { guard.mutex.raw.unlock() } {
            yield_to_new_owner();
        }
    }

    /// The raw lock, for a condition, which releases it and takes it back while the guard exists.
    pub(crate) fn raw(guard: &Self) -> &'a RawMutex {
        &guard.mutex.raw
    }
}

/// Yields to the goroutine that was just handed a lock, and is the next to run on this P.
#[cold]
pub(crate) fn yield_to_new_owner() {
    // SAFETY: both are used up here.
    if let Some(Place::Goroutine(goroutine)) = unsafe { Place::enter_at_once(Who::calls(), "unlock") } {
        goroutine.yield_local();
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.mutex.value.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held, and the guard is borrowed for as long.
        unsafe { &mut *self.mutex.value.get() }
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the held lock, and goes here.
        unsafe { self.mutex.raw.unlock() };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
