//! The seam between the protocols and the machine: atomics and threads, or loom's models of them.

#[cfg(loom)]
pub(crate) use loom::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

#[cfg(not(loom))]
pub(crate) use gmp_core::{give_way, step_aside};
use std::time::{Duration, Instant};

/// [`give_way`] for what may wait, [`step_aside`] for what may not.
#[inline]
pub(crate) fn begin(may_wait: bool) {
    if may_wait { give_way() } else { step_aside() }
}

/// It does nothing: a model's threads have no time slices.
#[cfg(loom)]
pub(crate) fn give_way() {}

/// It does nothing, as [`give_way`].
#[cfg(loom)]
pub(crate) fn step_aside() {}

/// The moment that is `timeout` later than now; `None` if the clock does not reach that far.
pub(crate) fn after_now(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

/// Reads an atomic that only the holder of a lock changes, under that lock. A model reads it without an atomic load,
/// which would hide from loom's scheduler who has looked at it without the lock before.
macro_rules! own {
    ($atomic:expr) => {{
        #[cfg(loom)]
        // SAFETY: the lock is held, or loom says that it is not.
        let value = unsafe { $atomic.unsync_load() };
        #[cfg(not(loom))]
        let value = $atomic.load(core::sync::atomic::Ordering::Relaxed);
        value
    }};
}
pub(crate) use own;

/// A function that is `const`, except under loom, whose atomics are made at run time.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $name:ident($($arg:ident: $type:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])*
        #[cfg(not(loom))]
        $vis const fn $name($($arg: $type),*) -> $ret $body
        $(#[$attr])*
        #[cfg(loom)]
        $vis fn $name($($arg: $type),*) -> $ret $body
    };
}
pub(crate) use const_fn;

/// A random word, from a generator that belongs to this thread.
///
/// It is never inlined: its caller may come back from a sleep on another thread, and must not remember where this
/// thread's generator is.
#[cfg(not(loom))]
#[inline(never)]
pub(crate) fn random() -> u64 {
    std::thread_local! { static STEPS: core::cell::Cell<u64> = const { core::cell::Cell::new(0) } }
    STEPS.with(|steps| {
        // Two constants of wyrand (Wang Yi, version 4.2). Threads and processes differ by the address of `steps`.
        let step = steps.get().wrapping_add(0x2d35_8dcc_aa6c_78a5);
        steps.set(step);
        let seeded = step ^ core::ptr::from_ref(steps).addr() as u64;
        let wide = u128::from(seeded) * u128::from(seeded ^ 0x8bb8_4b93_962e_acc9);
        (wide >> 64) as u64 ^ wide as u64
    })
}

/// In a model the word is set by the model, so that it can explore every order.
#[cfg(loom)]
pub(crate) fn random() -> u64 {
    RANDOM.load(std::sync::atomic::Ordering::Relaxed)
}

/// What [`random`] gives in a model.
#[cfg(loom)]
pub(crate) static RANDOM: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// A model's thread that can be woken. loom's own park is not used: a wake-up that comes late could end a later join
/// of the same thread, which loom reports as an error.
#[cfg(loom)]
#[derive(Clone)]
pub(crate) struct Thread(std::sync::Arc<(loom::sync::Mutex<()>, loom::sync::Condvar)>);

/// The calling thread, for one wait.
#[cfg(loom)]
pub(crate) fn this_thread() -> Thread {
    Thread(std::sync::Arc::new((loom::sync::Mutex::new(()), loom::sync::Condvar::new())))
}

#[cfg(loom)]
impl Thread {
    pub(crate) fn park_until(&self, over: impl Fn() -> bool) {
        let mut parked = self.0.0.lock().unwrap();
        while !over() {
            parked = self.0.1.wait(parked).unwrap();
        }
    }

    pub(crate) fn unpark(self) {
        drop(self.0.0.lock().unwrap());
        self.0.1.notify_one();
    }
}
