//! What becomes of a goroutine that left its stack. Go: `goschedImpl`, `park_m`, `goexit0` (proc.go, Go 1.27).

use super::G0;
use crate::contract::{Config, SharedQueue, Slot, StackAllocator};
use crate::ground::event::EventKind;
use crate::records::g::body::Outcome;
use crate::records::g::join::{Finish, Joiner, Waiter};
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Wait;
use crate::records::g::{Flags, G};
use crate::records::m::{Leave, ParkRequest};
use crate::records::p::timers::NEVER;
use core::ptr;
use core::sync::atomic::Ordering;

/// What an M does after a goroutine has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Looks for the next one.
    Next,
    /// Runs the same one on, on the same slice, through no queue: its park was called off.
    Resume,
    /// Its thread is to end.
    End,
}

impl<C: Config> G0<'_, C> {
    /// Acts on why `g` left.
    #[inline(always)]
    pub(super) fn after(&self, g: &'static G, leave: Leave) -> After {
        match leave {
            Leave::Yield => self.yielded(g, EventKind::GoStop),
            Leave::SliceOver => self.yielded(g, EventKind::GoPreempt),
            Leave::YieldLocal => self.yielded_local(g),
            Leave::Park => return self.park(g, self.m.park.get()),
            Leave::Exit if self.exit(g) => {}
            Leave::Exit => return After::End,
            Leave::LostP => self.lost_p(g),
            Leave::WantsThread => self.wants_thread(g),
            Leave::Nothing | Leave::SystemStack => {
                crate::fatal!(
                    "a goroutine leaves with a reason",
                    "goroutine {} left with {leave:?}",
                    g.title()
                )
            }
        }
        After::Next
    }

    /// Queues a goroutine that yielded to everybody.
    #[inline(always)]
    fn yielded(&self, g: &'static G, how: EventKind) {
        let runnable = self.to_runnable(g, how);
        if g.is_inboxed() {
            return self.m.inbox.push(runnable);
        }
        // SAFETY: this M holds a P during the push.
        let queues = unsafe { self.sched.queues() };
        self.sched.policy(self.m, || queues.push_shared(runnable));
        if !queues.of_only_p() {
            self.sched.wake_for_submission(self.m);
        }
    }

    /// Queues a goroutine that yielded within its P.
    fn yielded_local(&self, g: &'static G) {
        let runnable = self.to_runnable(g, EventKind::GoStop);
        if g.is_inboxed() {
            return self.m.inbox.push(runnable);
        }
        self.sched.push_local(self.m, runnable, Slot::Back);
        self.sched.wake_for_submission(self.m);
    }

    #[inline(always)]
    pub(super) fn to_runnable(&self, g: &'static G, how: EventKind) -> Runnable {
        self.sched.track_runnable(g);
        self.sched.emit(how, g, Some(self.m), 0);
        g.word.to_yielded();
        // SAFETY: we have just made it Runnable.
        unsafe { Runnable::new(g) }
    }

    /// Parks a goroutine that is off its stack by now.
    #[inline]
    fn park(&self, g: &'static G, request: ParkRequest) -> After {
        // SAFETY: the goroutine is off its stack, and has asked for this.
        let (wait, stays) = unsafe { self.sched.commit_park(self.m, g, request) };
        if !stays {
            return self.resume(g, wait);
        }
        if request.deadline != NEVER && g.word.is_in(wait) {
            let p = &self.p_shared().core;
            let earliest = p.timers.add_deadline(request.deadline, Parked::new(g, wait));
            if earliest && self.sched.procs() > 1 {
                self.sched.timer_added(request.deadline);
            }
        }
        After::Next
    }

    /// Runs a goroutine on whose park was called off, unless a closing runtime has ended its wait first.
    ///
    /// A goroutine whose parks are called off again and again would never let its M look at the attention word: if there
    /// is something to attend to, it is the next to run after that.
    #[inline(never)]
    fn resume(&self, g: &'static G, wait: Wait) -> After {
        if self.is_wanted() {
            return self.resume_later(g, wait);
        }
        if !g.word.to_resumed(wait) {
            return After::Next;
        }
        if let Some(popped) = self.m.at_hand.take() {
            self.sched.push_local(self.m, popped.token, Slot::Next);
            self.sched.wake_for_submission(self.m);
        }
        g.wake.set(crate::records::g::Wake::Woken);
        After::Resume
    }

    /// Queues a goroutine whose park was called off: before what a hop has left to this M.
    #[cold]
    fn resume_later(&self, g: &'static G, wait: Wait) -> After {
        if let Some(popped) = self.m.at_hand.take() {
            self.sched.push_local(self.m, popped.token, Slot::Next);
        }
        if g.word.to_ready(wait) {
            g.wake.set(crate::records::g::Wake::Woken);
            // SAFETY: the wait was ours to end, so this is the only Runnable for it.
            let runnable = unsafe { Runnable::new(g) };
            if g.is_inboxed() {
                self.m.inbox.push(runnable);
            } else {
                self.sched.push_local(self.m, runnable, Slot::Next);
            }
        }
        self.sched.wake_for_submission(self.m);
        After::Next
    }

    /// Ends a goroutine. Go: `gdestroy`.
    #[inline]
    fn exit(&self, g: &'static G) -> bool {
        self.sched.emit(EventKind::GoDestroy, g, Some(self.m), 0);
        // A lock that its unwinding took is not a leaked one: the panic was caught, and has left nothing on the thread.
        let leaked_lock = g.locks.get() > u16::from(g.has(Flags::PANICKING));
        let main_returned =
            g.number.get() == 1 && matches!(g.outcome.get(), Outcome::Value | Outcome::Panicked);
        self.take_stack_back(g);
        if g.has(Flags::PINNED) {
            self.m.pinned.set(self.m.pinned.get() - 1);
        }
        self.m.locked_g.set(ptr::null());
        g.set_home(ptr::null());
        g.locks.set(0);
        g.unset(Flags::LOCKED);
        g.unset(Flags::PANICKING);
        g.word.to_exited();
        self.m.set_ending(true);
        if g.has(Flags::SYSTEM) {
            self.sched.system.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.p_shared().core.counters.count_exit();
        }
        // From here on the record may be somebody else's.
        self.finish(g);
        self.m.set_ending(false);
        if main_returned {
            self.sched.main_returned();
        } else {
            self.sched.finish_if_waited_for();
        }
        if leaked_lock {
            self.m.doomed.set(true);
        }
        if self.m.doomed.get() && self.m.pinned.get() == 0 && self.m.inbox.is_empty() {
            // The thread's state is a goroutine's doing: it ends with it, or with the last one that is pinned to it.
            self.m.doomed.set(false);
            let p = self.release();
            self.sched.hand_off(p);
            return false;
        }
        true
    }

    fn take_stack_back(&self, g: &'static G) {
        g.context.set(crate::contract::Context::NULL);
        let Some(stack) = g.stack.take() else { return };
        let mut p = self.p();
        // Only one of the default size is worth keeping.
        let rest = if g.has(Flags::EXTRA) { Some(stack) } else { p.keep_spare(stack) };
        if let Some(stack) = rest {
            // SAFETY: A5: it came from these stacks, and the goroutine has left it for good.
            unsafe { self.sched.stacks.free(&mut p.owner().stacks, stack) };
        }
        if self.sched.waiting_for_stack.load(Ordering::Relaxed) != 0 {
            self.serve_stack_waiter();
        }
    }

    #[cold]
    fn serve_stack_waiter(&self) {
        // The free stack must be where any P can find it.
        self.p().flush_stacks(&self.sched.stacks);
        let mut lists = self.sched.lock();
        if let Some(waiter) = lists.without_stack.pop_front() {
            self.sched.waiting_for_stack.store(lists.without_stack.len(), Ordering::Relaxed);
            drop(lists);
            self.sched.shared.push(waiter);
            self.sched.wake_for_submission(self.m);
        }
    }

    /// Publishes an ended goroutine's outcome, and frees the record if nobody wants it.
    #[inline]
    pub(super) fn finish(&self, g: &'static G) {
        match g.join.finish() {
            Finish::LeftToHandle => {}
            Finish::Tell(waiter) => {
                // SAFETY: `finish` gave it to us, once.
                match unsafe { Waiter::take(waiter) } {
                    // SAFETY: the joiner put its token there, once.
                    Some(Joiner::G(g, wait)) => self.tell_joiner(unsafe { Parked::from_raw(g, wait) }),
                    Some(Joiner::Thread(thread)) => thread.unpark(),
                    Some(Joiner::Task(waker)) => crate::entering::foreign::wake_task(waker),
                    None => {}
                }
            }
            Finish::Detached => self.finish_detached(g),
        }
    }

    /// Readies the goroutine that waits for one that has just ended on this P.
    #[inline]
    fn tell_joiner(&self, parked: Parked) {
        let (g, wait) = parked.into_parts();
        let near = g.is_of(&self.sched.header) && !g.has(Flags::PINNED);
        if !near {
            crate::waiting::ready::ready(g, wait, crate::records::g::Wake::Woken);
        } else if g.word.to_ready(wait) {
            g.wake.set(crate::records::g::Wake::Woken);
            // SAFETY: the wait was ours to end, so this is the only Runnable for it.
            self.sched.ready_unpinned(self.m, unsafe { Runnable::new(g) });
        }
    }

    fn finish_detached(&self, g: &'static G) {
        // A payload may be of any type.
        let matters = match g.outcome.get() {
            Outcome::Value => g.table.get().drop_matters,
            outcome => outcome == Outcome::Panicked,
        };
        if matters {
            return self.drop_on_a_stack(g);
        }
        // SAFETY: this M holds the P.
        unsafe { crate::life::handle::put_free(&self.p_shared().core, g) };
    }

    /// A result or payload that nobody wants: its destructor is the user's code and must not run on g0, so the record
    /// runs once more to drop it.
    #[cold]
    fn drop_on_a_stack(&self, g: &'static G) {
        g.set(Flags::DROPPING);
        g.unset(Flags::STARTED);
        // Unparkers of the goroutine that has ended are not this one's.
        g.unset(Flags::OWNS_PERMIT);
        g.join.reset_detached();
        g.word.to_spawned();
        g.set(Flags::SYSTEM);
        self.sched.system.fetch_add(1, Ordering::Relaxed);
        // SAFETY: just made Runnable, once.
        self.sched.push_local(self.m, unsafe { Runnable::new(g) }, Slot::Back);
    }

    /// A goroutine came back from a blocking call, and no P was to be had: it queues, its M sleeps.
    #[cold]
    fn lost_p(&self, g: &'static G) {
        self.sched.track_runnable(g);
        g.word.to_requeued();
        // SAFETY: we have just made it Runnable.
        let runnable = unsafe { Runnable::new(g) };
        if !g.home().is_null() {
            return self.lost_p_at_home(g, runnable);
        }
        let mut lists = self.sched.lock();
        // Under the lock: a P that goes idle from here on is released after our push, and its M looks again.
        let idle = self.sched.take_idle_p(&mut lists);
        self.sched.shared.push(runnable);
        drop(lists);
        if let Some(p) = idle {
            self.acquire(p);
        }
    }

    fn lost_p_at_home(&self, g: &'static G, runnable: Runnable) {
        if g.has(Flags::LOCKED) {
            self.sched.shared.push(runnable);
            self.sched.wake_from_outside();
        } else {
            self.m.inbox.push(runnable);
        }
    }
}
