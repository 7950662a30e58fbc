//! What becomes of a goroutine that left its stack. Go: `goschedImpl`, `park_m`, `goexit0` (proc.go, Go 1.27).

use super::G0;
use crate::contract::{Config, Slot};
use crate::ground::event::EventKind;
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::word::Wait;
use crate::records::g::{Flags, G};
use crate::records::m::{Leave, ParkRequest};
use crate::records::p::timers::NEVER;

/// What an M does after a goroutine has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Looks for the next one.
    Next,
    /// Goes on with the same one, in the same slice and through no queue: its park was called off.
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

    /// Queues a goroutine that yielded to all others.
    #[inline(always)]
    fn yielded(&self, g: &'static G, how: EventKind) {
        let runnable = self.to_runnable(g, how);
        self.sched.count_runnable(&self.p_shared().core, g);
        if g.is_inboxed() {
            return self.yielded_pinned(runnable, how);
        }
        // SAFETY: this M holds a P during the push.
        let queues = unsafe { self.sched.queues() };
        self.sched.policy(self.m, || queues.push_shared(runnable));
        if !queues.of_only_p() {
            self.sched.wake_for_submission(self.m);
        }
    }

    /// Queues a pinned goroutine that yielded to all others.
    #[cold]
    fn yielded_pinned(&self, runnable: Runnable, how: EventKind) {
        if matches!(how, EventKind::GoPreempt) {
            self.p_shared().core.turns.pinned_slice_is_over(self.sched.header.now());
        }
        self.m.inbox.push(runnable);
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
        self.sched.emit(how, g, Some(self.m), 0);
        g.word.to_yielded();
        // SAFETY: we have just made it Runnable.
        unsafe { Runnable::new(g) }
    }

    /// Parks a goroutine that is off its stack by now.
    #[inline]
    fn park(&self, g: &'static G, request: ParkRequest) -> After {
        // SAFETY: the goroutine is off its stack, and has asked for this.
        let (wait, stays) = unsafe { self.sched.commit_park(self.m, g, None, request) };
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

    /// Goes on with a goroutine whose park was called off, unless a closing runtime has ended its wait first.
    ///
    /// A goroutine whose parks are called off again and again would never let its M look at the attention word. So if
    /// there is something to attend to, the goroutine is queued to run next after that.
    #[inline(never)]
    fn resume(&self, g: &'static G, wait: Wait) -> After {
        if self.is_wanted() {
            return self.resume_later(g, wait);
        }
        if !g.word.to_resumed(wait) {
            return After::Next;
        }
        self.sched.emit_recorded(EventKind::GoUnblock, g, self.m);
        if let Some(popped) = self.m.at_hand.take() {
            self.sched.push_local(self.m, popped.token, Slot::Next);
            self.sched.wake_for_submission(self.m);
        }
        g.wake.set(crate::records::g::Wake::Woken);
        After::Resume
    }

    /// Queues a goroutine whose park was called off, in front of what a hop has left to this M.
    #[cold]
    fn resume_later(&self, g: &'static G, wait: Wait) -> After {
        if let Some(popped) = self.m.at_hand.take() {
            self.sched.push_local(self.m, popped.token, Slot::Next);
        }
        if g.word.to_ready(wait) {
            g.wake.set(crate::records::g::Wake::Woken);
            // SAFETY: the wait was ours to end, so this is the only Runnable for it.
            let runnable = unsafe { Runnable::new(g) };
            self.sched.emit_recorded(EventKind::GoUnblock, g, self.m);
            if g.is_inboxed() {
                self.m.inbox.push(runnable);
            } else {
                self.sched.push_local(self.m, runnable, Slot::Next);
            }
        }
        self.sched.wake_for_submission(self.m);
        After::Next
    }

    /// A goroutine came back from a blocking call, and there was no P for it: it queues, and its M sleeps.
    #[cold]
    fn lost_p(&self, g: &'static G) {
        self.sched.time_runnable(g);
        g.word.to_requeued();
        // SAFETY: we have just made it Runnable.
        let runnable = unsafe { Runnable::new(g) };
        if !g.home().is_null() {
            return self.lost_p_at_home(g, runnable);
        }
        let mut lists = self.sched.lock();
        // We look under the lock: a P that goes idle from here on is released after our push, and its M looks again.
        let idle = self.sched.take_idle_p(&mut lists);
        self.sched.push_shared_on(self.m, runnable);
        drop(lists);
        if let Some(p) = idle {
            self.acquire(p);
        }
    }

    fn lost_p_at_home(&self, g: &'static G, runnable: Runnable) {
        if g.has(Flags::LOCKED) {
            self.sched.push_shared_on(self.m, runnable);
            self.sched.wake_from_outside();
        } else {
            self.m.inbox.push(runnable);
        }
    }
}
