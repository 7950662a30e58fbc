//! The guards of a [`RwLock`].

use super::RwLock;
use crate::sync::mutex::yield_to_heir;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};

/// A [`RwLock`] held for reading. Dropping it lets go, and never suspends. Not `Send`, as told at
/// [`MutexGuard`](crate::sync::MutexGuard).
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
    /// The lock is held for reading.
    #[inline]
    pub(super) fn of(lock: &'a RwLock<T>) -> Self {
        Self { lock, not_send: PhantomData }
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
    #[doc(alias = "RUnlock")]
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the lock held for reading, and goes here.
        unsafe { self.lock.raw.end_read() };
    }
}

/// A [`RwLock`] held for writing. Dropping it lets go, and never suspends. Not `Send`, as told at
/// [`MutexGuard`](crate::sync::MutexGuard).
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
    /// The lock is held for writing.
    #[inline]
    pub(super) fn of(lock: &'a RwLock<T>) -> Self {
        Self { lock, not_send: PhantomData }
    }

    /// Lets go. If writers queue in their mutex's fair mode, lets the next of them run at once, as Go does, in what is
    /// left of this time slice. **Suspends** in that case only.
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
            yield_to_heir();
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
