//! `FuncTimer`: a timer that runs a function, each time in a goroutine of its own.

use crate::channel::{Receiver, never};
use core::panic::Location;
use gmp_core::timer::{AnyTimer, Fire, Firing, Timer as CoreTimer};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A timer that runs a function.
pub(super) struct FuncTimer {
    timer: AnyTimer,
    never: OnceLock<Receiver<Instant>>,
}

/// A function that is run each time the timer goes off.
struct Run<F> {
    f: F,
    at: &'static Location<'static>,
}

impl<F: Fn() + Send + Sync + 'static> Fire for Run<F> {
    const CLAIMED: bool = true;

    fn fire(timer: &CoreTimer<Self>, firing: Firing<'_>) {
        // SAFETY: the argument is not used after this.
        let run = unsafe { firing.keep(timer) };
        spawn(&firing, run.callback().at, move || (run.callback().f)());
    }
}

/// A function that is run once, and has been taken out once its goroutine has it.
struct RunOnce<F> {
    f: Mutex<Option<F>>,
    at: &'static Location<'static>,
}

impl<F: FnOnce() + Send + 'static> Fire for RunOnce<F> {
    const CLAIMED: bool = true;

    fn fire(timer: &CoreTimer<Self>, firing: Firing<'_>) {
        let RunOnce { f, at } = timer.callback();
        // Nothing under this lock can panic.
        if let Some(f) = f.lock().unwrap_or_else(PoisonError::into_inner).take() {
            spawn(&firing, at, f);
        }
    }
}

fn spawn(firing: &Firing<'_>, at: &'static Location<'static>, f: impl FnOnce() + Send + 'static) {
    if firing.spawn(at, f).is_err() {
        panic!("gmp::time::after_func: no memory for the goroutine that is to run the function");
    }
}

impl FuncTimer {
    #[track_caller]
    pub(super) fn start(delay: Duration, f: impl Fn() + Send + Sync + 'static) -> Self {
        Self::set(delay, CoreTimer::new(Run { f, at: Location::caller() }).into())
    }

    #[track_caller]
    pub(super) fn start_once(delay: Duration, f: impl FnOnce() + Send + 'static) -> Self {
        Self::set(delay, CoreTimer::new(RunOnce { f: Mutex::new(Some(f)), at: Location::caller() }).into())
    }

    #[track_caller]
    fn set(delay: Duration, timer: AnyTimer) -> Self {
        timer.reset_in(delay, Duration::ZERO);
        Self { timer, never: OnceLock::new() }
    }

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
