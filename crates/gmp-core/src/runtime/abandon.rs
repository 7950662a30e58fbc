//! What a closing runtime does with goroutines that will never run again.
//!
//! Those that never started lose their closures, those that are suspended keep their stacks for ever (a stack may hold
//! guards that others rely on), and whoever waits for either is told `Abandoned`.

use crate::contract::{Config, QueueConfig, RunQueue, Steal, StealRound, Thief};
use crate::records::g::body::Outcome;
use crate::records::g::join::{Finish, Joiner, Waiter};
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Status;
use crate::records::g::{Flags, G, registry};
use crate::records::outsiders::wait_for_outsiders;
use crate::records::p::word::PStatus;
use crate::records::p::{OwnedP, QueueOf};
use crate::shared::reports::Leftover;
use crate::shared::sched::Sched;
use core::sync::atomic::Ordering;

/// So many may come into the queue meanwhile.
const SLACK: usize = 1024;

impl<C: Config> Sched<C> {
    /// Ends every goroutine that is queued or waits, and counts them in `Lists::left`. With the runtime closing; once by
    /// `run`, and by each M that comes late for that.
    pub(crate) fn abandon_the_rest(&self) {
        let mut left = Leftover::default();
        self.abandon_queued(&mut left);
        self.abandon_waiting(&mut left);
        // What plain threads and other runtimes were just queueing here. They hold no count of the runtime, so it must
        // not go before the last of them is through; nobody waits any more, so no other will come.
        wait_for_outsiders((&raw const self.header).cast());
        self.abandon_queued(&mut left);
        self.abandon_waiting(&mut left);
        let mut lists = self.lock();
        lists.left.suspended += left.suspended;
        lists.left.never_started += left.never_started;
    }

    /// What was left behind in all, with those on the hands of Ms that are still to come counted as running; and that part
    /// of it which is runnable in nobody's queue: a policy keeps it, or an M between user code and its end has it in hand,
    /// and will bring it.
    pub(crate) fn count_left(&self) -> (Leftover, Leftover) {
        let mut left = Leftover::default();
        let (late, lost) = self.abandon_waiting(&mut left);
        let mut lists = self.lock();
        lists.left.suspended += left.suspended;
        let counted = lists.left;
        let all = Leftover {
            suspended: counted.suspended + lost.suspended,
            never_started: counted.never_started + lost.never_started,
            running: late,
        };
        (all, lost)
    }

    /// Ends every goroutine that waits; counts those on the hands of Ms that come late, and those that are runnable in
    /// nobody's queue. One look at each, so that one that suspends meanwhile is counted once.
    fn abandon_waiting(&self, left: &mut Leftover) -> (usize, Leftover) {
        let (mut late, mut lost) = (0, Leftover::default());
        registry::for_each(|g| {
            let Some(status) = g.status_in(&self.header) else { return };
            match status {
                Status::Free => {}
                Status::Waiting => match self.settled_wait(g) {
                    Some(wait) if g.word.to_abandoned(wait) => {
                        left.suspended += 1;
                        self.abandon(g);
                    }
                    _ => late += 1,
                },
                Status::Running | Status::Blocked => late += 1,
                // A policy has dropped or kept it, or a late M's goroutine spawns it right now.
                Status::Runnable if g.has(Flags::STARTED) => lost.suspended += 1,
                Status::Runnable => lost.never_started += 1,
            }
        });
        (late, lost)
    }

    /// A policy has kept goroutines of a runtime that has run and is over: no M is left that could bring them, which the
    /// caller has made sure of. Those who wait for them are told.
    pub(crate) fn give_up_what_is_kept(&self) {
        let mut kept = Vec::new();
        registry::for_each(|g| {
            if g.status_in(&self.header) == Some(Status::Runnable) && !g.has(Flags::KEPT) {
                kept.push(g);
            }
        });
        for g in kept {
            g.set(Flags::KEPT);
            if !g.has(Flags::STARTED) && !g.has(Flags::DROPPING) {
                // SAFETY: it never ran, and nobody runs it any more: its runtime is over, and no other would.
                unsafe { self.drop_closure_of(g) };
            }
            self.abandon(g);
        }
    }

    /// Ends what is queued, in a runtime that will not run it.
    pub(crate) fn abandon_the_queued(&self) {
        self.abandon_queued(&mut Leftover::default());
    }

    /// The runtime goes, and a policy has kept goroutines of it that never ran: those who wait for them are told, and their
    /// records are never used again, since whoever has a `Runnable` may drop it, or queue it somewhere, at any time. It
    /// finds no runtime in the record then.
    pub(crate) fn disown_what_is_kept(&self) {
        let mut kept = Vec::new();
        registry::for_each(|g| {
            if g.status_in(&self.header) == Some(Status::Runnable) {
                g.outlive_runtime();
                kept.push(g);
            }
        });
        wait_for_outsiders((&raw const self.header).cast());
        for g in kept {
            g.set(Flags::KEPT);
            // SAFETY: it never ran in a runtime that goes: one that has left a started goroutine behind stays.
            unsafe { self.drop_closure_of(g) };
            self.abandon(g);
        }
    }

    /// Ends one that an M of the closing runtime has in hand and that nobody can run.
    pub(crate) fn abandon_one(&self, token: Runnable) {
        let mut left = Leftover::default();
        self.abandon_runnable(token, &mut left);
        let mut lists = self.lock();
        lists.left.suspended += left.suspended;
        lists.left.never_started += left.never_started;
    }

