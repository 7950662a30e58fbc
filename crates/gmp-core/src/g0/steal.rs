//! Steal from other Ps. Go: `stealWork` (proc.go, Go 1.27).

use super::G0;
use crate::contract::{
    Config, IdlePolicy, Policy, Popped, Steal, StealRound, Thief, VictimOrder, Victims, WalkStart,
};
use crate::ground::event::EventKind;
use crate::records::g::runnable::Runnable;
use crate::records::p::word::PStatus;
use crate::records::p::{P, add_own};
use crate::shared::sched::AllP;
use std::time::Duration;

/// The longest that a policy may keep a thief waiting, with its P in hand. Go's own back-off is 3 us.
const LONGEST_BACK_OFF: Duration = Duration::from_millis(1);

impl<C: Config> G0<'_, C> {
    /// Takes work from other Ps, if this M may spin.
    #[doc(alias = "stealWork")]
    #[cold]
    #[inline(never)]
    pub(super) fn steal(&self) -> Option<Popped<Runnable>> {
        if !self.may_spin() {
            return None;
        }
        self.sched.with_all_p(&self.epoch, |all| self.steal_rounds(all))
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

    fn steal_rounds(&self, all: &AllP<C>) -> Option<Popped<Runnable>> {
        let rounds = <C::Policy as Policy>::RULES.steal_rounds;
        let own = self.p_shared().core.id as usize;
        self.note_cpu();
        for round in 1..=rounds {
            let last = round == rounds;
            let from = WalkStart { seed: self.m.random(), own, victims: all };
            let mut walk = self.sched.policy(self.m, || all.order.walk(from));
            // A walk that breaks V1 costs time, but ends.
            for _ in 0..all.ps.len() {
                let Some(at) = self.sched.policy(self.m, || walk.next()) else { break };
                if self.is_wanted() {
                    return None;
                }
                let Some(victim) = all.ps.get(at).filter(|_| at != own) else { continue };
                let popped = if last { self.steal_timers(victim) } else { None };
                if let Some(popped) = popped.or_else(|| self.steal_from(victim, last)) {
                    return Some(popped);
                }
            }
        }
        self.steal_job(all)
    }

    /// Takes a job, from the first victim that has one: only when no goroutine is to be had, since what is taken has to be
    /// made one first.
    fn steal_job(&self, all: &AllP<C>) -> Option<Popped<Runnable>> {
        let own = self.p_shared().core.id as usize;
        let from = WalkStart { seed: self.m.random(), own, victims: all };
        let mut walk = self.sched.policy(self.m, || all.order.walk(from));
        for _ in 0..all.ps.len() {
            let at = self.sched.policy(self.m, || walk.next())?;
            if self.is_wanted() {
                return None;
            }
            let Some(jobs) = all.ps.get(at).filter(|_| at != own).and_then(|victim| victim.core.jobs())
            else {
                continue;
            };
            if let Some(token) = crate::life::scope::steal(self.m, jobs) {
                self.sched.emit(EventKind::GoCreate, token.g(), Some(self.m), 0);
                let counters = &self.p_shared().core.counters;
                add_own(&counters.steals, 1);
                add_own(&counters.stolen, 1);
                return Some(Popped { token, inherits: false });
            }
        }
        None
    }

    /// Runs a victim's expired timers; what they ready is ours.
    fn steal_timers(&self, victim: &P<C>) -> Option<Popped<Runnable>> {
        if self.run_timers_of(&victim.core.timers) { self.take_local() } else { None }
    }

    fn steal_from(&self, victim: &P<C>, last: bool) -> Option<Popped<Runnable>> {
        if victim.core.word.status() == PStatus::Idle {
            return None;
        }
        let mut look = StealRound { last, victim_runs: false, backed_off: false };
        loop {
            look.victim_runs = victim.core.word.status() == PStatus::Running;
            let mut p = self.p();
            let steal = self.sched.policy(self.m, || victim.thief.steal_into(&mut p.owner().queue, look));
            match steal {
                Steal::Taken(token) => {
                    p.core.counters.book(-1);
                    add_own(&p.core.counters.steals, 1);
                    // Counted at home: the victim's own words are best left in its cache. Our queue was empty.
                    let moved = 1 + self.p_shared().thief.len();
                    add_own(&p.core.counters.stolen, moved as u64);
                    return Some(Popped { token, inherits: false });
                }
                Steal::BackOff(pause) if !look.backed_off => {
                    std::thread::sleep(pause.min(LONGEST_BACK_OFF));
                    look.backed_off = true;
                }
                Steal::Retry | Steal::BackOff(_) | Steal::Empty => return None,
            }
        }
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
