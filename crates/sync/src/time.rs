//! Sleeping, timers and tickers.
//!
//! | to | use | Go |
//! | --- | --- | --- |
//! | wait | [`sleep_until`], or `sleep` | `Sleep` |
//! | have a case for time in a select | [`after`] | `After` |
//! | the same, to be stopped or moved | [`Timer::new`], [`Timer::channel`] | `NewTimer`, `C` |
//! | run a function later | [`after_func`] | `AfterFunc` |
//! | do something again and again | [`Ticker`], [`tick`] | `NewTicker`, `Tick` |
//!
//! A timer's channel is as if it had no buffer: its length and capacity are 0, and after a stop or a reset nothing comes
//! of what was before, as in Go since 1.23. Timers lie on the Ps of the runtime in which they were set last, and go off
//! there; plain threads may stop them and receive from them, but not set them. A timer that nobody can receive from any
//! more is stopped.

mod func;
mod ticker;
mod timed;
mod timer;

pub use func::after_func;
pub use ticker::{Ticker, tick};
pub use timer::{Timer, after};

use gmp_core::park::Place;
use std::time::Instant;

/// Sleeps until `at`; returns at once if that is past. A plain thread sleeps itself. **Suspends.**
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::time::{Duration, Instant};
///
/// runtime.run(|| {
///     let at = Instant::now() + Duration::from_millis(2);
///     gmp::time::sleep_until(at);
///     assert!(Instant::now() >= at);
/// }).unwrap();
/// ```
///
/// # Panics
/// In a policy, an event sink or a call on the system stack.
#[doc(alias = "Sleep")]
#[track_caller]
pub fn sleep_until(at: Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return;
    }
    match Place::enter("time::sleep_until") {
        Place::Plain => std::thread::sleep(left),
        Place::Goroutine(goroutine) => {
            drop(goroutine);
            gmp_core::goroutine::unwind_if_closing(gmp_core::park::sleep(left));
        }
    }
}
