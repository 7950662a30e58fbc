//! Functions that are run later, each run in a goroutine of its own.

use super::timer::Timer;
use crate::channel::{Receiver, never};
use core::panic::Location;
use gmp_core::timer::{AnyTimer, Fire, Firing, Timer as CoreTimer};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A timer that runs a function.
pub(super) struct Func {
    timer: AnyTimer,
    never: OnceLock<Receiver<Instant>>,
}

struct Run<F> {
    f: F,
    at: &'static Location<'static>,
}

impl<F: Fn() + Send + Sync + 'static> Fire for Run<F> {
    fn fire(timer: &CoreTimer<Self>, firing: Firing<'_>) {
        if !firing.claim() {
            return;
        }
        let run = timer.clone();
        if firing.spawn(run.callback().at, move || (run.callback().f)()).is_err() {
            panic!("gmp::time::after_func: no memory for the goroutine that is to run the function");
        }
    }
}

impl Func {
    pub(super) fn never(&self) -> &Receiver<Instant> {
        self.never.get_or_init(never)
    }

    pub(super) fn stop(&self) -> bool {
        self.timer.stop()
    }

    #[track_caller]
    pub(super) fn reset(&self, duration: Duration) -> bool {
        self.timer.reset_in(duration, Duration::ZERO)
    }
}

/// Runs `f` after `duration`, in a goroutine of its own that runs next on the P that finds the timer due. Never
/// suspends.
///
/// [`Timer::reset`] has it run again.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     let (done, told) = gmp::chan(1);
///     let later = gmp::time::after_func(Duration::from_millis(1), move || _ = done.send(()));
///     told.recv().unwrap();
///     assert!(!later.stop());
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine. A panic of `f` is that goroutine's.
#[doc(alias = "AfterFunc")]
#[doc(alias = "goFunc")]
#[track_caller]
pub fn after_func(duration: Duration, f: impl Fn() + Send + Sync + 'static) -> Timer {
    let run = Run { f, at: Location::caller() };
    let timer = CoreTimer::new(run).as_any();
    timer.reset_in(duration, Duration::ZERO);
    Timer::of_func(Func { timer, never: OnceLock::new() })
}
