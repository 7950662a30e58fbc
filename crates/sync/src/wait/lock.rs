//! `Lock`: a value under a [`RawLock`], which a goroutine may hold while it leaves its stack.

use super::raw::{Me, RawLock, TakenBy};
use crate::seam::const_fn;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::panic::{RefUnwindSafe, UnwindSafe};

/// A value under a lock.
#[repr(C)]
pub(crate) struct Lock<S> {
    raw: RawLock,
    value: UnsafeCell<S>,
}

// SAFETY: the value is reached only by the holder of the lock, so sharing the lock amounts to sending the value from
// holder to holder.
unsafe impl<S: Send> Sync for Lock<S> {}

// No user's code runs in a critical section, so none can unwind out of it and leave the value half changed.
impl<S> UnwindSafe for Lock<S> {}
impl<S> RefUnwindSafe for Lock<S> {}

impl<S> Lock<S> {
    const_fn! {
        /// A plain lock.
        pub(crate) const fn new(value: S) -> Self {
            Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
        }
    }

    /// A lock biased to the caller's runtime, if the caller holds the only P of one.
    pub(crate) fn biased(value: S) -> Self {
        Self { raw: RawLock::biased(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock. Foreign code is refused before it does.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, S> {
        gmp_core::foreign::refuse("sync");
        self.lock_as(&mut Me::default())
    }

    /// [`Lock::lock`] by a caller that also asks other things about itself.
    #[inline]
    pub(crate) fn lock_as(&self, me: &mut Me) -> Guard<'_, S> {
        let by = self.raw.lock_as(me);
        Guard(Held { lock: self, by })
    }

    /// The lock without its value.
    #[inline]
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// The value; only the holder of the lock may follow the pointer.
    #[inline]
    pub(crate) fn value(&self) -> *mut S {
        self.value.get()
    }
}

/// A held lock without a guard: it is given back by hand.
pub(crate) struct Held<'a, S> {
    lock: &'a Lock<S>,
    by: TakenBy,
}

impl<S> Clone for Held<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Held<'_, S> {}

impl<'a, S> Held<'a, S> {
    /// The lock.
    pub(crate) fn lock(self) -> &'a Lock<S> {
        self.lock
    }

    /// The lock's address, by which dumps name what it guards.
    #[inline(always)]
    pub(crate) fn address(self) -> usize {
        core::ptr::from_ref(self.lock).addr()
    }

    /// Gives the lock back, and touches nothing after that.
    ///
    /// # Safety
    /// The caller took the lock or was handed this, and gives it back once.
    #[inline]
    pub(crate) unsafe fn unlock(self) {
        // SAFETY: as the caller promises.
        unsafe { self.lock.raw.unlock(self.by) };
    }
}

/// The held lock.
pub(crate) struct Guard<'a, S>(Held<'a, S>);

impl<'a, S> Guard<'a, S> {
    /// Keeps the lock held; whoever is given the result calls [`Held::unlock`] once.
    #[inline]
    pub(crate) fn keep(self) -> Held<'a, S> {
        let held = self.0;
        core::mem::forget(self);
        held
    }
}

impl<S> Deref for Guard<'_, S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        // SAFETY: the lock is held.
        unsafe { &*self.0.lock.value.get() }
    }
}

impl<S> DerefMut for Guard<'_, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        // SAFETY: the lock is held, and the guard is borrowed for as long.
        unsafe { &mut *self.0.lock.value.get() }
    }
}

impl<S> Drop for Guard<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the held lock, and it goes.
        unsafe { self.0.unlock() };
    }
}
