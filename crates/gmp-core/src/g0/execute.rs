//! Execute: run one goroutine on this M. Go: `execute` (proc.go, Go 1.27).

use super::G0;
use crate::contract::{RunQueue, StackAllocator};
use crate::event::EventKind;
use crate::g::cargo::Outcome;
use crate::g::runnable::Runnable;
use crate::g::{Flags, G};
use crate::m::{Leave, M};
use crate::p::add_own;
use crate::sched::Config;
use core::ptr;
use core::sync::atomic::Ordering;

/// What came of binding a stack to a goroutine.
enum Bound {
    Yes,
    No(Runnable),
}

impl<C: Config> G0<'_, C> {
    /// Runs a goroutine and acts on why it left. `false`: this M's thread is to end.
    pub(crate) fn execute(&self, runnable: Runnable, inherits: bool) -> bool {
        let g = runnable.g();
        if !ptr::eq(g.rt.get(), &self.sched.header) {
            crate::fatal!(
                "a goroutine stays in its runtime",
                "policy {} was handed goroutine {} of another runtime",
                self.sched.header.policy,
                g.title()
            );
        }
        let home = g.home.get();
        if !home.is_null() && !ptr::eq(home, self.m) {
            // SAFETY: an M with a locked or pinned goroutine lives on.
            self.hand_to_home(runnable, unsafe { &*home });
            return true;
        }
        let runnable = match self.bind_stack(runnable) {
            Bound::Yes => return self.run(g, inherits && home.is_null()),
            Bound::No(runnable) => runnable,
        };
        self.wait_for_stack(runnable);
        true
    }

    #[inline]
    pub(super) fn run(&self, g: &'static G, inherits: bool) -> bool {
        let p = &self.p_shared().core;
        if !inherits {
            p.sched_tick.store(p.tick().wrapping_add(1), Ordering::Relaxed);
            p.preempt.store(false, Ordering::Relaxed);
        }
        g.word.to_running();
        self.observe_start(g);
        loop {
            self.switch_to(g);
            // SAFETY: a call on the system stack goes on at once, on the same M.
            if let Leave::SystemStack { call, data } = self.m.leave.get() {
                // SAFETY: the goroutine waits for this very call, with its data on its stack.
                unsafe { call(data, self.m) };
                continue;
            }
            break;
        }
        self.m.set_running(ptr::null());
        self.after(g, self.m.leave.replace(Leave::Nothing))
    }

    /// Gives a goroutine that runs for the first time its stack. Consumes the right to run it, or gives it back.
    #[inline]
    fn bind_stack(&self, runnable: Runnable) -> Bound {
        let g = runnable.g();
        if g.has(Flags::STARTED) {
            runnable.into_g();
            return Bound::Yes;
        }
        let size = g.stack_size(self.sched.header.stack_size);
        let mut p = self.p();
        if g.has(Flags::STACKLESS) {
            return Bound::No(runnable);
        }
        if self.sched.drops_instead_of_running(g) {
            return Bound::No(runnable);
        }
        match self.sched.stacks.allocate(&mut p.owner().stacks, size) {
            Ok(stack) => {
                g.context.set(self.first_context(&stack));
                g.stack.set(Some(stack));
                g.set(Flags::STARTED);
                if g.has(Flags::PINNED) {
                    g.home.set(self.m);
                    self.m.pinned.set(self.m.pinned.get() + 1);
                }
                runnable.into_g();
                Bound::Yes
            }
            Err(_) => Bound::No(runnable),
        }
    }

    /// Keeps a goroutine that got no stack until one is freed, or ends it if none can come.
    #[cold]
    fn wait_for_stack(&self, runnable: Runnable) {
        let g = runnable.g();
        if self.sched.drops_instead_of_running(g) {
            return self.end_unstarted(runnable, Outcome::Abandoned);
        }
        let hopeless = g.has(Flags::STACKLESS) || self.sched.stacks.figures().in_use == 0;
        if hopeless {
            if let Some(hook) = &self.sched.settings.on_out_of_stacks {
                hook(g.number.get());
            }
            return self.end_unstarted(runnable, Outcome::OutOfStacks);
        }
        let mut lists = self.sched.lock();
        lists.without_stack.push_back(runnable);
        self.sched.waiting_for_stack.store(lists.without_stack.len(), Ordering::Relaxed);
    }

    /// Ends a goroutine that never ran.
    #[cold]
    fn end_unstarted(&self, runnable: Runnable, outcome: Outcome) {
        let g = runnable.into_g();
        // SAFETY: it never ran, so its closure is there, and we hold its only Runnable.
        unsafe { crate::abandon::drop_closure(g) };
        g.outcome.set(outcome);
        g.word.to_discarded();
        add_own(&self.p_shared().core.counters.exited, 1);
        self.finish(g);
    }

    fn observe_start(&self, g: &G) {
        let since = g.since.get();
        if self.sched.header.events.is_on() {
            self.sched.emit(EventKind::GoStart, g, Some(self.m), 0);
            if since != 0 && g.tracking.get() & crate::submit::TRACKING_MASK == 0 {
                let waited = self.sched.header.now().saturating_sub(since);
                self.sched.emit(EventKind::SchedLatency, g, Some(self.m), waited);
            }
        }
    }

    /// A locked or pinned goroutine was found by an M that is not its own. Go: `startlockedm`.
    #[doc(alias = "startlockedm")]
    #[cold]
    fn hand_to_home(&self, runnable: Runnable, home: &M) {
        if !runnable.g().has(Flags::LOCKED) {
            // Pinned: its M may be running another goroutine, or be blocked in one.
            return self.sched.ready_pinned(runnable);
        }
        // Its M sleeps, or is about to, until it is given a P; the locked goroutine is what it will run.
        runnable.into_g();
        self.sched.lock().locked_idle -= 1;
        let p = self.release();
        home.next_p.set(p.into_core());
        home.note.wake();
        self.stop_m();
    }

    /// Whether the local queue is empty.
    pub(crate) fn local_is_empty(&self) -> bool {
        self.p().owner().queue.is_empty()
    }
}
