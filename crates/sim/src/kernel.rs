//! What the operating system does to a virtual M: sleeps, wakes, and how late they come.
//!
//! A kernel often puts a thread that is woken on the CPU of the one who woke it. So the waker is held up, or the woken
//! one comes late: as long as the waker goes on, until the kernel sees to it, and at once when the waker goes to sleep
//! itself. What `costs.toml` has is how long both take on the machine that was measured, as spreads of which a wake
//! draws one.

use crate::clock::{Clock, Event, Time, time};
use crate::costs::Spread;
use crate::hand::Hand;
use crate::world::Mach;
use gmp_core::contract::Policy;
use std::rc::Rc;

impl<P: Policy> Hand<'_, P> {
    /// Sleeps until somebody wakes this M, or until a moment.
    pub(crate) fn sleep(&self, until: Option<Time>) {
        let costs = &self.w.costs.machine;
        self.spend(if until.is_some() { costs.timed_sleep } else { costs.futex_sleep });
        self.catch_up();
        if self.m.note.take() {
            return;
        }
        let now = self.now();
        self.w.counts.awake.add(now - self.m.awake_since.get());
        self.m.asleep.set(true);
        self.m.sleeps.set(self.m.sleeps.get() + 1);
        if let Some(until) = until {
            let wake = until.max(now) + self.drawn(&costs.sleep_slack);
            self.w.clock.announce(wake, Event::Timeout(self.m.id, self.m.sleeps.get()));
        }
        self.make_way();
        self.suspend();
        self.m.asleep.set(false);
        self.m.note.set(false);
        self.m.awake_since.set(self.w.clock.now());
    }

    /// Sleeps for some microseconds, which lasts as long as the operating system takes, with the P in hand.
    pub(crate) fn pause(&self, ns: f64) {
        let costs = &self.w.costs.machine;
        let lasts = time(ns) + self.drawn(&costs.sleep_slack);
        self.spend_partly(lasts, costs.timed_sleep);
    }

    /// Spends a time of which only this much is CPU time.
    fn spend_partly(&self, lasts: Time, cpu: f64) {
        self.spend_time(lasts);
        let away = lasts.saturating_sub(time(cpu));
        self.m.awake_since.set(self.m.awake_since.get() + away);
    }

    /// Those that this M has woken and that are not up yet have its CPU to themselves now.
    fn make_way(&self) {
        for (m, nth) in self.m.woken.take() {
            let other = Rc::clone(&self.w.ms.borrow()[m]);
            let soon = self.now() + self.drawn(&self.w.costs.machine.wake_beside);
            if other.sleeps.get() == nth && other.coming.get().is_some_and(|up| up > soon) {
                other.comes_up(&self.w.clock, soon);
            }
        }
    }

    /// Wakes an M, in the system call that this M makes for it.
    pub(crate) fn wake(&self, m: usize) {
        let other = Rc::clone(&self.w.ms.borrow()[m]);
        other.note.set(true);
        let called = self.now();
        self.spend_partly(self.drawn(&self.w.costs.machine.futex_wake), self.w.costs.machine.wake_call);
        self.catch_up();
        // Meanwhile the M may have seen the note itself, or have been woken by another.
        if other.asleep.get() && other.note.get() {
            other.asleep.set(false);
            let up = called + self.drawn(&self.w.costs.machine.wake_latency);
            other.comes_up(&self.w.clock, up.max(self.now()));
            self.m.woken.borrow_mut().push((m, other.sleeps.get()));
        }
    }

    /// A latency of the operating system, which varies.
    pub(crate) fn drawn(&self, spread: &Spread) -> Time {
        const STEPS: usize = 1 << 16;
        let share = self.m.rng.borrow_mut().below(STEPS) as f64 / (STEPS - 1) as f64;
        time(spread.at(share))
    }
}

impl Mach {
    /// Its thread runs from this moment on. What was announced for it before is void.
    pub(crate) fn comes_up(&self, clock: &Clock, at: Time) {
        self.sleeps.set(self.sleeps.get() + 1);
        self.coming.set(Some(at));
        self.awake_since.set(at);
        clock.announce(at, Event::Up(self.id, self.sleeps.get()));
    }
}
