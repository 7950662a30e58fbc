//! How the programs start coroutines.

use crate::cell::Result;
use may::coroutine::{self, JoinHandle};

pub(super) fn go<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: what these coroutines run holds no borrow of a thread-local over a suspension, and needs no more stack
    // than may gives by default. `maps`, which reads a file, does so on the thread outside.
    unsafe { coroutine::spawn(f) }
}

/// Runs `main` as a coroutine.
pub(super) fn enter<T: Send + 'static>(main: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    go(main).join().map_err(|_| "a coroutine panicked".into())
}
