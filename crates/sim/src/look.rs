//! What a virtual M looks into; the order is core's own, by [`gmp_core::search`].

use crate::hand::Hand;
use crate::opinions::Walk;
use crate::ticket::Ticket;
use crate::world::World;
use gmp_core::contract::{self, Policy, Popped, Rules, Steal, StealRound, Thief, WalkStart};
use gmp_core::search::{Sources, Victims, steal_rounds};
use std::time::Duration;

impl<P: Policy> Sources for Hand<'_, P> {
    type Token = Ticket;
    const RULES: Rules = P::RULES;

    fn run_own_timers(&self) {
        self.run_timers_of(self.p());
    }

    fn tick(&self) -> u32 {
        self.w.ps[self.p()].tick.get()
    }

    fn shared_is_empty(&self) -> bool {
        Hand::shared_is_empty(self)
    }

    fn take_shared_by_tick(&self) -> Option<Popped<Ticket>> {
        self.pop_shared().map(|token| Popped { token, inherits: false })
    }

    fn take_own(&self) -> Option<Popped<Ticket>> {
        self.at_hand.take().or_else(|| self.pop_local())
    }

    fn take_shared(&self) -> Option<Popped<Ticket>> {
        let token = self.pop_shared_batch(P::RULES.shared_batch.max(1))?;
        Some(Popped { token, inherits: false })
    }

    fn steal(&self) -> Option<Popped<Ticket>> {
        if !self.may_spin() {
            return None;
        }
        let begin = self.now();
        let own = self.p();
        self.w.ps[own].cpu.set(Some(self.m.cpu));
        let sight = Sight { w: self.w, cpu: self.m.cpu };
        let found = steal_rounds(&Raid { hand: self, sight, own }, P::RULES.steal_rounds);
        self.w.counts.looking.add(self.now() - begin);
        found
    }

    fn go_idle(&self) -> Option<Popped<Ticket>> {
        self.give_up_p();
        None
    }
}

impl<P: Policy> Hand<'_, P> {
    /// Core: `may_spin`.
    fn may_spin(&self) -> bool {
        if self.m.spinning.get() {
            return true;
        }
        if self.is_alone() {
            return false;
        }
        self.read(&self.w.idle_line);
        self.catch_up();
        let may = self.w.idle.try_spin(self.w.procs(), |view| self.w.rule.may_spin(view));
        if may {
            self.write_locked(&self.w.idle_line);
        }
        self.m.spinning.set(may);
        may
    }
}

/// A thief and what it sees of the Ps.
struct Raid<'a, 'b, P: Policy> {
    hand: &'a Hand<'b, P>,
    sight: Sight<'a, P>,
    own: usize,
}

impl<P: Policy> Victims for Raid<'_, '_, P> {
    type Token = Ticket;
    type Walk<'a>
        = Walk<'a>
    where
        Self: 'a;

    fn procs(&self) -> usize {
        self.hand.w.procs()
    }

    fn walk(&self) -> Walk<'_> {
        let seed = self.hand.random();
        self.hand.w.order.walk(WalkStart { seed, own: self.own, victims: &self.sight })
    }

    fn step<'a>(&'a self, walk: &mut Walk<'a>) -> Option<usize> {
        walk.next()
    }

    fn is_called_away(&self) -> bool {
        false
    }

    fn is_other(&self, p: usize) -> bool {
        p != self.own && p < self.procs()
    }

    fn is_idle(&self, p: usize) -> bool {
        self.hand.w.ps[p].idle.get()
    }

    fn runs(&self, p: usize) -> bool {
        self.hand.w.ps[p].runs.get()
    }

    fn take_by_timers(&self, p: usize) -> Option<Popped<Ticket>> {
        if self.hand.run_timers_of(p) { self.hand.pop_local() } else { None }
    }

    fn steal_from(&self, p: usize, look: StealRound) -> Steal<Ticket> {
        let (hand, w) = (self.hand, self.hand.w);
        w.counts.looks.add(1);
        hand.spend(w.costs.path.look);
        hand.read(&w.ps[p].line);
        if !w.ps[p].thief.is_empty() {
            hand.catch_up();
        }
        let steal = w.ps[p].thief.steal_into(&mut w.ps[self.own].queue.borrow_mut(), look);
        let Steal::Taken(_) = steal else {
            w.counts.wasted_looks.add(1);
            return steal;
        };
        let moved = 1 + w.ps[self.own].thief.len();
        w.counts.steals.add(1);
        w.counts.stolen.add(moved as u64);
        let costs = &w.queue_costs;
        hand.spend(costs.steal + costs.token * (moved - 1) as f64);
        if look.last && costs.last_round_fences {
            hand.spend(w.costs.machine.heavy_fence);
        }
        hand.write(&w.ps[p].line);
        if moved > 1 {
            hand.write(&w.ps[self.own].line);
        }
        steal
    }

    fn back_off(&self, pause: Duration) {
        self.hand.pause(pause.as_nanos() as f64);
    }
}

/// What a policy's order may ask about the Ps.
struct Sight<'a, P: Policy> {
    w: &'a World<P>,
    cpu: usize,
}

impl<P: Policy> contract::Victims for Sight<'_, P> {
    fn queued(&self, p: usize) -> usize {
        self.w.ps.get(p).map_or(0, |p| {
            let _paid_by_the_look_itself = p.line.read(self.cpu, &self.w.fabric);
            p.thief.len()
        })
    }

    fn cpu(&self, p: usize) -> Option<usize> {
        self.w.ps.get(p)?.cpu.get()
    }
}
