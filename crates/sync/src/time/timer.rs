//! `Timer`: something that happens once, after a delay.

use super::channel_timer::ChannelTimer;
use super::func_timer::FuncTimer;
use crate::channel::Receiver;
use crate::seam::step_aside;
use core::fmt;
use std::time::{Duration, Instant};

/// Something that happens once, after a delay: a value on a channel ([`Timer::new`]), or a function that is run
/// ([`after_func`]).
///
/// Dropping it does not stop it: a function is run all the same, and a channel of which somebody has a clone
/// delivers.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::time::Timer;
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let timeout = Timer::new(Duration::from_secs(3600));
///     let (answer, answers) = gmp::chan(0);
///     gmp::go(move || answer.send(42));
///     gmp::select! {
///         recv(answers) -> answer => assert_eq!(answer, Ok(42)),
///         recv(timeout.channel()) -> _ => panic!("no answer"),
///     }
///     assert!(timeout.stop());
///     assert!(!timeout.reset(Duration::from_millis(1)));
///     timeout.channel().recv().unwrap();
/// }).unwrap();
/// ```
pub struct Timer(Kind);

enum Kind {
    Channel(ChannelTimer),
    Func(FuncTimer),
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
        Self(Kind::Channel(ChannelTimer::start(duration, Duration::ZERO)))
    }

    /// The channel on which the time comes: the moment that the timer was set to. On that of a timer that runs a
    /// function nothing ever comes. Never suspends.
    ///
    /// Shown at [`Timer`].
    #[doc(alias = "C")]
    pub fn channel(&self) -> &Receiver<Instant> {
        match &self.0 {
            Kind::Channel(timer) => &timer.receiver,
            Kind::Func(timer) => timer.never(),
        }
    }

    /// Stops the timer, from any thread. `true`: the timer was still to go off, or its value still to be received,
    /// and neither will happen. `false`: it had been stopped or had gone off; a function may still be running then,
    /// and this does not wait for it. Never suspends.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
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
        step_aside();
        match &self.0 {
            Kind::Channel(timer) => timer.stop(),
            Kind::Func(timer) => timer.stop(),
        }
    }

    /// Sets the timer to go off after `duration` from now, whatever it was set to before, and returns what
    /// [`Timer::stop`] would. Never suspends.
    ///
    /// A function that has been run is run again, even while it is still running.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
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
            Kind::Channel(timer) => timer.reset(duration, Duration::ZERO),
            Kind::Func(timer) => timer.reset(duration),
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Channel(_) => "channel",
            Kind::Func(_) => "func",
        };
        f.debug_tuple("Timer").field(&kind).finish()
    }
}

/// A channel on which the time comes after `duration`, once. Never suspends.
///
/// Dropping it stops the timer.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
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
    ChannelTimer::start(duration, Duration::ZERO).receiver
}

/// Runs `f` after `duration`, in a goroutine of its own that runs next on the P that finds the timer due. Never
/// suspends.
///
/// [`Timer::reset`] has it run again; a function that can run only once goes to [`after_func_once`].
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (done, told) = gmp::chan(1);
///     let later = gmp::time::after_func(Duration::from_millis(1), move || _ = done.send(()));
///     told.recv().unwrap();
///     assert!(!later.stop());
///     later.reset(Duration::from_millis(1));
///     told.recv().unwrap();
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine. A panic of `f` is that goroutine's.
#[doc(alias = "AfterFunc")]
#[doc(alias = "goFunc")]
#[track_caller]
pub fn after_func(duration: Duration, f: impl Fn() + Send + Sync + 'static) -> Timer {
    Timer(Kind::Func(FuncTimer::start(duration, f)))
}

/// [`after_func`] for a function that may use up what it owns: it runs once. Never suspends.
///
/// Until it has run, [`Timer::stop`] and [`Timer::reset`] do what they do for any timer. Once it has run, a reset sets
/// the timer, but nothing happens when it goes off.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (sender, words) = gmp::chan(0);
///     let word = String::from("hello");
///     // The closure gives both the word and the sender away.
///     gmp::time::after_func_once(Duration::from_millis(1), move || {
///         sender.send(word).unwrap();
///         drop(sender);
///     });
///     assert_eq!(words.iter().collect::<Vec<_>>(), ["hello"]);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine. A panic of `f` is that goroutine's.
#[doc(alias = "AfterFunc")]
#[track_caller]
pub fn after_func_once(duration: Duration, f: impl FnOnce() + Send + 'static) -> Timer {
    Timer(Kind::Func(FuncTimer::start_once(duration, f)))
}
