//! Exit: the end of a goroutine. Go: `goexit0`, `gdestroy` (proc.go, Go 1.27).
//!
//! ```text
//!   on its own stack, its code and all destructors are over
//!     anything unusual? ── yes ──► leave for g0, which does all that follows
//!     word: Running → Free; the joiner is readied or the record freed      (from here on the record is anybody's)
//!     next: what g0 would run now
//!       one that has not run yet ──► it starts on this stack, emptied
//!       one that has             ──► the stack is the P's spare; leave for it
//!       none at hand             ──► the stack is the P's spare; leave for g0, which looks further
//! ```
//!
//! **Invariant.** Once the record has been let go, nothing of the goroutine is used but its stack, and this M has that
//! to itself until it has left it: the P's spares belong to the P's holder alone. Whoever looks at the M meanwhile
//! finds it in the scheduler (no goroutine in `m.running`, and the slot says so, too) until the next goroutine has
//! arrived.

use super::G0;
use crate::contract::{Config, Context, Slot};
use crate::entering::caller::set_scheduler;
use crate::entering::foreign;
use crate::ground::event::EventKind;
use crate::records::g::body::Outcome;
use crate::records::g::join::{Finish, Joiner, Waiter};
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::M;
use crate::records::m::hopped::Errand;
use crate::records::recorder::kind;
use crate::shared::sched::{Sched, SlotOf};
use core::ptr;
use core::sync::atomic::Ordering;
use core::task::Waker;

/// How the stack of a goroutine that has ended is left.
pub(super) enum Ended {
    /// For this context.
    Left(Context),
    /// Not at all: this goroutine starts on it.
    Again(&'static G),
    /// For g0, which is to do everything.
    ByG0,
}

impl<C: Config> Sched<C> {
    /// Ends `g`, which runs on `m` and calls this on its own stack, if there is nothing unusual about it.
    ///
    /// # Safety
    /// Nothing of the goroutine is used afterwards but its stack, which is left at once as the result says.
    #[inline]
    pub(super) unsafe fn exit_from(&self, m: &M, g: &'static G) -> Ended {
        if self.header.events.is_on() {
            // SAFETY: as the caller promises.
            return unsafe { self.exit_observed(m, g) };
        }
        // SAFETY: as the caller promises.
        unsafe { self.exit_as::<false>(m, g) }
    }

    /// [`Sched::exit_from`] where events are recorded, or told to a sink.
    ///
    /// # Safety
    /// The same as there.
    #[cold]
    #[inline(never)]
    unsafe fn exit_observed(&self, m: &M, g: &'static G) -> Ended {
        if self.tells_sinks() {
            return Ended::ByG0;
        }
        // SAFETY: as the caller promises.
        unsafe { self.exit_as::<true>(m, g) }
    }

