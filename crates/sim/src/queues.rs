//! The real queues in the hands of a virtual M: the calls, and what they cost. It follows `shared/queues.rs` and
//! `waking/submit.rs` of gmp-core.

use crate::hand::Hand;
use crate::ticket::Ticket;
use gmp_core::contract::{List, Policy, Popped, RunQueue, SharedQueue, Slot};

impl<P: Policy> Hand<'_, P> {
    /// Whether this M holds the only P, so that no queue needs locked instructions.
    pub(crate) fn is_alone(&self) -> bool {
        self.w.procs() == 1
    }

    /// The P in hand.
    pub(crate) fn p(&self) -> usize {
        self.m.p.get().expect("who comes here holds a P")
    }

    /// Pushes a goroutine onto the own queue; what that has no room for goes to the shared one.
    pub(crate) fn push_local(&self, g: usize, slot: Slot) {
        let (p, costs) = (&self.w.ps[self.p()], &self.w.queue_costs);
        let [push_next, push_back, _, lone, ..] = costs.local(self.is_alone());
        self.spend(match slot {
            _ if p.queue.borrow().is_empty() => lone / 2.0,
            Slot::Next => push_next,
            Slot::Back => push_back,
        });
        self.write(&p.line);
        self.catch_up();
        let ticket = self.made_runnable(g);
        let mut spilled = List::new();
        p.queue.borrow_mut().push(ticket, slot, &mut |batch: List<Ticket>| spilled.append(batch));
        if !spilled.is_empty() {
            self.w.counts.spilled.add(spilled.len() as u64);
            self.push_shared_batch(spilled);
        }
    }

    pub(crate) fn pop_local(&self) -> Option<Popped<Ticket>> {
        let (p, costs) = (&self.w.ps[self.p()], &self.w.queue_costs);
        self.catch_up();
        let popped = p.queue.borrow_mut().pop()?;
        let [_, _, pop, lone, ..] = costs.local(self.is_alone());
        self.spend(if p.queue.borrow().is_empty() { lone / 2.0 } else { pop });
        self.write(&p.line);
        Some(popped)
    }

    pub(crate) fn push_shared(&self, g: usize) {
        let ticket = self.made_runnable(g);
        self.push_shared_batch([ticket].into_iter().collect());
    }

    fn push_shared_batch(&self, batch: List<Ticket>) {
        let (count, costs) = (batch.len() as f64, &self.w.queue_costs);
        if self.is_alone() {
            self.spend(costs.alone[4] * count);
            self.catch_up();
        } else {
            self.hold(&self.w.shared_lock, costs.shared_push + costs.token * (count - 1.0));
            self.write(&self.w.shared_line);
        }
        self.w.shared.push_batch(batch);
    }

    pub(crate) fn pop_shared(&self) -> Option<Ticket> {
        self.use_shared();
        self.w.shared.pop()
    }

    /// Takes a share of the shared queue; what does not fit into the own queue goes back.
    pub(crate) fn pop_shared_batch(&self, limit: usize) -> Option<Ticket> {
        self.use_shared();
        let mut batch = self.w.shared.pop_batch(self.w.procs(), limit);
        let first = batch.pop_front();
        if !batch.is_empty() {
            self.spend(self.w.queue_costs.token * batch.len() as f64);
            self.write(&self.w.ps[self.p()].line);
            self.w.ps[self.p()].queue.borrow_mut().push_batch(&mut batch);
            if !batch.is_empty() {
                self.w.shared.push_front(batch);
            }
        }
        first
    }

    fn use_shared(&self) {
        if self.is_alone() {
            self.spend(self.w.queue_costs.alone[5]);
            self.catch_up();
        } else {
            self.hold(&self.w.shared_lock, self.w.queue_costs.shared_pop);
            self.write(&self.w.shared_line);
        }
    }

    pub(crate) fn shared_is_empty(&self) -> bool {
        if !self.is_alone() {
            self.read(&self.w.shared_line);
        }
        self.w.shared.is_empty()
    }

    /// Marks a goroutine as one that waits in line from here on.
    fn made_runnable(&self, g: usize) -> Ticket {
        let now = self.now();
        self.w.with(g, |g| {
            g.runnable_since = now;
            g.ticket.take().expect("a goroutine is queued once")
        })
    }
}
