//! `Once`, `OnceCell` and `Lazy`: things that are done once.
//!
//! ```text
//!   not done ── the mutex, f, done: store, Release ──► done      done: load, Acquire: the fast way
//! ```
//!
//! Whoever comes while `f` runs waits at the mutex, so nobody goes on before it is done. Go: `sync.Once` (once.go, Go
//! 1.27).

mod cell;
mod lazy;

pub use cell::OnceCell;
pub use lazy::Lazy;

use super::mutex::Mutex;
use crate::seam::{AtomicBool, const_fn, give_way, step_aside};
use core::fmt;
use core::panic::RefUnwindSafe;
use core::sync::atomic::Ordering::{Acquire, Release};
use gmp_core::WaitReason;

/// Runs a function once.
///
/// ```
/// use gmp::sync::Once;
///
/// static START: Once = Once::new();
///
/// let mut times = 0;
/// START.call_once(|| times += 1);
/// START.call_once(|| times += 1);
/// assert_eq!(times, 1);
/// ```
#[doc(alias = "sync.Once")]
pub struct Once {
    done: AtomicBool,
    running: Mutex<()>,
}

impl Once {
    const_fn! {
        /// A `Once` that has not called a function yet. Never suspends.
        pub const fn new() -> Self {
            Self { done: AtomicBool::new(false), running: Mutex::new(()) }
        }
    }

    /// Calls `f`, unless this `Once` has called a function before; then it waits until that call is over.
    /// **Suspends.**
    ///
    /// A panic in `f` counts as done: the caller gets it, and later callers return at once, as in Go. Calling the same
    /// `Once` from inside `f` waits for ever.
    ///
    /// Shown at [`Once`].
    ///
    /// # Panics
    /// If `f` panics; and where nobody may wait, if somebody else's call is running.
    #[doc(alias = "Do")]
    #[track_caller]
    #[inline]
    pub fn call_once(&self, f: impl FnOnce()) {
        give_way();
        if !self.is_done() {
            self.call_slow(f);
        }
    }

    #[cold]
    #[track_caller]
    fn call_slow(&self, f: impl FnOnce()) {
        /// Marks the `Once` as done, even if the function panics.
        struct Done<'a>(&'a AtomicBool);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                // ORDER: once. Pairs with the load in `is_completed`: whoever sees it done sees what the function
                // did.
                self.0.store(true, Release);
            }
        }
        let running = self.running.lock_for(WaitReason::Once);
        if !self.is_done() {
            let done = Done(&self.done);
            f();
            drop(done);
        }
        drop(running);
    }

    /// Whether a function has been called and has ended. Never suspends.
    ///
    /// ```
    /// let once = gmp::sync::Once::new();
    /// assert!(!once.is_completed());
    /// once.call_once(|| ());
    /// assert!(once.is_completed());
    /// ```
    #[inline]
    pub fn is_completed(&self) -> bool {
        step_aside();
        self.is_done()
    }

    #[inline]
    fn is_done(&self) -> bool {
        // ORDER: once. Pairs with the store in `call_slow`.
        self.done.load(Acquire)
    }
}

// A panic counts as done, and the mutex protects nothing else.
impl RefUnwindSafe for Once {}

impl Default for Once {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("completed", &self.is_done()).finish()
    }
}
