//! Execute: run one goroutine on this M. Go: `execute` (proc.go, Go 1.27).

use super::G0;
use super::leave::After;
use crate::contract::{Config, Context, RunQueue, Stack, StackAllocator, StackError, Switch};
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::body::Outcome;
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::{Leave, M};
use crate::shared::sched::SlotOf;
use core::ptr;
use core::sync::atomic::Ordering;

/// Why a goroutine that is to run for the first time has no stack.
#[derive(Clone, Copy, Debug)]
enum Unbound {
    /// Its runtime unwinds: it is dropped instead.
    Unwanted,
    /// There is none now: another goroutine must end first.
    Short,
    /// None will ever be of the size it asks for.
    Impossible,
}

impl From<StackError> for Unbound {
    fn from(error: StackError) -> Self {
        match error {
            StackError::BadSize { .. } => Self::Impossible,
            StackError::OutOfMemory { .. } => Self::Short,
        }
    }
}

impl<C: Config> G0<'_, C> {
    /// Runs a goroutine and acts on why it left. `false`: this M's thread is to end.
    #[inline(always)]
    pub(crate) fn execute(&self, runnable: Runnable, inherits: bool) -> bool {
        let g = runnable.g();
        if !g.is_of(&self.sched.header) {
            self.sched.refuse_stranger(g);
        }
        if !g.home().is_null() {
            return self.execute_at_home(runnable, inherits);
        }
        if !g.has(Flags::AT_ONCE) && self.prepare(g).is_err() {
            return self.wait_for_stack(runnable, inherits);
        }
        self.run(runnable.into_g(), inherits)
    }

    /// Runs a goroutine that is locked or pinned to this M; one that is bound to another M is handed to that. It begins
    /// a slice of its own, as a locked one does in Go. Where it is locked only because it unwinds, Go knows of no lock,
    /// so it inherits as any other.
    #[cold]
    fn execute_at_home(&self, runnable: Runnable, inherits: bool) -> bool {
        let g = runnable.g();
        let home = g.home();
        if g.has(Flags::TIMED) {
            self.book_latency(g);
        }
        let inherits = inherits && g.has(Flags::PANICKING) && g.locks.get() == 1;
        if !ptr::eq(home, self.m) {
            // SAFETY: an M with a locked or pinned goroutine lives on.
            self.hand_to_home(runnable, inherits, unsafe { &*home });
            return true;
        }
        if !g.has(Flags::AT_ONCE) && self.prepare(g).is_err() {
            return self.wait_for_stack(runnable, inherits);
        }
        self.run(runnable.into_g(), inherits)
    }

    #[inline(always)]
    pub(super) fn run(&self, first: &'static G, inherits: bool) -> bool {
        if !inherits {
            self.p_shared().core.slice.begin();
        }
        let mut g = first;
        loop {
            g.word.to_running();
            if self.sched.header.events.is_on() {
                self.observe_start(g);
            }
            loop {
                let Some(left) = self.switch_to(g) else {
                    self.wake_task_of_ended();
                    return true;
                };
                g = left;
                if self.m.leave.get() != Leave::SystemStack {
                    break;
                }
                self.make_system_call(g);
            }
            self.m.set_running(ptr::null());
            match self.after(g, self.m.leave.get()) {
                After::Next => return true,
                After::Resume => {}
                After::End => return false,
            }
        }
    }

    /// The goroutine wants a call made on this stack, and goes on at once afterwards.
    #[cold]
    fn make_system_call(&self, g: &G) {
        unsafe fn make<C: Config>(m: *mut ()) {
            // SAFETY: passed below.
            let m = unsafe { &*m.cast_const().cast::<M>() };
            // Where the goroutine has thread-locals of its own, its slot is one of them: during the call it must name
            // this M.
            crate::entering::caller::set_scheduler::<SlotOf<C>>(m);
            let request = m.system_call.get();
            // SAFETY: the goroutine waits for this very call, with its data on its stack.
            unsafe { (request.call)(request.data, m) };
        }
        // SAFETY: the goroutine has left its stack for this call, and nobody else continues it.
        unsafe { C::Switch::call_for(g.context.get(), make::<C>, ptr::from_ref(self.m).cast_mut().cast()) };
    }

    /// Sees to what comes before a goroutine runs that is not to be run at once.
    #[inline]
    fn prepare(&self, g: &G) -> Result<(), Unbound> {
        if g.has(Flags::TIMED) {
            self.book_latency(g);
        }
        if g.has(Flags::STARTED) { Ok(()) } else { self.bind_stack(g) }
    }

    /// Gives a goroutine that runs for the first time its stack.
    #[inline]
    fn bind_stack(&self, g: &G) -> Result<(), Unbound> {
        if self.sched.drops_instead_of_running(g) {
            return Err(Unbound::Unwanted);
        }
        let (stack, context) = self.take_stack(g)?;
        g.context.set(context);
        g.stack.set(Some(stack));
        g.set(Flags::BEGUN);
        if g.has(Flags::PINNED) {
            g.set_home(self.m);
            self.m.pinned.set(self.m.pinned.get() + 1);
        }
        Ok(())
    }

    /// A stack that no context could be made for.
    #[cold]
    fn give_up_stack(&self, stack: Stack) -> Unbound {
        // SAFETY: A5: it came from these stacks, and nobody has used it.
        unsafe { self.sched.stacks.free(&mut self.p().owner().stacks, stack) };
        Unbound::Short
    }

    #[inline]
    fn take_stack(&self, g: &G) -> Result<(Stack, Context), Unbound> {
        let mut p = self.p();
        if !g.has(Flags::EXTRA)
            && let Some(spare) = p.take_spare()
        {
            let context = super::switch::next_context::<C>(&spare);
            return Ok((spare, context));
        }
        let stack = self.sched.stacks.allocate(&mut p.owner().stacks, g.stack_size())?;
        match self.first_context(&stack) {
            Ok(context) => Ok((stack, context)),
            Err(_) => Err(self.give_up_stack(stack)),
        }
    }

    /// Keeps a goroutine that got no stack until one is freed, or ends it if none can come. Returns what
    /// [`G0::execute`] returns.
    #[cold]
    fn wait_for_stack(&self, runnable: Runnable, inherits: bool) -> bool {
        let g = runnable.g();
        if self.sched.drops_instead_of_running(g) {
            // Its closure's destructors are foreign code: they run on a stack of its own, if there is one.
            g.set(Flags::DISCARDED);
            if self.bind_stack(g).is_ok() {
                return self.run(runnable.into_g(), inherits);
            }
            self.end_unstarted(runnable, Outcome::Abandoned);
            return true;
        }
        let impossible = match self.bind_stack(g) {
            // A stack was freed in between. The goroutine runs at once and must not be queued: it counts as started
            // now, and an exit on its own stack would switch to it as to one that has been suspended before.
            Ok(()) => return self.run(runnable.into_g(), inherits),
            Err(error) => matches!(error, Unbound::Impossible),
        };
        if impossible || g.has(Flags::STACKLESS) || self.sched.stacks.figures().in_use == 0 {
            // A record that only drops its outcome is no goroutine that was refused a stack: that one has run.
            if let Some(hook) =
                self.sched.settings.on_out_of_stacks.as_ref().filter(|_| !g.has(Flags::DROPPING))
            {
                crate::entering::foreign::without_runtime("an out-of-stacks hook", || hook(g.number.get()));
            }
            self.end_unstarted(runnable, Outcome::OutOfStacks);
            return true;
        }
        let mut lists = self.sched.lock();
        lists.without_stack.push_back(runnable);
        self.sched.waiting_for_stack.store(lists.without_stack.len(), Ordering::Relaxed);
        true
    }

    /// Ends a goroutine that gets no stack: it never ran, or was to drop its outcome. This is the one place where
    /// destructors of a closure or an outcome run on g0, because there is no other stack for them. If they call
    /// something that would suspend, they get a panic, which stays here. No lock is held, and g0 uses nothing
    /// afterwards but its M.
    #[cold]
    fn end_unstarted(&self, runnable: Runnable, outcome: Outcome) {
        let g = runnable.into_g();
        if g.has(Flags::DROPPING) {
            // SAFETY: it has ended, so its outcome is in its body; nobody has a handle, and we hold its only Runnable.
            unsafe { g.drop_unwanted() };
        } else {
            // SAFETY: it never ran, so its closure is there, and we hold its only Runnable.
            unsafe { g.drop_closure() };
            g.outcome.set(outcome);
        }
        g.word.to_discarded();
        if g.has(Flags::SYSTEM) {
            self.sched.system.fetch_sub(1, Ordering::Relaxed);
        } else {
            self.p_shared().core.counters.count_exit();
        }
        let is_main = g.number.get() == 1;
        self.finish(g);
        if is_main { self.sched.main_returned() } else { self.sched.finish_if_waited_for() }
    }

    #[cold]
    fn observe_start(&self, g: &G) {
        self.sched.emit(EventKind::GoStart, g, Some(self.m), 0);
    }

    /// Books how long a goroutine has been runnable that is about to run. It is timed no more.
    #[cold]
    fn book_latency(&self, g: &G) {
        g.unset(Flags::TIMED);
        if g.has(Flags::STARTED) {
            g.set(Flags::AT_ONCE);
        }
        let waited = self.sched.header.now().saturating_sub(g.since.get());
        self.p_shared().core.latency.book(waited, g.stands_for.get());
        self.sched.emit(EventKind::SchedLatency, g, Some(self.m), waited);
    }

    /// Hands over a locked or pinned goroutine that was found by an M that is not its own. Go: `startlockedm`.
    #[doc(alias = "startlockedm")]
    #[cold]
    fn hand_to_home(&self, runnable: Runnable, inherits: bool, home: &M) {
        if !runnable.g().has(Flags::LOCKED) {
            // It is pinned: its M may be running another goroutine, or be blocked in one.
            return self.sched.ready_pinned(runnable);
        }
        let mut lists = self.sched.lock();
        if self.sched.attention() & attention::CLOSING != 0 {
            // Its M has ended, or has seen the same and is about to: a P given to it would be lost, and the goroutine
            // with it.
            drop(lists);
            return self.sched.abandon_one(runnable);
        }
        // Its M sleeps, or is about to, until it is given a P; the locked goroutine is what it will run.
        runnable.into_g();
        lists.locked_idle -= 1;
        let p = self.release();
        home.next_p.set(p.into_core());
        home.next_inherits.set(inherits);
        home.note.wake();
    }

    /// Whether the local queue is empty.
    pub(crate) fn local_is_empty(&self) -> bool {
        let mut p = self.p();
        self.sched.policy(self.m, || p.owner().queue.is_empty())
    }
}
