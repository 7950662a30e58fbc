//! `Ticker`: a channel on which the time comes at regular intervals.

use super::channel_timer::ChannelTimer;
use crate::channel::{Receiver, never};
use crate::seam::step_aside;
use core::fmt;
use std::time::{Duration, Instant};

/// Sends the time on its channel at regular intervals. Dropping it stops it, unless somebody has a clone of the
/// channel.
///
/// A tick is left out if the one before it has not been received yet, and so are ticks that were missed because
/// nobody could run the timer; the others stay at multiples of the period.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::time::Ticker;
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let ticker = Ticker::new(Duration::from_millis(2));
///     let first = ticker.tick();
///     assert!(ticker.tick() - first >= Duration::from_millis(2));
///     ticker.stop();
/// }).unwrap();
/// ```
pub struct Ticker(ChannelTimer);

impl Ticker {
    /// A ticker that goes off after `period` for the first time. Never suspends.
    ///
    /// Shown at [`Ticker`].
    ///
    /// # Panics
    /// If the period is zero; outside a goroutine.
    #[doc(alias = "NewTicker")]
    #[track_caller]
    pub fn new(period: Duration) -> Self {
        assert!(!period.is_zero(), "gmp::time::Ticker::new: the period must not be zero");
        Self(ChannelTimer::start(period, period))
    }

    /// The channel on which the time comes. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::time::{Ticker, after};
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let (ticker, end) = (Ticker::new(Duration::from_millis(1)), after(Duration::from_secs(60)));
    ///     for _ in 0..3 {
    ///         gmp::select! {
    ///             recv(ticker.channel()) -> at => assert!(at.is_ok()),
    ///             recv(end) -> _ => panic!("a minute is over"),
    ///         }
    ///     }
    /// }).unwrap();
    /// ```
    #[doc(alias = "C")]
    pub fn channel(&self) -> &Receiver<Instant> {
        &self.0.receiver
    }

    /// Waits for the next tick, and returns the moment at which it was due. **Suspends**, for ever if the ticker is
    /// stopped.
    ///
    /// If the channel was closed by a receiver it returns at once.
    ///
    /// Shown at [`Ticker`].
    #[track_caller]
    pub fn tick(&self) -> Instant {
        self.0.receiver.recv().unwrap_or_else(|_| Instant::now())
    }

    /// Starts the ticker anew: the next tick comes after `period`, and then one every `period`. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::time::Ticker;
    /// use std::time::{Duration, Instant};
    ///
    /// runtime.run(|| {
    ///     let ticker = Ticker::new(Duration::from_secs(3600));
    ///     let start = Instant::now();
    ///     ticker.reset(Duration::from_millis(1));
    ///     assert!(ticker.tick() >= start + Duration::from_millis(1));
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// The same as for [`Ticker::new`].
    #[doc(alias = "Reset")]
    #[track_caller]
    pub fn reset(&self, period: Duration) {
        assert!(!period.is_zero(), "gmp::time::Ticker::reset: the period must not be zero");
        self.0.reset(period, period);
    }

    /// Stops the ticker: no tick is received from now on, not even one that is already due. The channel is not
    /// closed. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// use gmp::time::Ticker;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let ticker = Ticker::new(Duration::from_millis(1));
    ///     ticker.stop();
    ///     assert!(ticker.channel().recv_timeout(Duration::from_millis(5)).is_err());
    /// }).unwrap();
    /// ```
    #[doc(alias = "Stop")]
    pub fn stop(&self) {
        step_aside();
        self.0.stop();
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

/// The channel of a ticker that lasts as long as the channel has receivers; for a period of zero nothing ever comes.
/// Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::time::tick;
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (ticks, mut count) = (tick(Duration::from_millis(1)), 0);
///     for _at in ticks.iter().take(3) {
///         count += 1;
///     }
///     assert_eq!(count, 3);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, unless the period is zero.
#[doc(alias = "Tick")]
#[track_caller]
pub fn tick(period: Duration) -> Receiver<Instant> {
    if period.is_zero() { never() } else { ChannelTimer::start(period, period).receiver }
}
