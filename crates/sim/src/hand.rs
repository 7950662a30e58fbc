//! A virtual M at work: how time passes for it.
//!
//! Each M is a coroutine, so that core's search order, which is written for a thread, runs on it unchanged. What an M
//! does takes effect in an instant; what it costs is *spent*: the M runs ahead of the clock by at most a grain, and
//! then lets the others catch up. Whatever others can see is done in step with the clock.

use crate::clock::{Event, Time, time};
use crate::line::Line;
use crate::memory::Thing;
use crate::ticket::Ticket;
use crate::world::{Lock, Mach, World};
use corosensei::Yielder;
use gmp_core::contract::{Policy, Popped};
use std::cell::Cell;

/// An M at work.
pub(crate) struct Hand<'a, P: Policy> {
    pub(crate) w: &'a World<P>,
    pub(crate) m: &'a Mach,
    yielder: &'a Yielder<(), ()>,
    /// How far this M is ahead of the clock.
    ahead: Cell<Time>,
    grain: Time,
    /// What a hop has popped and could not switch to, for g0.
    pub(crate) at_hand: Cell<Option<Popped<Ticket>>>,
}

impl<'a, P: Policy> Hand<'a, P> {
    pub(crate) fn new(w: &'a World<P>, m: &'a Mach, yielder: &'a Yielder<(), ()>) -> Self {
        Self { w, m, yielder, ahead: Cell::new(0), grain: time(w.costs.path.grain), at_hand: Cell::new(None) }
    }

    /// Spends this many nanoseconds.
    pub(crate) fn spend(&self, ns: f64) {
        self.spend_time(time(ns));
    }

    pub(crate) fn spend_time(&self, cost: Time) {
        self.ahead.set(self.ahead.get() + cost);
        if self.ahead.get() >= self.grain {
            self.catch_up();
        }
    }

    /// Lets the clock come to where this M is, and everybody else do what they do until that moment.
    pub(crate) fn catch_up(&self) {
        let ahead = self.ahead.replace(0);
        if ahead == 0 {
            return;
        }
        let until = self.w.clock.now() + ahead;
        if !self.w.clock.skip_to(until) {
            self.w.clock.announce(until, Event::Resume(self.m.id));
            self.yielder.suspend(());
        }
    }

    /// The moment in which this M is.
    pub(crate) fn now(&self) -> Time {
        self.w.clock.now() + self.ahead.get()
    }

    pub(crate) fn read(&self, line: &Line) {
        self.spend_time(line.read(self.m.cpu, &self.w.fabric));
    }

    pub(crate) fn write(&self, line: &Line) {
        self.spend_time(line.write(self.m.cpu, self.now(), &self.w.fabric));
    }

    /// Executes a locked instruction on a line.
    pub(crate) fn write_locked(&self, line: &Line) {
        self.write(line);
        self.spend(self.w.costs.machine.locked);
    }

    /// Takes a lock, holds it for this many nanoseconds, and gives it back. What is done under it is done when this
    /// returns.
    pub(crate) fn hold(&self, lock: &Lock, ns: f64) {
        self.catch_up();
        let now = self.now();
        if lock.line.is_still_at(self.m.cpu, now) {
            // Nobody else can have taken it yet: the next one is waiting for the line.
            self.spend(ns);
            return self.catch_up();
        }
        let mut cost = lock.free_at.get().saturating_sub(now);
        if cost > 0 {
            self.w.counts.contended.add(1);
            cost += time(self.w.costs.machine.contended);
        }
        cost += lock.line.write(self.m.cpu, now + cost, &self.w.fabric) + time(ns);
        lock.free_at.set(now + cost);
        self.spend_time(cost);
        self.catch_up();
    }

    /// Lets others go on until somebody resumes this M.
    pub(crate) fn suspend(&self) {
        self.yielder.suspend(());
    }

    /// Touches memory of a goroutine.
    pub(crate) fn touch(&self, thing: Thing) {
        self.spend(self.w.store.memory.touch(thing, self.m.cpu, &self.w.fabric));
    }

    /// The run is over: nobody goes on.
    pub(crate) fn end(&self) {
        self.catch_up();
        self.w.over.set(Some(self.now()));
        self.yielder.suspend(());
    }

    pub(crate) fn random(&self) -> u32 {
        (self.m.rng.borrow_mut().next_u64() >> 32) as u32
    }
}
