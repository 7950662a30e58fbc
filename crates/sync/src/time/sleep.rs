//! Sleeping until a given moment.

use gmp_core::park::Place;
use std::time::Instant;

/// Sleeps until `at`; returns at once if that is past. A plain thread sleeps itself. **Suspends.**
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
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
    // SAFETY: used up here.
    match unsafe { Place::enter("time::sleep_until") } {
        Place::Plain => std::thread::sleep(left),
        Place::Goroutine(goroutine) => {
            drop(goroutine);
            gmp_core::goroutine::unwind_if_closing(gmp_core::park::sleep(left));
        }
    }
}