    fn abandon_queued(&self, left: &mut Leftover) {
        let (every_p, all_m) = {
            let mut lists = self.lock();
            while let Some(token) = lists.without_stack.pop_front() {
                self.push_shared(token);
            }
            while let Some(token) = lists.without_thread.pop_front() {
                self.push_shared(token);
            }
            (lists.every_p.clone(), [&lists.all_m[..], &lists.ended_ms[..]].concat())
        };
        // No more than there are: a goroutine that runs on beside this may spawn without end, and ends at its next call.
        let mut most = self.shared_len().saturating_add(SLACK);
        while most != 0
            && let Some(token) = self.pop_shared()
        {
            most -= 1;
            self.abandon_runnable(token, left);
        }
        // A P that a running goroutine's M still holds has no other way in than a thief's.
        let (mut own, its_thief) = self.policy_from_anywhere(|| QueueOf::<C>::new(&QueueConfig { seed: 0 }));
        let round = StealRound { last: true, victim_runs: false, backed_off: true };
        for p in &every_p {
            p.core.timers.clear();
            if self.procs() == 1 && p.core.word.status() == PStatus::Running {
                // The holder of the only P takes no heed of thieves. It empties the queue when it comes back.
                continue;
            }
            while let Steal::Taken(token) = self.policy_from_anywhere(|| p.thief.steal_into(&mut own, round))
            {
                self.abandon_runnable(token, left);
                while let Some(popped) = self.policy_from_anywhere(|| own.pop()) {
                    self.abandon_runnable(popped.token, left);
                }
            }
        }
        self.policy_from_anywhere(|| drop((own, its_thief)));
        for m in &all_m {
            while let Some(token) = m.inbox.pop() {
                self.abandon_runnable(token, left);
            }
        }
    }

    fn abandon_runnable(&self, token: Runnable, left: &mut Leftover) {
        if !token.g().is_of(&self.header) {
            self.refuse_stranger(token.g());
        }
        let g = token.into_g();
        if g.has(Flags::DROPPING) {
            return self.abandon_dropping(g);
        }
        let counts = usize::from(!g.has(Flags::SYSTEM));
        if g.has(Flags::STARTED) {
            left.suspended += counts;
        } else {
            left.never_started += counts;
            // SAFETY: it never started, and the only Runnable was used up here.
            unsafe { self.drop_closure_of(g) };
        }
        g.word.to_discarded();
        self.abandon(g);
    }

    /// # Safety
    /// As [`G::drop_closure`].
    unsafe fn drop_closure_of(&self, g: &G) {
        let rt = (&raw const self.header).cast();
        // SAFETY: as the caller says.
        crate::life::handle::while_abandoning(rt, || unsafe { g.drop_closure() });
    }

    /// It has ended and is counted, and was to run once more to drop its outcome: that is done here, or not at all.
    fn abandon_dropping(&self, g: &'static G) {
        if !g.has(Flags::STARTED) {
            // SAFETY: the outcome is there, nobody has the handle, and we used up the only Runnable.
            unsafe { g.drop_unwanted() };
        }
        g.stack.set(None);
        self.system.fetch_sub(1, Ordering::Relaxed);
        g.word.to_discarded();
        g.set_extra(None);
        registry::give_one(g);
    }

    /// Tells whoever waits for `g` that it will not come.
    fn abandon(&self, g: &'static G) {
        if g.has(Flags::SYSTEM) {
            self.system.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.outside.exited.fetch_add(1, Ordering::Relaxed);
        }
        g.outcome.set(Outcome::Abandoned);
        // A leaked stack is nobody's any more: the record may live on without it.
        if !g.stack.addresses().is_empty() {
            crate::records::standing::stack_is_left();
        }
        g.stack.set(None);
        match g.join.finish() {
            Finish::LeftToHandle => {}
            Finish::Tell(waiter) => {
                // SAFETY: `finish` gave it to us, once.
                match unsafe { Waiter::take(waiter) } {
                    Some(Joiner::Thread(thread)) => thread.unpark(),
                    Some(Joiner::Task(waker)) => crate::entering::foreign::wake_task(waker),
                    // SAFETY: the joiner put its token there, once.
                    Some(Joiner::G(g, wait)) => self.tell_joiner(unsafe { Parked::from_raw(g, wait) }),
                    None => {}
                }
            }
            Finish::Detached => crate::life::handle::give_to_registry(g),
        }
    }

    /// A joiner of this runtime is being abandoned like its goroutine; one of another runtime goes on.
    fn tell_joiner(&self, parked: Parked) {
        let (g, wait) = parked.into_parts();
        if !g.is_of(&self.header) {
            crate::waiting::ready::ready(g, wait, crate::records::g::Wake::Woken);
        }
    }
}

impl<C: Config> Sched<C> {
    /// A stack that a P keeps would count as one in use, and the memory beside it would stay for ever.
    fn give_spare_stacks_back(&mut self) {
        let every_p = self.lock().every_p.clone();
        for p in every_p {
            // SAFETY: nobody else has the runtime any more, so nobody uses the right to a P.
            unsafe { OwnedP::new(&p) }.flush_stacks(&self.stacks);
        }
    }
}

impl<C: Config> Drop for Sched<C> {
    fn drop(&mut self) {
        crate::records::living::leave(self.header.serial);
        // Of a runtime that never ran, or closed while a plain thread was spawning: nobody will run what is queued.
        self.abandon_the_queued();
        self.disown_what_is_kept();
        self.give_spare_stacks_back();
        // SAFETY: nobody else has the runtime any more, so nobody reads the table.
        unsafe {
            let guard = crossbeam_epoch::unprotected();
            let all = self.all_p.load(Ordering::Relaxed, guard);
            if !all.is_null() {
                drop(all.into_owned());
            }
        }
        self.drop_policy();
    }
}