    /// # Safety
    /// As for [`Sched::exit_from`].
    #[inline(always)]
    unsafe fn exit_as<const RECORDED: bool>(&self, m: &M, g: &'static G) -> Ended {
        let number = g.number.get();
        let plain = !g.has(Flags::ENDS_BY_G0) && g.locks.get() == 0 && g.number.get() != 1 && !m.doomed.get();
        let Some(p) = self.p_to_hop_on(m).filter(|_| plain) else { return Ended::ByG0 };
        // SAFETY: we are on this M's thread, and it holds a P.
        let mut owned = unsafe { self.p_of(m) };
        if owned.has_all_spares() || self.waiting_for_stack.load(Ordering::Relaxed) != 0 {
            return Ended::ByG0;
        }
        let Some(stack) = g.stack.take() else { return Ended::ByG0 };
        m.set_running(ptr::null());
        set_scheduler::<SlotOf<C>>(m);
        g.context.set(Context::NULL);
        g.word.to_exited();
        m.set_ending(true);
        p.counters.count_exit();
        let task = self.finish_goroutine(m, g);
        m.set_ending(false);
        self.finish_if_waited_for();
        let next = if let Some(waker) = task {
            // Foreign code: it runs on g0, since this goroutine's thread-locals are gone.
            m.task_to_wake.set(Some(waker));
            None
        } else {
            self.take_next(m)
        };
        if RECORDED {
            match next {
                Some(next) => self.record_hop(kind::HOP_EXIT, number, next, m, 0),
                None => self.record_end(number, m),
            }
        }
        match next {
            Some(next) if !next.has(Flags::AT_ONCE) => {
                m.hopped.set(g, Errand::Ended);
                next.stack.set(Some(stack));
                next.set(Flags::BEGUN);
                next.set_m(m);
                next.word.to_running();
                Ended::Again(next)
            }
            next => {
                // There was room for it, and nobody else keeps any here.
                let rest = owned.keep_spare(stack);
                debug_assert!(rest.is_none());
                let Some(next) = next else { return Ended::Left(m.g0.get()) };
                m.hopped.set(g, Errand::Ended);
                next.set_m(m);
                next.word.to_running();
                Ended::Left(next.context.get())
            }
        }
    }
}

impl<C: Config> G0<'_, C> {
    /// Ends a goroutine. Go: `gdestroy`.
    #[inline]
    pub(super) fn exit(&self, g: &'static G) -> bool {
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
            // The goroutine has changed this thread's state, so the thread ends with it, or with the last goroutine
            // pinned to it.
            self.m.doomed.set(false);
            let p = self.release();
            self.sched.hand_off(p);
            return false;
        }
        true
    }

    /// Calls [`Sched::finish_goroutine`], and wakes the task that it returns.
    #[inline]
    pub(super) fn finish(&self, g: &'static G) {
        if let Some(waker) = self.sched.finish_goroutine(self.m, g) {
            foreign::wake_task(waker);
        }
    }

    /// Wakes the task that waited for a goroutine which has ended on its own stack, if one did.
    #[inline]
    pub(super) fn wake_task_of_ended(&self) {
        if let Some(waker) = self.m.task_to_wake.take() {
            foreign::wake_task(waker);
        }
    }

    fn take_stack_back(&self, g: &'static G) {
        g.context.set(crate::contract::Context::NULL);
        let Some(stack) = g.stack.take() else { return };
        let mut p = self.p();
        // Only one of the default size is worth keeping.
        let rest = if g.has(Flags::EXTRA) { Some(stack) } else { p.keep_spare(stack) };
        if let Some(stack) = rest {
            // SAFETY: A5: it came from these stacks, and the goroutine has left it for good.
            unsafe { p.free_used(&self.sched.stacks, stack) };
        }
        if self.sched.waiting_for_stack.load(Ordering::Relaxed) != 0 {
            self.serve_stack_waiter();
        }
    }

    #[cold]
    fn serve_stack_waiter(&self) {
        // The free stack must be where every P can find it.
        self.p().flush_stacks(&self.sched.stacks);
        let mut lists = self.sched.lock();
        if let Some(waiter) = lists.without_stack.pop_front() {
            self.sched.waiting_for_stack.store(lists.without_stack.len(), Ordering::Relaxed);
            drop(lists);
            self.sched.push_shared_on(self.m, waiter);
            self.sched.wake_for_submission(self.m);
        }
    }
}

impl<C: Config> Sched<C> {
    /// Publishes an ended goroutine's outcome, and frees the record if nobody wants it. A task that waits for it is left
    /// to the caller to wake.
    #[must_use]
    #[inline]
    fn finish_goroutine(&self, m: &M, g: &'static G) -> Option<Waker> {
        match g.join.finish() {
            Finish::LeftToHandle => {}
            Finish::Tell(waiter) => {
                // SAFETY: `finish` gave it to us, once.
                match unsafe { Waiter::take(waiter) } {
                    // SAFETY: the joiner put its token there, once.
                    Some(Joiner::G(g, wait)) => self.tell_joiner_on(m, unsafe { Parked::from_raw(g, wait) }),
                    Some(Joiner::Thread(thread)) => thread.unpark(),
                    Some(Joiner::Task(waker)) => return Some(waker),
                    None => {}
                }
            }
            Finish::Detached => self.finish_detached(m, g),
        }
        None
    }

    /// Readies the goroutine that waits for one that has just ended on this P.
    #[inline]
    fn tell_joiner_on(&self, m: &M, parked: Parked) {
        let (g, wait) = parked.into_parts();
        let near = g.is_of(&self.header) && !g.has(Flags::PINNED);
        if !near {
            crate::waiting::ready::ready(g, wait, crate::records::g::Wake::Woken);
        } else if g.word.to_ready(wait) {
            g.wake.set(crate::records::g::Wake::Woken);
            // SAFETY: the wait was ours to end, so this is the only Runnable for it.
            self.ready_unpinned(m, unsafe { Runnable::new(g) });
        }
    }

    fn finish_detached(&self, m: &M, g: &'static G) {
        if g.outcome_matters() {
            return self.drop_on_a_stack(m, g);
        }
        let Some(p) = m.p_core() else { crate::fatal!("a goroutine ends on a P", "{} has none", g.title()) };
        // SAFETY: this M holds the P.
        unsafe { crate::life::handle::put_free(p, g) };
    }

    /// A result or payload that nobody wants: its destructor is the user's code and must not run on g0, so the record
    /// runs once more to drop it.
    #[cold]
    fn drop_on_a_stack(&self, m: &M, g: &'static G) {
        g.set(Flags::DROPPING);
        g.unset(Flags::BEGUN);
        g.unset(Flags::CODE_OVER);
        // Unparkers of the goroutine that has ended must not reach this one.
        g.unset(Flags::OWNS_PERMIT);
        g.join.reset_detached();
        g.word.to_spawned();
        g.set(Flags::SYSTEM);
        self.system.fetch_add(1, Ordering::Relaxed);
        // SAFETY: just made Runnable, once.
        self.push_local(m, unsafe { Runnable::new(g) }, Slot::Back);
    }
}
