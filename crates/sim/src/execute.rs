//! A virtual M runs goroutines. It follows `g0.rs`, `g0/execute.rs`, `g0/leave.rs`, `g0/exit.rs` and `g0/hop.rs` of
//! gmp-core.

use crate::hand::Hand;
use crate::memory::Thing;
use crate::ticket::Ticket;
use crate::workload::Do;
use gmp_core::contract::{Policy, Popped, Slot};
use gmp_core::search::look_everywhere;

/// The goroutine that ends the run.
pub(crate) const MAIN: usize = 0;

/// Whether a goroutine goes on after a step, or how it leaves its stack.
#[derive(Clone, Copy, PartialEq)]
enum Then {
    GoOn,
    /// It parks: its M may hop.
    Parks,
    /// It ends: its M may hop, or begin the next goroutine on the same stack.
    Ends,
    /// By g0, which has something to see to.
    Leaves,
}

impl<P: Policy> Hand<'_, P> {
    /// An M's life. Core: `schedule`, `next`.
    pub(crate) fn schedule(&self) {
        self.take_next_p();
        loop {
            if self.m.p.get().is_none() {
                self.stop_m();
                continue;
            }
            let Some(popped) = look_everywhere(self) else { continue };
            if popped.inherits && self.w.ps[self.p()].slice_is_over.get() {
                self.end_slice(popped.token);
                continue;
            }
            if self.m.spinning.take() {
                self.w.idle.give_up();
                self.write_locked(&self.w.idle_line);
                self.wake_the_next();
            }
            self.spend(self.w.costs.path.by_g0);
            let mut next = Some(popped);
            while let Some(popped) = next {
                let left = self.execute(popped);
                next = self.hop(left);
            }
        }
    }

    /// Queues it at the shared queue's tail, as if it had been preempted in its first instruction.
    fn end_slice(&self, ticket: Ticket) {
        self.w.ps[self.p()].slice_is_over.set(false);
        let g = ticket.goroutine();
        self.w.with(g, |g| g.ticket = Some(ticket));
        self.push_shared(g);
        self.wake_for_submission();
    }

    /// The goroutine to switch to without a stop at g0, if g0 would do nothing but pop it. Core: `next_at_hand`,
    /// `is_more_to_do`, `keep_or_run`, `take_next`.
    fn hop(&self, left: Then) -> Option<Popped<Ticket>> {
        if !matches!(left, Then::Parks | Then::Ends) {
            return None;
        }
        let p = &self.w.ps[self.p()];
        let shared_has_its_turn =
            p.tick.get().is_multiple_of(P::RULES.shared_tick) && !self.shared_is_empty();
        if !p.timers.borrow().is_empty() || p.slice_is_over.get() || shared_has_its_turn {
            return None;
        }
        let popped = self.pop_local()?;
        let begun = self.w.with(popped.token.goroutine(), |record| record.stack.is_some());
        if begun || (left == Then::Parks && self.w.store.stacks.has(self.p())) {
            self.spend(self.w.costs.path.hop);
        } else if left == Then::Parks {
            self.at_hand.set(Some(popped));
            return None;
        }
        Some(popped)
    }

    /// Runs a goroutine until it leaves.
    fn execute(&self, popped: Popped<Ticket>) -> Then {
        let p = &self.w.ps[self.p()];
        let g = popped.token.goroutine();
        if !popped.inherits {
            p.tick.set(p.tick.get().wrapping_add(1));
            p.slice_is_over.set(false);
        }
        let (record, stack, cpu, since) = self.w.with(g, |record| {
            record.ticket = Some(popped.token);
            let cpu = std::mem::replace(&mut record.cpu, self.m.cpu);
            (record.record, record.stack, cpu, record.runnable_since)
        });
        if cpu != self.m.cpu {
            self.w.counts.migrations.add(1);
            self.w.counts.far_migrations.add(u64::from(!self.w.fabric.machine.is_near(cpu, self.m.cpu)));
        }
        let stack = stack.unwrap_or_else(|| {
            self.spend(self.w.costs.path.first_run);
            let stack = self.w.store.stacks.take(self.p());
            self.w.with(g, |record| record.stack = Some(stack));
            stack
        });
        self.touch(Thing::Record(record));
        self.touch(Thing::Stack(stack));
        self.catch_up();
        let begin = self.now();
        self.w.counts.dispatches.add(1);
        self.w.counts.waits.borrow_mut().add(begin - since);
        p.runs.set(true);
        let then = loop {
            let then = self.step(g);
            if then != Then::GoOn {
                break then;
            }
        };
        p.runs.set(false);
        self.w.counts.running.add(self.now() - begin);
        self.w.store.memory.keep(Thing::Record(record), self.m.cpu);
        self.w.store.memory.keep(Thing::Stack(stack), self.m.cpu);
        then
    }

    /// One step of the goroutine that runs here.
    fn step(&self, g: usize) -> Then {
        let pending = self.w.with(g, |record| record.pending.take());
        let what = pending.unwrap_or_else(|| {
            let mut task = self.w.with(g, |record| std::mem::take(&mut record.task));
            let what = self.w.program.borrow_mut().step(g, &mut task);
            self.w.with(g, |record| record.task = task);
            what
        });
        let computes = matches!(what, Do::Work(_) | Do::Exit);
        if !computes && self.w.ps[self.p()].slice_is_over.take() {
            self.w.with(g, |record| record.pending = Some(what));
            self.push_shared(g);
            self.wake_for_submission();
            return Then::Leaves;
        }
        self.act(g, what)
    }

    fn act(&self, g: usize, what: Do) -> Then {
        let path = &self.w.costs.path;
        match what {
            Do::Work(ns) => {
                self.spend(ns);
                self.catch_up();
            }
            Do::Spawn(task) => {
                self.spend(path.spawn);
                let child = self.w.new_goroutine(task, self.p(), self.m.cpu);
                self.w.with(g, |record| record.task.children.push(child));
                self.touch(Thing::Record(self.w.with(child, |child| child.record)));
                self.push_local(child, Slot::Next);
                self.wake_for_submission();
            }
            Do::Join(child) => {
                self.catch_up();
                let done = self.w.with(child, |record| {
                    record.joiner = (!record.done).then_some(g);
                    record.done
                });
                if !done {
                    return self.park(g);
                }
                self.spend(path.join);
                let record = self.w.with(child, |child| child.record);
                self.touch(Thing::Record(record));
                self.w.store.records.give(self.p(), record);
            }
            Do::Share(word) => self.write_locked(&self.w.word(word)),
            Do::Unpark(other) | Do::Send(other) => {
                if matches!(what, Do::Send(_)) {
                    self.spend(path.chan);
                }
                self.catch_up();
                let parked = self.w.with(other, |record| {
                    record.permit = !record.parked;
                    std::mem::take(&mut record.parked)
                });
                if parked {
                    self.ready(other);
                }
            }
            Do::Park => {
                self.catch_up();
                if !self.w.with(g, |record| std::mem::take(&mut record.permit)) {
                    return self.park(g);
                }
            }
            Do::Sleep(ns) => {
                self.w.with(g, |record| record.parked = true);
                self.add_timer(g, ns);
                return Then::Leaves;
            }
            Do::Exit => {
                self.exit(g);
                return Then::Ends;
            }
        }
        Then::GoOn
    }

    fn park(&self, g: usize) -> Then {
        self.w.with(g, |record| record.parked = true);
        Then::Parks
    }

    fn exit(&self, g: usize) {
        self.spend(self.w.costs.path.exit);
        self.catch_up();
        if g == MAIN {
            return self.end();
        }
        self.w.counts.ended();
        let (joiner, record, stack) = self.w.with(g, |record| {
            record.done = true;
            (record.joiner, record.record, record.stack)
        });
        if let Some(stack) = stack {
            self.w.store.stacks.give(self.p(), stack);
        }
        if let Some(joiner) = joiner {
            self.w.with(joiner, |record| record.parked = false);
            self.ready(joiner);
            // The joiner frees it when it has the result, which is soon, and mostly on the same P.
            self.w.store.records.give(self.p(), record);
        }
    }
}
