//! `SpinLock`: the lock of a few instructions, taken with one locked instruction and given back with none.
//!
//! For critical sections that are shorter than a trip into the kernel: cutting a list, linking one in. The content is
//! reached by a closure only, so no guard can be kept over a context switch, and what runs under the lock is one
//! expression to read.
//!
//! ```text
//!  free --compare-and-swap, Acquire--> held --store(false), Release--> free
//! ```

use crate::ground::sync::{AtomicBool, UnsafeCell, spin_loop, thread};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How often a waiter looks before it lets the holder's thread have the CPU. A critical section is some 20 to 200 ns
/// and a PAUSE up to 60 ns, so past this the holder has lost its CPU and further looks only keep it from coming back.
const LOOKS: u32 = 32;

/// A value under a test-and-test-and-set lock. Not fair, not reentrant, never poisoned.
#[derive(Debug)]
pub struct SpinLock<T> {
    held: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached only by the one thread that holds the lock, so sharing the lock amounts to sending
// the value from holder to holder.
unsafe impl<T: Send> Sync for SpinLock<T> {}

/// Gives the lock back, after an unwind too.
struct Held<'a>(&'a AtomicBool);

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDER: spin-lock. Pairs with the compare-and-swap in `acquire`: the next holder sees all that this one did.
        self.0.store(false, Release);
    }
}

impl<T> SpinLock<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Self {
        Self { held: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    /// Runs `critical` while no other thread can, and returns what it returns. Calling the same lock from inside
    /// waits for ever; keep the closure to a few instructions.
    #[inline]
    pub fn with<R>(&self, critical: impl FnOnce(&mut T) -> R) -> R {
        let _held = self.acquire();
        // SAFETY: the lock is held until `_held` goes, and whoever holds it is alone with the value.
        self.value.with_mut(|value| critical(unsafe { &mut *value }))
    }

    #[inline]
    fn acquire(&self) -> Held<'_> {
        // ORDER: spin-lock. Pairs with the store in `Held::drop`.
        if self.held.compare_exchange(false, true, Acquire, Relaxed).is_err() {
            self.wait();
        }
        Held(&self.held)
    }

    #[cold]
    #[inline(never)]
    fn wait(&self) {
        let mut looks = 0;
        loop {
            self.look_until_free(&mut looks);
            // ORDER: spin-lock, as in `acquire`.
            if self.held.compare_exchange(false, true, Acquire, Relaxed).is_ok() {
                return;
            }
        }
    }
}

impl<T> SpinLock<T> {
    /// Waits until the lock has been seen free. Looking with a plain load leaves the cache line with its holder; the
    /// value orders nothing.
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
        thread::yield_now();
    }
}

impl<T: Default> Default for SpinLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn counts_of_four_threads_add_up() {
        let count = SpinLock::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|_| count.with(|count| *count += 1)));
            }
        });
        assert_eq!(count.with(|count| *count), 80_000);
    }

    #[test]
    fn an_unwind_gives_the_lock_back() {
        let lock = SpinLock::new(1);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lock.with(|_| std::panic::resume_unwind(Box::new("stop")));
        }));
        assert!(unwound.is_err());
        assert_eq!(lock.with(|value| *value), 1);
    }
}
