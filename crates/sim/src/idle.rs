//! Going idle, coming back, and timers. It follows `g0/idle.rs` and `g0/timers.rs` of gmp-core.

use crate::hand::Hand;
use gmp_core::contract::{Policy, RunQueue, SharedQueue, Slot, Thief};
use std::cmp::Reverse;

impl<P: Policy> Hand<'_, P> {
    /// Takes a P in hand.
    pub(crate) fn acquire(&self, p: usize) {
        self.m.p.set(Some(p));
        self.w.ps[p].idle.set(false);
        self.w.ps[p].cpu.set(Some(self.m.cpu));
    }

    /// Gives the P up, unless something turns up on the way. Core: `give_up_p`.
    pub(crate) fn give_up_p(&self) {
        self.hold(&self.w.lock, self.w.costs.machine.locked);
        if !self.w.shared.is_empty() {
            return;
        }
        if !self.m.spinning.get() && self.w.idle.take_wanted() {
            self.m.spinning.set(true);
            return;
        }
        let p = self.p();
        if !self.w.ps[p].queue.borrow().is_empty() {
            return;
        }
        self.m.p.set(None);
        self.w.ps[p].idle.set(true);
        self.w.ps[p].slice_is_over.set(false);
        self.w.idle_ps.borrow_mut().push(p);
        self.w.idle.p_idle();
        self.write_locked(&self.w.idle_line);
        self.drop_spinning();
        self.spend(self.w.costs.machine.locked);
        if !self.last_look() {
            self.sleep_for_timers();
        }
    }

    pub(crate) fn drop_spinning(&self) {
        if self.m.spinning.take() {
            self.w.idle.give_up();
            self.write_locked(&self.w.idle_line);
        }
    }

    /// Looks at every queue once more. `true`: there is work, and a P for it is in hand.
    fn last_look(&self) -> bool {
        let has_work = |p: &crate::world::Proc<P>| {
            self.read(&p.line);
            self.spend(self.w.costs.path.look);
            !p.thief.is_empty()
        };
        if self.shared_is_empty() && !self.w.ps.iter().any(has_work) {
            return false;
        }
        self.hold(&self.w.lock, self.w.costs.machine.locked);
        match self.take_idle_p() {
            Some(p) => {
                self.spin_with(p);
                true
            }
            None => {
                self.w.idle.want_spinner();
                self.write_locked(&self.w.idle_line);
                false
            }
        }
    }

    fn spin_with(&self, p: usize) {
        self.w.idle.spin();
        self.write_locked(&self.w.idle_line);
        self.m.spinning.set(true);
        self.acquire(p);
    }

    /// If timers are pending and no other M watches them, sleeps until the earliest. Core: `sleep_for_timers`.
    fn sleep_for_timers(&self) {
        self.catch_up();
        let Some(until) = self.w.earliest_timer() else { return };
        if let Some((sleeper, its_until)) = self.w.timer_m.get() {
            if its_until > until {
                self.wake(sleeper);
            }
            return;
        }
        self.w.timer_m.set(Some((self.m.id, until)));
        self.sleep(Some(until));
        self.hold(&self.w.lock, self.w.costs.machine.locked);
        if self.w.timer_m.get().is_some_and(|(sleeper, _)| sleeper == self.m.id) {
            self.w.timer_m.set(None);
        }
        if let Some(p) = self.take_idle_p() {
            self.spin_with(p);
        }
    }

    /// Sleeps until somebody gives this M a P. Core: `stop_m`.
    pub(crate) fn stop_m(&self) {
        self.drop_spinning();
        self.hold(&self.w.lock, self.w.costs.machine.locked);
        self.w.idle_ms.borrow_mut().push(self.m.id);
        while self.m.next_p.get().is_none() {
            self.sleep(None);
        }
        self.take_next_p();
    }

    /// Takes the P that a waker left.
    pub(crate) fn take_next_p(&self) {
        if let Some(p) = self.m.next_p.take() {
            self.acquire(p);
        }
    }

    /// Sets a timer for the goroutine that runs here, and wakes the M that watches a later one.
    pub(crate) fn add_timer(&self, g: usize, ns: f64) {
        self.spend(self.w.costs.path.timer);
        self.catch_up();
        let at = self.now() + crate::clock::time(ns);
        self.w.ps[self.p()].timers.borrow_mut().push(Reverse((at, g as u64, g)));
        if let Some((sleeper, until)) = self.w.timer_m.get()
            && until > at
        {
            self.wake(sleeper);
        }
    }

    /// Readies the goroutines of P `p` whose timers are due, each to run next here. `true`: there were some.
    pub(crate) fn run_timers_of(&self, p: usize) -> bool {
        let mut ran = false;
        loop {
            let due = self.w.ps[p].next_timer().is_some_and(|at| at <= self.now());
            let Some(Reverse((_, _, g))) = due.then(|| self.w.ps[p].timers.borrow_mut().pop()).flatten()
            else {
                return ran;
            };
            self.spend(self.w.costs.path.timer);
            self.w.with(g, |g| g.parked = false);
            self.push_local(g, Slot::Next);
            self.wake_for_submission();
            ran = true;
        }
    }
}
