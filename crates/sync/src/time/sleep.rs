//! Sleeping until a given moment, and in async code.

use super::channel_timer::ChannelTimer;
use crate::channel::Receiving;
use crate::seam::{give_way, step_aside};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use gmp_core::park::Place;
use std::time::{Duration, Instant};

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
    give_way();
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

/// A future that ends after `duration`, counted from this call. Never suspends.
///
/// The caller's runtime keeps the timer, on whatever executor the future is awaited: if the runtime closes first, nobody
/// wakes the future. Dropping the future stops the timer.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::time::{Duration, Instant};
///
/// runtime.run(|| {
///     let begun = Instant::now();
///     gmp::block_on(async {
///         let (one, other) = (Duration::from_millis(2), Duration::from_millis(3));
///         let (one, other) = (gmp::time::sleep_async(one), gmp::time::sleep_async(other));
///         one.await;
///         other.await;
///     });
///     assert!(begun.elapsed() >= Duration::from_millis(3));
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn sleep_async(duration: Duration) -> Sleep {
    Sleep { timer: ChannelTimer::start(duration, Duration::ZERO), receiving: Receiving::new(), over: false }
}

/// A sleep, awaited. Made by [`sleep_async`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Sleep {
    timer: ChannelTimer,
    receiving: Receiving<Instant>,
    over: bool,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        step_aside();
        let this = &mut *self;
        // It stays over when it is polled again.
        this.over = this.over || this.receiving.poll(this.timer.receiver.chan(), context.waker()).is_ready();
        if this.over { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // If the time has come meanwhile, nobody is there to get it.
        self.receiving.cancel(self.timer.receiver.chan());
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("over", &self.over).finish_non_exhaustive()
    }
}
