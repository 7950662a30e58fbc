//! `RwLock` and its guards.

mod raw;

pub(crate) use raw::RawRwLock;

use super::mutex::yield_to_new_owner;
use crate::seam::{const_fn, give_way, step_aside};
use crate::wait::must_have;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use std::time::{Duration, Instant};

/// A lock around a value that many may read at once or one may write, for goroutines and for plain threads.
///
/// As in Go, a writer that waits keeps new readers out, and when it is done, all readers that waited meanwhile come
/// before the next writer; so neither side starves. Therefore a goroutine that holds the lock for reading and asks to
/// read again may wait for ever, if a writer came in between. There is no poisoning.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::RwLock;
///
/// static NAMES: RwLock<Vec<&str>> = RwLock::new(Vec::new());
///
/// runtime.run(|| {
///     gmp::go(|| NAMES.write().push("gopher")).join().unwrap();
///     let (one, other) = (NAMES.read(), NAMES.read());
///     assert_eq!(*one, *other);
/// }).unwrap();
/// ```
#[doc(alias = "sync.RWMutex")]
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    value: UnsafeCell<T>,
}

// SAFETY: readers share references, which `T: Sync` allows; a writer has the value to itself, which amounts to sending
// it.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}
// SAFETY: as for the value.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}

impl<T> RwLock<T> {
    const_fn! {
        /// A free lock around `value`. Never suspends.
        pub const fn new(value: T) -> Self {
            Self { raw: RawRwLock::new(), value: UnsafeCell::new(value) }
        }
    }

    /// The value. Never suspends.
    ///
    /// ```
    /// assert_eq!(gmp::sync::RwLock::from(7).into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Takes the lock for reading, waiting while somebody writes or waits to write. **Suspends.**
    ///
    /// If the runtime closes meanwhile, it ends as [`Mutex::lock`](super::Mutex::lock) does.
    ///
    /// Shown at [`RwLock`].
    ///
    /// # Panics
    /// Where nobody may wait: in a policy, an event sink or a call on the system stack; and at 1,073,741,824 readers.
    #[doc(alias = "RLock")]
    #[track_caller]
    #[inline]
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        give_way();
        must_have(self.raw.read(None));
        RwLockReadGuard::of(self)
    }

    /// Takes the lock for reading, if nobody writes or waits to write. Never suspends.
    ///
    /// ```
    /// let names = gmp::sync::RwLock::new(vec!["gopher"]);
    /// let reader = names.read();
    /// assert_eq!(names.try_read().unwrap().len(), 1);
    /// drop(reader);
    /// let _writer = names.write();
    /// assert!(names.try_read().is_none());
    /// ```
    #[doc(alias = "TryRLock")]
    #[inline]
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        step_aside();
        self.raw.try_read().then(|| RwLockReadGuard::of(self))
    }

    /// Like [`RwLock::read`], but waits for at most `timeout`, and returns `None` if that was not enough. **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let names = gmp::sync::RwLock::new(vec!["gopher"]);
    /// let _writer = names.write();
    /// assert!(names.read_timeout(Duration::from_millis(1)).is_none());
    /// ```
    ///
    /// # Panics
    /// The same as for [`RwLock::read`].
    #[track_caller]
    pub fn read_timeout(&self, timeout: Duration) -> Option<RwLockReadGuard<'_, T>> {
        give_way();
        self.raw.read(crate::seam::after_now(timeout)).then(|| RwLockReadGuard::of(self))
    }

    /// Like [`RwLock::read`], but waits until `deadline` at most, and returns `None` if that was not enough.
    /// **Suspends.**
    ///
    /// As shown at [`RwLock::read_timeout`].
    ///
    /// # Panics
    /// The same as for [`RwLock::read`].
    #[track_caller]
    pub fn read_deadline(&self, deadline: Instant) -> Option<RwLockReadGuard<'_, T>> {
        give_way();
        self.raw.read(Some(deadline)).then(|| RwLockReadGuard::of(self))
    }

    /// Takes the lock for writing, waiting until nobody else has it. **Suspends.**
    ///
    /// If the runtime closes meanwhile, it ends as [`Mutex::lock`](super::Mutex::lock) does.
    ///
    /// Shown at [`RwLock`].
    ///
    /// # Panics
    /// The same as for [`RwLock::read`].
    #[doc(alias = "Lock")]
    #[track_caller]
    #[inline]
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        give_way();
        must_have(self.raw.write(None));
        RwLockWriteGuard::of(self)
    }

    /// Takes the lock for writing, if nobody has it. Never suspends.
    ///
    /// ```
    /// let names = gmp::sync::RwLock::new(vec!["gopher"]);
    /// let reader = names.read();
    /// assert!(names.try_write().is_none());
    /// drop(reader);
    /// names.try_write().unwrap().push("ferris");
    /// assert_eq!(*names.read(), ["gopher", "ferris"]);
    /// ```
    #[doc(alias = "TryLock")]
    #[inline]
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        step_aside();
        self.raw.try_write().then(|| RwLockWriteGuard::of(self))
    }

    /// Like [`RwLock::write`], but waits for at most `timeout`. If that was not enough it returns `None`, and readers
    /// that waited behind it go on. **Suspends.**
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let names = gmp::sync::RwLock::new(vec!["gopher"]);
    /// let _reader = names.read();
    /// assert!(names.write_timeout(Duration::from_millis(1)).is_none());
    /// assert!(names.try_read().is_some());
    /// ```
    ///
    /// # Panics
    /// The same as for [`RwLock::read`].
    #[track_caller]
    pub fn write_timeout(&self, timeout: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        give_way();
        self.raw.write(crate::seam::after_now(timeout)).then(|| RwLockWriteGuard::of(self))
    }

    /// Like [`RwLock::write_timeout`], but with the moment at which it gives up. **Suspends.**
    ///
    /// As shown at [`RwLock::write_timeout`].
    ///
    /// # Panics
    /// The same as for [`RwLock::read`].
    #[track_caller]
    pub fn write_deadline(&self, deadline: Instant) -> Option<RwLockWriteGuard<'_, T>> {
        give_way();
        self.raw.write(Some(deadline)).then(|| RwLockWriteGuard::of(self))
    }

    /// The value, which nobody else can reach. Never suspends.
    ///
    /// ```
    /// let mut total = gmp::sync::RwLock::new(1);
    /// *total.get_mut() += 1;
    /// assert_eq!(total.into_inner(), 2);
    /// ```
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RwLock");
        match self.try_read() {
            Some(guard) => debug.field("value", &&*guard),
            None => debug.field("value", &format_args!("<locked>")),
        };
        debug.finish()
    }
}

