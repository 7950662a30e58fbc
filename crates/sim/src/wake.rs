//! Which M is woken for work, and how. It follows `waking/submit.rs` and `waking/wake.rs` of gmp-core, on its idle
//! word.

use crate::hand::Hand;
use crate::memory::Thing;
use gmp_core::contract::{IdleView, Policy, SharedQueue, Slot, Thief};

impl<P: Policy> Hand<'_, P> {
    /// Readies a goroutine: next on the P in hand. Core: `ready_unpinned`.
    pub(crate) fn ready(&self, g: usize) {
        self.spend(self.w.costs.path.ready);
        self.touch(Thing::Record(self.w.with(g, |g| g.record)));
        self.push_local(g, Slot::Next);
        self.wake_for_submission();
    }

    /// Core: `wake_for_submission`.
    pub(crate) fn wake_for_submission(&self) {
        self.wake_if(|view| self.w.rule.wake_on_submit(view, &|| self.queued_here()));
    }

    /// Core: `wake_the_next`.
    pub(crate) fn wake_the_next(&self) {
        self.wake_if(|view| self.w.rule.pass_on(view, &|| self.queued_here()));
    }

    fn queued_here(&self) -> usize {
        self.w.ps[self.p()].thief.len() + self.w.shared.len()
    }

    /// Core: `wake_if` and `wake_spinner`.
    fn wake_if(&self, agree: impl Fn(IdleView) -> bool) {
        if self.is_alone() {
            return;
        }
        self.spend(self.w.costs.machine.locked);
        self.read(&self.w.idle_line);
        let view = self.w.idle.view(self.w.procs());
        if view.idle == 0 || !agree(view) {
            return;
        }
        self.write_locked(&self.w.idle_line);
        self.catch_up();
        let agree = |view: IdleView| view.idle > 0 && (view.busy() == 0 || agree(view));
        if self.w.idle.try_spin(self.w.procs(), agree) {
            self.start_spinner();
        }
    }

    /// Starts an M for an idle P; the right to spin has been taken for it. Core: `start_spinner`.
    fn start_spinner(&self) {
        self.hold(&self.w.lock, self.w.costs.machine.locked);
        match self.take_idle_p() {
            Some(p) => self.start_m(p),
            None => {
                self.w.idle.want_spinner();
                self.w.idle.give_up();
                self.write_locked(&self.w.idle_line);
            }
        }
    }

    /// Takes the P that went idle last.
    pub(crate) fn take_idle_p(&self) -> Option<usize> {
        let p = self.w.idle_ps.borrow_mut().pop()?;
        self.w.idle.p_busy();
        self.write_locked(&self.w.idle_line);
        Some(p)
    }

    /// Gives a P and the right to spin to the M that went to sleep last, or to a new one. Core: `start_m`.
    fn start_m(&self, p: usize) {
        self.w.counts.wakes.add(1);
        let sleeper = self.w.idle_ms.borrow_mut().pop();
        if let Some(m) = sleeper {
            let other = self.w.ms.borrow()[m].clone();
            other.spinning.set(true);
            other.next_p.set(Some(p));
            self.wake(m);
            return;
        }
        let m = self.w.new_m();
        m.spinning.set(true);
        m.next_p.set(Some(p));
        self.spend(self.w.costs.machine.thread_make);
        self.catch_up();
        let up = self.now() + self.drawn(&self.w.costs.machine.wake_latency);
        m.comes_up(&self.w.clock, up);
    }
}
