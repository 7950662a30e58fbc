//! The alarm of a timer's channel: a timer of core's, for those who wait. `timing.rs` says when it has to come.

use super::counter::AlarmShare;
use super::protocol::{Chan, wake};
use super::timing::{NEVER, Timing, after, nanos};
use core::mem::MaybeUninit;
use gmp_core::timer::{self, AnyTimer, Fire, Firing, Setting, Timer};
use std::time::{Duration, Instant};

impl<T> Chan<T> {
    /// Sees to it that whoever is about to wait at a timer's channel is told in time. With no lock held, by who has a
    /// receiver. Never suspends.
    #[cold]
    #[inline(never)]
    pub(crate) fn arm(&self) {
        // A policy may be called under the scheduler's lock, which is taken here.
        gmp_core::foreign::refuse_all("recv");
        if let Some(alarm) = self.alarm() {
            self.arm_by(alarm);
        }
    }

    /// The alarm, which is made if there is none. `None`: this is no timer's channel. By who has a receiver.
    fn alarm(&self) -> Option<&AnyTimer> {
        let timing = self.state().timing()?;
        let known = {
            let _state = self.lock.lock();
            timing.alarm.get().is_some()
        };
        if !known {
            // SAFETY: a timer's channel, of which the caller has a receiver.
            let share = unsafe { AlarmShare::of(self.state().ring.slots().cast()) };
            let made = AnyTimer::from(Timer::new(Alarm(share)));
            let superfluous = {
                let _state = self.lock.lock();
                timing.alarm.set(made)
            };
            drop(superfluous);
        }
        // It is there now, and stays as long as there are receivers.
        timing.alarm.get()
    }

    /// [`Chan::arm`] by this alarm.
    fn arm_by(&self, alarm: &AnyTimer) {
        let state = self.state();
        let Some(timing) = state.timing() else { return };
        let wanted = || {
            let _state = self.lock.lock();
            (!timing.is_armed()).then(|| (timing.when.get(), timing.runtime.get()))
        };
        while let Some((when, runtime)) = wanted() {
            let is_wanted =
                || !timing.is_armed() && (timing.when.get(), timing.runtime.get()) == (when, runtime);
            // SAFETY: it takes the channel's lock for a moment.
            let lives = unsafe {
                alarm.ring_in_step(runtime, when, |set| {
                    let _state = self.lock.lock();
                    is_wanted() && {
                        timing.alarm_at.set(when);
                        set()
                    }
                })
            };
            if !lives {
                // The timer's runtime has closed, so nobody will ever be told, unless another runtime sets it.
                let _state = self.lock.lock();
                if is_wanted() {
                    timing.alarm_at.set(0);
                }
            }
        }
    }

    /// Stops a timer. `true`: something was still to come, or to be received. Never suspends.
    pub(crate) fn stop_timer(&self) -> bool {
        let state = self.lock.lock();
        state.timing().is_some_and(Timing::end)
    }

    /// Sets a timer anew, and says what [`Chan::stop_timer`] would. Never suspends.
    #[track_caller]
    pub(crate) fn reset_timer(&self, delay: Duration, period: Duration) -> bool {
        let Setting { now, runtime } = Setting::of_caller();
        let state = self.lock.lock();
        let Some(timing) = state.timing() else { return false };
        let pending = timing.when.get() != NEVER;
        if timing.runtime.get() != runtime {
            timing.end();
            timing.runtime.set(runtime);
        }
        timing.given.set(NEVER);
        let closed = state.closed.is();
        timing.when.set(if closed { NEVER } else { after(now, delay) });
        timing.period.set(nanos(period));
        let late = !state.receivers.is_empty() && !timing.is_armed();
        drop(state);
        if late {
            self.arm();
        }
        pending
    }

    /// Puts a time back that a task had received and has not seen, so that it is due again; not if the timer was stopped or
    /// set anew since, after which nothing old may come, or if it has given another time. Never suspends.
    pub(super) fn return_time(&self, value: &T) {
        let state = self.lock.lock();
        let Some(timing) = state.timing() else { return };
        // SAFETY: the values of a timer's channel are of this type.
        let time = unsafe { core::ptr::from_ref(value).cast::<Instant>().read() };
        let given = timing.given.get();
        if given == NEVER || timer::instant(given) != time {
            return;
        }
        timing.given.set(NEVER);
        timing.when.set(given);
        let late = !state.receivers.is_empty() && !timing.is_armed();
        drop(state);
        if late {
            self.arm();
        }
    }

    /// The last receiver of a timer's channel has gone: stops the timer. Nobody but the alarm has the channel now.
    pub(super) fn abandon_timer(&self) {
        let Some(timing) = self.state().timing() else { return };
        if timing.alarm.get().is_none() {
            return;
        }
        self.stop_timer();
        let place = (&raw const timing.alarm).cast_mut();
        // SAFETY: the alarm's callback has its own reference, and does not look here; the receivers have gone.
        drop(unsafe { (*place).take() });
    }
}

/// What the alarm holds: the channel, until the last receiver has gone and nobody has the alarm any more.
struct Alarm(AlarmShare);

impl Fire for Alarm {
    // Dropping the share closes nothing.
    const LIGHT: bool = true;

    #[doc(alias = "sendTime")]
    fn fire(timer: &Timer<Self>, firing: Firing<'_>) {
        let chan = timer.callback().0.chan();
        if chan.ring(&firing) {
            chan.arm_by(&timer.as_any());
        }
    }
}

impl Chan<Instant> {
    /// The alarm has come. `true`: it is to be set again.
    fn ring(&self, firing: &Firing<'_>) -> bool {
        let state = self.lock.lock();
        let Some(timing) = state.timing() else { return false };
        if !firing.claim() {
            return false;
        }
        timing.alarm_at.set(NEVER);
        let (when, mut woken) = (timing.when.get(), None);
        if when <= firing.seen() {
            let mut time = MaybeUninit::new(timer::instant(when));
            // SAFETY: the slot holds a value, which nobody else has.
            woken = unsafe { self.hand_over(&state, time.as_mut_ptr()) };
            if woken.is_some() {
                timing.take(firing.seen());
            }
        }
        let again = !state.receivers.is_empty() && !timing.is_armed();
        drop(state);
        wake(woken);
        again
    }
}
