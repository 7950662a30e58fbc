//! `Timer`: something that happens once, later.

use super::func::Func;
use super::timed::Timed;
use crate::channel::Receiver;
use core::fmt;
use std::time::{Duration, Instant};

/// Something that happens once, later: a value on a channel ([`Timer::new`]), or a function that is run
/// ([`after_func`](super::after_func)).
///
/// Dropping it stops neither: a function is run all the same, and a channel of which somebody has a clone delivers.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use gmp::time::Timer;
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let patience = Timer::new(Duration::from_secs(3600));
///     let (answer, answers) = gmp::chan(0);
///     gmp::go(move || answer.send(42));
///     gmp::select! {
///         recv(answers) -> answer => assert_eq!(answer, Ok(42)),
///         recv(patience.channel()) -> _ => panic!("no answer"),
///     }
///     assert!(patience.stop());
///     assert!(!patience.reset(Duration::from_millis(1)));
///     patience.channel().recv().unwrap();
/// }).unwrap();
/// ```
pub struct Timer(Does);

enum Does {
    Sends(Timed),
    Runs(Func),
}

impl Timer {
    /// A timer that sends the time on its channel after `duration`. Never suspends.
    ///
    /// Shown at [`Timer`].
    ///
    /// # Panics
    /// Outside a goroutine.
    #[doc(alias = "NewTimer")]
    #[track_caller]
    pub fn new(duration: Duration) -> Self {
        Self(Does::Sends(Timed::start(duration, Duration::ZERO)))
    }

    pub(super) fn of_func(func: Func) -> Self {
        Self(Does::Runs(func))
    }

    /// Where the time comes: the moment that the timer was set to. Nothing ever comes for a timer that runs a function.
    /// Never suspends.
    ///
    /// Shown at [`Timer`].
    #[doc(alias = "C")]
    pub fn channel(&self) -> &Receiver<Instant> {
        match &self.0 {
            Does::Sends(timed) => &timed.receiver,
            Does::Runs(func) => func.never(),
        }
    }

    /// Stops it, from any thread. `true`: it was still to go off, or its value was still to be received, and neither will
    /// be. `false`: it was stopped, or is over; a function may still be running then, and this does not wait for it. Never
    /// suspends.
    ///
    /// ```
    /// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
    /// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
    /// use gmp::time::Timer;
    /// use std::time::Duration;
    ///
    /// runtime.run(|| {
    ///     let timer = Timer::new(Duration::from_secs(3600));
    ///     assert!(timer.stop());
    ///     assert!(!timer.stop());
    /// }).unwrap();
    /// ```
    #[doc(alias = "Stop")]
    pub fn stop(&self) -> bool {
        match &self.0 {
            Does::Sends(timed) => timed.stop(),
            Does::Runs(func) => func.stop(),
        }
    }

    /// Sets it to go off after `duration` from now, whatever it was set to before; what it answers about that is what
    /// [`Timer::stop`] would. Never suspends.
    ///
    /// A function that has been run is run again, also while it still runs.
    ///
    /// ```
    /// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
    /// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
    /// use gmp::time::Timer;
    /// use std::time::{Duration, Instant};
    ///
    /// runtime.run(|| {
    ///     let timer = Timer::new(Duration::from_secs(3600));
    ///     let start = Instant::now();
    ///     assert!(timer.reset(Duration::from_millis(1)));
    ///     assert!(timer.channel().recv().unwrap() >= start + Duration::from_millis(1));
    /// }).unwrap();
    /// ```
    ///
    /// # Panics
    /// Outside a goroutine.
    #[doc(alias = "Reset")]
    #[track_caller]
    pub fn reset(&self, duration: Duration) -> bool {
        match &self.0 {
            Does::Sends(timed) => timed.reset(duration, Duration::ZERO),
            Does::Runs(func) => func.reset(duration),
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let does = match &self.0 {
            Does::Sends(_) => "sends",
            Does::Runs(_) => "runs",
        };
        f.debug_tuple("Timer").field(&does).finish()
    }
}

/// A channel on which the time comes after `duration`, once. Never suspends.
///
/// Dropping it stops the timer.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (_silent, messages) = gmp::chan::<u32>(0);
///     gmp::select! {
///         recv(messages) -> _ => panic!("nobody sends"),
///         recv(gmp::time::after(Duration::from_millis(5))) -> at => assert!(at.is_ok()),
///     }
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "After")]
#[track_caller]
pub fn after(duration: Duration) -> Receiver<Instant> {
    Timed::start(duration, Duration::ZERO).receiver
}
