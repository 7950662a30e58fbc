//! A virtual M runs goroutines. It follows `g0.rs`, `g0/execute.rs` and `g0/leave.rs` of gmp-core.

use crate::hand::Hand;
use crate::ticket::Ticket;
use crate::workload::Do;
use gmp_core::contract::{Policy, Popped, Slot};
use gmp_core::search::look_everywhere;

/// The goroutine that ends the run.
pub(crate) const MAIN: usize = 0;

/// Whether a goroutine goes on after a step.
#[derive(PartialEq)]
enum Then {
    GoOn,
    Leave,
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
            self.execute(popped);
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

    fn execute(&self, popped: Popped<Ticket>) {
        let (p, path) = (&self.w.ps[self.p()], &self.w.costs.path);
        let g = popped.token.goroutine();
        if !popped.inherits {
            p.tick.set(p.tick.get().wrapping_add(1));
            p.slice_is_over.set(false);
        }
        let nth = self.w.ran[self.m.cpu].get() + 1;
        self.w.ran[self.m.cpu].set(nth);
        let (started, cpu, ran, since) = self.w.with(g, |record| {
            record.ticket = Some(popped.token);
            let cpu = std::mem::replace(&mut record.cpu, self.m.cpu);
            let ran = std::mem::replace(&mut record.ran, nth);
            (std::mem::replace(&mut record.started, true), cpu, ran, record.runnable_since)
        });
        let hops = self.m.hops.take() && started && p.timers.borrow().is_empty();
        self.spend(if hops { path.hop } else { path.dispatch });
        if !started {
            self.spend(path.first_run);
        }
        if cpu != self.m.cpu {
            self.w.counts.migrations.add(1);
            self.w.counts.far_migrations.add(u64::from(!self.w.fabric.machine.is_near(cpu, self.m.cpu)));
            self.spend(self.w.fabric.transfer(cpu, self.m.cpu) as f64 / 1e3 * path.lines);
        } else if started {
            self.spend(self.w.costs.machine.cold_after(nth - ran));
        }
        self.catch_up();
        let begin = self.now();
        self.w.counts.dispatches.add(1);
        self.w.counts.waits.borrow_mut().add(begin - since);
        p.runs.set(true);
        while self.step(g) == Then::GoOn {}
        p.runs.set(false);
        self.w.counts.running.add(self.now() - begin);
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
            return Then::Leave;
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
                let child = self.w.new_goroutine(task, self.m.cpu);
                self.w.with(g, |record| record.task.children.push(child));
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
            }
            Do::Unpark(other) => {
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
                return Then::Leave;
            }
            Do::Exit => {
                self.exit(g);
                return Then::Leave;
            }
        }
        Then::GoOn
    }

    fn park(&self, g: usize) -> Then {
        self.w.with(g, |record| record.parked = true);
        self.m.hops.set(true);
        Then::Leave
    }

    fn exit(&self, g: usize) {
        self.spend(self.w.costs.path.exit);
        self.catch_up();
        if g == MAIN {
            return self.end();
        }
        self.w.counts.ended();
        let joiner = self.w.with(g, |record| {
            record.done = true;
            record.joiner
        });
        if let Some(joiner) = joiner {
            self.w.with(joiner, |record| record.parked = false);
            self.ready(joiner);
        }
    }
}
