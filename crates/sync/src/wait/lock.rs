//! `Lock`: a spin lock that a goroutine may hold while it leaves its stack, to be given back on the other side.
//!
//! ```text
//!  free --compare-and-swap, Acquire--> held --store(false), Release--> free
//! ```
//!
//! It protects queues of waiters and a few words beside them; a critical section moves a value or links a node, and
//! never runs code of the caller's. A goroutine that parks under the lock gives it back from the park's commit, which is
//! what makes "queued" and "off its stack" one step for everybody else. Go: the channel's and the semaphore root's
//! `mutex`, given back by `gopark`'s unlock function.

use crate::seam::{AtomicBool, spin_loop, thread};
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How often a waiter looks before it lets the holder's thread have the CPU: past this the holder has lost it.
#[cfg(not(loom))]
const LOOKS: u32 = 64;

/// A test-and-test-and-set lock without a value: what a select orders and takes, of channels of any type.
#[derive(Default)]
pub(crate) struct RawLock {
    held: AtomicBool,
    /// What loom watches in place of the values, which it cannot see.
    #[cfg(loom)]
    watched: loom::cell::UnsafeCell<()>,
}

impl RawLock {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self { held: AtomicBool::new(false) }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self { held: AtomicBool::new(false), watched: loom::cell::UnsafeCell::new(()) }
    }

    /// Takes the lock.
    #[inline]
    pub(crate) fn lock(&self) {
        if !self.try_lock() {
            self.wait();
        }
    }

    /// Takes the lock if it is free.
    #[inline]
    pub(crate) fn try_lock(&self) -> bool {
        // ORDER: lock. Pairs with the store in `unlock`: the next holder sees all that this one did.
        let taken = self.held.compare_exchange(false, true, Acquire, Relaxed).is_ok();
        #[cfg(loom)]
        if taken {
            self.watched.with_mut(|_| ());
        }
        taken
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        let mut looks = 0;
        loop {
            self.look_until_free(&mut looks);
            if self.try_lock() {
                return;
            }
        }
    }

    /// Looks with plain loads, which leave the cache line with its holder.
    #[cfg(not(loom))]
    fn look_until_free(&self, looks: &mut u32) {
        while self.held.load(Relaxed) {
            *looks += 1;
            if looks.is_multiple_of(LOOKS) { thread::yield_now() } else { spin_loop() }
        }
    }

    /// A model may give a plain load the old value for ever: one look is worth as much as any, and the others run.
    #[cfg(loom)]
    fn look_until_free(&self, _looks: &mut u32) {
        spin_loop();
        thread::yield_now();
    }

    /// Gives the lock back.
    ///
    /// # Safety
    /// The caller took the held lock, or was handed it, once.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        #[cfg(loom)]
        self.watched.with_mut(|_| ());
        // ORDER: lock. Pairs with the compare-and-swap in `try_lock`.
        self.held.store(false, Release);
    }
}

/// A value under a lock.
#[derive(Default)]
pub(crate) struct Lock<S> {
    raw: RawLock,
    value: UnsafeCell<S>,
}

// SAFETY: the value is reached only by the holder of the lock, so sharing the lock amounts to sending the value from
// holder to holder.
unsafe impl<S: Send> Sync for Lock<S> {}

impl<S> Lock<S> {
    #[cfg(not(loom))]
    pub(crate) const fn new(value: S) -> Self {
        Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    #[cfg(loom)]
    pub(crate) fn new(value: S) -> Self {
        Self { raw: RawLock::new(), value: UnsafeCell::new(value) }
    }

    /// Takes the lock.
    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, S> {
        self.raw.lock();
        Guard { lock: self }
    }

    /// The lock without its value.
    #[inline]
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// The value, for whoever holds the lock.
    #[inline]
    pub(crate) fn value(&self) -> *mut S {
        self.value.get()
    }

    /// Gives back a lock whose guard was left by [`Guard::keep`].
    ///
    /// # Safety
    /// The caller was handed the held lock, once.
    #[inline]
    pub(crate) unsafe fn unlock(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.raw.unlock() };
    }

    /// The value, of a lock that nobody else can reach.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        self.value.get_mut()
    }
}

/// The held lock.
pub(crate) struct Guard<'a, S> {
    lock: &'a Lock<S>,
}

impl<'a, S> Guard<'a, S> {
    /// Keeps the lock held; whoever is given the result calls [`Lock::unlock`] once.
    #[inline]
    pub(crate) fn keep(self) -> &'a Lock<S> {
        let lock = self.lock;
        core::mem::forget(self);
        lock
    }
}

impl<S> Deref for Guard<'_, S> {
    type Target = S;

    #[inline]
    fn deref(&self) -> &S {
        // SAFETY: the lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<S> DerefMut for Guard<'_, S> {
    #[inline]
    fn deref_mut(&mut self) -> &mut S {
        // SAFETY: the lock is held, and the guard is borrowed for as long.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<S> Drop for Guard<'_, S> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the guard is the held lock, and it goes.
        unsafe { self.lock.unlock() };
    }
}
