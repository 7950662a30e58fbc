//! Steal from other Ps. `search.rs` has the order of the looks. Go: `stealWork` (proc.go, Go 1.27).

use super::G0;
use crate::contract::{
    Config, IdlePolicy, Policy, Popped, Steal, StealRound, Thief, VictimOrder, Victims, WalkStart,
};
use crate::ground::event::EventKind;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::add_own;
use crate::records::p::word::PStatus;
use crate::records::recorder::kind;
use crate::search::{self, Victims as _, steal_rounds};
use crate::shared::sched::{AllP, OrderOf, Sched};
use core::mem::ManuallyDrop;
use std::time::Duration;

/// A thief and the Ps of this moment.
struct Raid<'a, 'g, C: Config> {
    g0: &'a G0<'g, C>,
    all: &'a AllP<C>,
    own: usize,
}

impl<C: Config> G0<'_, C> {
    /// Takes work from other Ps, if this M may spin.
    #[doc(alias = "stealWork")]
    #[cold]
    #[inline(never)]
    pub(super) fn steal_work(&self) -> Option<Popped<Runnable>> {
        if !self.may_spin() {
            return None;
        }
        let own = self.p_shared().core.id as usize;
        self.note_cpu();
        let rounds = <C::Policy as Policy>::RULES.steal_rounds;
        self.sched.with_all_p(&self.epoch, |all| {
            let raid = Raid { g0: self, all, own };
            steal_rounds(&raid, rounds).or_else(|| raid.steal_job())
        })
    }

    fn may_spin(&self) -> bool {
        if self.m.spinning.get() {
            return true;
        }
        if self.sched.procs() == 1 {
            return false;
        }
        let may = self
            .sched
            .idle
            .try_spin(self.sched.procs(), |view| self.sched.opinion(|idle| idle.may_spin(view)));
        self.m.spinning.set(may);
        may
    }
}

impl<C: Config> Raid<'_, '_, C> {
    /// Takes a job from the first victim that has one. This comes after all looks for goroutines, since a job must
    /// first be made into one.
    fn steal_job(&self) -> Option<Popped<Runnable>> {
        let Self { g0, all, .. } = self;
        let mut walk = self.walk();
        for _ in 0..all.ps.len() {
            let at = self.step(&mut walk)?;
            if self.is_called_away() {
                return None;
            }
            let jobs = self.is_other(at).then(|| all.ps[at].core.jobs()).flatten();
            if let Some(token) = jobs.and_then(|jobs| crate::life::scope::steal(g0.m, jobs)) {
                g0.sched.emit(EventKind::GoCreate, token.g(), Some(g0.m), 0);
                let counters = &g0.p_shared().core.counters;
                add_own(&counters.steals, 1);
                add_own(&counters.stolen, 1);
                return Some(Popped { token, inherits: false });
            }
        }
        None
    }
}

/// A walk in the policy's order. All of it is the policy's code, its end too.
struct Walk<'a, C: Config> {
    sched: &'a Sched<C>,
    m: &'a M,
    steps: ManuallyDrop<<OrderOf<C> as VictimOrder>::Walk<'a>>,
}

impl<C: Config> Drop for Walk<'_, C> {
    fn drop(&mut self) {
        // SAFETY: used no more.
        self.sched.policy(self.m, || unsafe { ManuallyDrop::drop(&mut self.steps) });
    }
}

impl<C: Config> search::Victims for Raid<'_, '_, C> {
    type Token = Runnable;
    type Walk<'a>
        = Walk<'a, C>
    where
        Self: 'a;

    fn procs(&self) -> usize {
        self.all.ps.len()
    }

    fn walk(&self) -> Walk<'_, C> {
        let (sched, m) = (self.g0.sched, self.g0.m);
        let from = WalkStart { seed: m.random(), own: self.own, victims: self.all };
        let steps = ManuallyDrop::new(sched.policy(m, || self.all.order.walk(from)));
        Walk { sched, m, steps }
    }

    fn step<'a>(&'a self, walk: &mut Self::Walk<'a>) -> Option<usize> {
        self.g0.sched.policy(self.g0.m, || walk.steps.next())
    }

    fn is_called_away(&self) -> bool {
        self.g0.is_wanted()
    }

    fn is_other(&self, p: usize) -> bool {
        p != self.own && p < self.all.ps.len()
    }

    fn is_idle(&self, p: usize) -> bool {
        self.all.ps[p].core.word.status() == PStatus::Idle
    }

    fn runs(&self, p: usize) -> bool {
        self.all.ps[p].core.word.status() == PStatus::Running
    }

    fn take_by_timers(&self, p: usize) -> Option<Popped<Runnable>> {
        if self.g0.run_timers_of(&self.all.ps[p].core.timers) { self.g0.take_local() } else { None }
    }

    fn steal_from(&self, p: usize, look: StealRound) -> Steal<Runnable> {
        let mut p_of_thief = self.g0.p();
        let victim = &self.all.ps[p].thief;
        let (steal, moved) = self.g0.sched.policy(self.g0.m, || {
            match victim.steal_into(&mut p_of_thief.owner().queue, look) {
                // Counted at home: the victim's own words are best left in its cache. Our queue was empty.
                taken @ Steal::Taken(_) => (taken, self.g0.p_shared().thief.len().saturating_add(1)),
                nothing => (nothing, 0),
            }
        });
        if moved != 0 {
            let counters = &p_of_thief.core.counters;
            counters.book(-1);
            add_own(&counters.steals, 1);
            add_own(&counters.stolen, moved as u64);
            let value = (p as u64) << 32 | moved as u64;
            self.g0.sched.emit_decision(kind::STEAL, Some(self.g0.m), value);
        }
        steal
    }

    fn back_off(&self, pause: Duration) {
        std::thread::sleep(pause);
    }
}

impl<C: Config> Victims for AllP<C> {
    fn queued(&self, p: usize) -> usize {
        self.ps.get(p).map_or(0, |p| p.thief.len())
    }

    fn cpu(&self, p: usize) -> Option<usize> {
        self.ps.get(p)?.core.cpu.get()
    }
}