/// A [`RwLock`] held for reading. Dropping it releases the lock and never suspends. It is not `Send`, for the reasons
/// given at [`MutexGuard`](crate::sync::MutexGuard).
///
/// ```
/// let names = gmp::sync::RwLock::new(vec!["gopher"]);
/// let (one, other) = (names.read(), names.read());
/// assert_eq!(one.len(), other.len());
/// ```
#[must_use = "the lock lasts as long as the guard"]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared references to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// A guard for the lock, which the caller has just taken for reading.
    #[inline]
    fn of(lock: &'a RwLock<T>) -> Self {
        Self { lock, not_send: PhantomData }
    }

    /// Releases the lock, as dropping the guard does. If a writer waited for this last reader, it has the lock from
    /// then on. Never suspends.
    ///
    /// ```
    /// let names = gmp::sync::RwLock::new(vec!["gopher"]);
    /// let guard = names.read();
    /// assert!(names.try_write().is_none());
    /// guard.unlock();
    /// assert!(names.try_write().is_some());
    /// ```
    #[doc(alias = "RUnlock")]
    #[inline]
    pub fn unlock(self) {
        drop(self);
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for reading, so nobody writes.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the lock held for reading, and goes here.
        unsafe { self.lock.raw.end_read() };
    }
}

/// A [`RwLock`] held for writing. Dropping it releases the lock and never suspends. It is not `Send`, for the reasons
/// given at [`MutexGuard`](crate::sync::MutexGuard).
///
/// ```
/// let names = gmp::sync::RwLock::new(Vec::new());
/// let mut guard = names.write();
/// guard.push("gopher");
/// drop(guard);
/// assert_eq!(*names.read(), ["gopher"]);
/// ```
#[must_use = "the lock lasts as long as the guard"]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    lock: &'a RwLock<T>,
    not_send: PhantomData<*mut ()>,
}

// SAFETY: a shared guard gives shared references to the value, no more.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// A guard for the lock, which the caller has just taken for writing.
    #[inline]
    fn of(lock: &'a RwLock<T>) -> Self {
        Self { lock, not_send: PhantomData }
    }

    /// Releases the lock. If writers queue in the fair mode of their mutex, this lets the next of them run at once,
    /// as Go does, in what is left of this time slice. **Suspends** in that case only.
    ///
    /// ```
    /// let names = gmp::sync::RwLock::new(Vec::new());
    /// let mut guard = names.write();
    /// guard.push("gopher");
    /// guard.unlock();
    /// assert_eq!(names.into_inner(), ["gopher"]);
    /// ```
    #[doc(alias = "Unlock")]
    pub fn unlock(self) {
        let guard = ManuallyDrop::new(self);
        // SAFETY: the guard is the lock held for writing, and goes here.
        if unsafe { guard.lock.raw.end_write() } {
            yield_to_new_owner();
        }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the lock is held for writing.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held for writing, and the guard is borrowed for as long.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the lock held for writing, and goes here.
        unsafe { self.lock.raw.end_write() };
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
