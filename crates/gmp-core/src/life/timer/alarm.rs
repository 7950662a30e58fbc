//! Alarms: timers of those who keep the time themselves, as the channel of a timer does, and want to be called only while
//! somebody waits for it.
//!
//! Such a user has the time at which it is to be called, and the number of the runtime that is to do it. It reads the
//! [clock](now) when it is asked, and [sets](AnyTimer::ring_in_step) a timer before somebody waits, on whatever thread
//! that happens. Go: a timer channel's `needsAdd` and `maybeRunChan` (time.go, Go 1.27).

use super::setter::{Added, Setter};
use crate::entering::caller::{Caller, caller};
use crate::ground::clock::{epoch, nanos};
use crate::records::m::M;
use crate::records::outsiders::Outsider;
use crate::records::p::timer::AnyTimer;
use crate::records::p::timers::NEVER;
use core::ptr;
use std::time::{Duration, Instant};

/// The clock of timers: nanoseconds since the process first asked for the time. Never suspends.
///
/// ```
/// use gmp_core::timer::{instant, now};
///
/// let (before, at) = (now(), std::time::Instant::now());
/// assert!(instant(before) <= at && instant(now()) >= at);
/// ```
#[doc(alias = "nanotime")]
#[inline]
pub fn now() -> u64 {
    nanos(epoch().elapsed())
}

/// The moment of this time by the clock of timers. Shown at [`now`].
#[inline]
pub fn instant(nanos: u64) -> Instant {
    epoch() + Duration::from_nanos(nanos)
}

/// What somebody who sets a timer begins with.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The time by the clock of [`now`].
    pub now: u64,
    /// The serial number of the caller's runtime.
    pub runtime: u64,
}

impl Setting {
    /// The setting of the caller, which may set a timer. Never suspends.
    ///
    /// # Panics
    /// The same as for [`AnyTimer::reset_in`].
    #[track_caller]
    #[inline]
    pub fn of_caller() -> Self {
        let setter = Setter::enter();
        let runtime = setter.m().rt().header().serial;
        Self { now: now(), runtime }
    }
}

impl AnyTimer {
    /// Sets it to go off at `when` by the clock of [`now`], once, on whatever thread: in the heap of the caller's P if that
    /// is one of `runtime`, else in another one there. `step` is as for [`AnyTimer::reset_in_step`], and need not call its
    /// argument. `false`: that runtime has closed, and `step` was not called. Never suspends.
    ///
    /// # Safety
    /// `step` neither suspends nor unwinds.
    pub unsafe fn ring_in_step(
        &self,
        runtime: u64,
        when: u64,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> bool {
        let when = when.min(NEVER - 1);
        match caller() {
            Caller::G(here) if is_of(here.m(), runtime) => _ = self.reset_on(here.m(), when, 0, step),
            Caller::Scheduler(m) if is_of(m, runtime) && m.may_set_timers() => {
                self.reset_on(m, when, 0, step);
            }
            _ => return self.ring_from_outside(runtime, when, step),
        }
        true
    }

    #[cold]
    fn ring_from_outside(
        &self,
        runtime: u64,
        when: u64,
        step: impl FnOnce(&mut dyn FnMut() -> bool) -> bool,
    ) -> bool {
        let Some(rt) = crate::records::living::find(runtime) else { return false };
        // A closing runtime waits for us, and then forgets what we have added.
        let _outsider = Outsider::enter(ptr::from_ref(rt.header()).cast());
        let Some(p) = rt.first_p().filter(|_| !rt.is_closed()) else { return false };
        let (_, added) = self.set_in_step(&p.timers, when, 0, step);
        if added != Added::Nothing {
            rt.timer_added_to_lent(p, when);
        }
        true
    }
}

fn is_of(m: &M, runtime: u64) -> bool {
    m.rt().header().serial == runtime
}
