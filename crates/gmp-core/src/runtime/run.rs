//! Run: from the calling thread to goroutine 1 and back. Go: `rt0_go`, `schedinit`, `main` (proc.go, Go 1.27).
//!
//! The calling thread becomes m0, starts the Ps and sysmon, and runs goroutine 1 until that first suspends. Then it
//! hands its P on and rests until `run` is to return: m0 runs no goroutine that could keep it from that, except one
//! locked (or, in pinned mode, pinned) to it.

use crate::contract::Config;
use crate::entering::caller::{Caller, caller};
use crate::entering::foreign;
use crate::g0::G0;
use crate::ground::settings::AtMainReturn;
use crate::life::handle::{JoinError, JoinHandle};
use crate::life::panics::Payload;
use crate::life::spawn::fill;
use crate::records::attention;
use crate::records::g::body::table;
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, registry};
use crate::records::p::add_own;
use crate::records::rt::AnyRuntime;
use crate::shared::lists::MRef;
use crate::shared::reports::{DeadlockReport, Leftover};
use crate::shared::sched::Sched;
use crate::waking::wake::refusal;
use core::panic::Location;
use std::fmt;
use std::sync::Arc;

/// What `run` returns.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<T> {
    /// What main returned.
    pub value: T,
    /// What main left behind.
    pub left: Leftover,
}

/// Why `run` has no value.
#[non_exhaustive]
pub enum RunError {
    /// All goroutines were asleep.
    Deadlock(DeadlockReport),
    /// Main panicked with this payload.
    Panicked(Payload),
    /// `run` was called from a goroutine or from inside the scheduler.
    Nested,
    /// The operating system would not give what a runtime cannot do without: the error's text names it. If it was a
    /// thread for goroutines, main had begun, and is left behind like all others.
    Os(std::io::Error),
}

impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadlock(report) => write!(f, "fatal error: {report}"),
            Self::Panicked(payload) => write!(f, "the main goroutine panicked: {payload}"),
            Self::Nested => f.write_str(
                "Runtime::run was called inside a goroutine, whose thread it would block, or inside the scheduler; \
                 spawn with gmp::go instead, or run the other runtime on a thread of its own",
            ),
            Self::Os(error) => write!(f, "the operating system refused {error}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs `main` as goroutine 1 of a runtime and returns when it, or all there is, has ended. If the error is that the
/// runtime did not run, no thread of it is left.
pub(crate) fn run<C, F, T>(
    sched: &Arc<Sched<C>>,
    at: &'static Location<'static>,
    main: F,
) -> Result<Finished<T>, RunError>
where
    C: Config,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // A sink or a policy may be called on a plain thread, too.
    if !matches!(caller(), Caller::Plain) || foreign::who().is_some() {
        return Err(RunError::Nested);
    }
    let m0 = {
        let mut lists = sched.lock();
        let m0 = sched.register_m(&mut lists);
        lists.m0 = Some(MRef::new(&m0));
        m0
    };
    let g0 = match G0::attach(sched, &m0) {
        Ok(g0) => g0,
        Err(error) => {
            sched.forget_m0(&m0);
            return Err(RunError::Os(refusal("a signal stack for a thread", &error)));
        }
    };
    let first = {
        let mut lists = sched.lock();
        let p = sched.first_ps(&mut lists, sched.settings.procs);
        p.core.word.release();
        p
    };
    g0.acquire(first);
    let sysmon = sched.start_sysmon();
    let guard = Sched::<C>::no_unwind();
    let (began, sysmon) = match sysmon {
        Ok(sysmon) => (Ok(g0.bring_up(at, main)), Some(sysmon)),
        Err(error) => {
            let p = g0.release();
            sched.park_p(&mut sched.lock(), p);
            (Err(RunError::Os(refusal("a thread for sysmon", &error))), None)
        }
    };
    // Without sysmon, too: as soon as there are Ps a plain thread may start goroutines, and by that Ms.
    let left = sched.close(&g0, sysmon);
    core::mem::forget(guard);
    g0.detach();
    let (deadlock, failure) = {
        let mut lists = sched.lock();
        (lists.deadlock.take(), lists.failure.take())
    };
    if !left.is_clean() {
        // Goroutines that are left behind still point at their runtime.
        core::mem::forget(Arc::clone(sched));
    }
    let handle = began?;
    if let Some(error) = failure {
        drop(handle);
        return Err(RunError::Os(error));
    }
    conclude(handle, deadlock, left)
}

fn conclude<T>(
    handle: JoinHandle<T>,
    deadlock: Option<DeadlockReport>,
    left: Leftover,
) -> Result<Finished<T>, RunError> {
    if let Some(report) = deadlock {
        drop(handle);
        return Err(RunError::Deadlock(report));
    }
    match handle.join() {
        Ok(value) => Ok(Finished { value, left }),
        Err(JoinError::Panicked(payload)) => Err(RunError::Panicked(payload)),
        Err(JoinError::OutOfStacks) => {
            let error = std::io::ErrorKind::OutOfMemory.into();
            Err(RunError::Os(refusal("a stack for the main goroutine", &error)))
        }
        Err(other) => crate::fatal!("run returns when main has", "main's result is {other:?}"),
    }
}

impl<C: Config> G0<'_, C> {
    /// Spawns main, runs it until it first suspends, and rests until all is over.
    fn bring_up<F, T>(&self, at: &'static Location<'static>, main: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (handle, main) = spawn_main(self, at, main);
        // Main begins a slice of its own: with the tick still at 0, its first yield would meet the look at the shared
        // queue and bring it straight back. Go's main has had its ticks in `runtime.main` before the user's code runs.
        let goes_on = self.execute(main, false);
        if goes_on {
            self.serve_locked();
        }
        self.rest_until_finished();
        handle
    }

    /// While a goroutine is bound to m0, m0 is an M like any other.
    fn serve_locked(&self) {
        while !self.m.locked_g.get().is_null() || self.m.pinned.get() != 0 {
            let Some(popped) = self.next() else { return };
            if !self.execute(popped.token, popped.inherits) {
                return;
            }
        }
    }
}

impl<C: Config> Sched<C> {
    /// Main has returned (or panicked).
    pub(crate) fn main_returned(&self) {
        if self.settings.at_main_return == AtMainReturn::Wait {
            self.call_attention(attention::WAITING);
            self.finish_if_alone();
        } else {
            self.finish(&mut self.lock());
        }
    }

    /// A goroutine has ended: if main has returned and `run` waits for the others, was it the last?
    #[inline]
    pub(crate) fn finish_if_waited_for(&self) {
        if self.attention() & attention::WAITING != 0 {
            self.finish_if_alone();
        }
    }

    #[cold]
    fn finish_if_alone(&self) {
        loop {
            let mut lists = self.lock();
            if self.count_goroutines(&lists) != 0 {
                return;
            }
            if lists.all_m.iter().any(|m| m.is_ending()) {
                // It may need the lock to come to an end with that.
                drop(lists);
                std::thread::yield_now();
                continue;
            }
            // Destructors of results that nobody took run as goroutines of the runtime's own.
            if self.system.load(core::sync::atomic::Ordering::Relaxed) == 0 {
                self.finish(&mut lists);
            }
            return;
        }
    }

    /// `run` is to return. Under the lock.
    pub(crate) fn finish(&self, lists: &mut crate::shared::lists::Lists<C>) {
        lists.finished = true;
        let unwinds = self.settings.at_main_return == AtMainReturn::Unwind
            && lists.deadlock.is_none()
            && lists.failure.is_none();
        // Nothing new is to start: dropped now, or left for `abandon_the_rest`.
        self.call_attention(
            attention::FINISHED | if unwinds { attention::UNWIND } else { attention::CLOSING },
        );
        if let Some(m0) = lists.m0 {
            // SAFETY: m0 waits for this.
            unsafe { m0.get() }.note.wake();
        }
    }

    /// Goroutines that have not ended, the runtime's own left out.
    pub(crate) fn count_goroutines(&self, lists: &crate::shared::lists::Lists<C>) -> usize {
        use core::sync::atomic::Ordering::{Acquire, Relaxed};
        // Ends before spawns: what is missed in between is one too many, never one too few.
        // ORDER: exited. Acquire pairs with the release in `count_exit`.
        let exited = self.sum(lists, |counters| i128::from(counters.exited.load(Acquire)));
        let spawned = self.sum(lists, |counters| i128::from(counters.spawned.load(Relaxed)));
        usize::try_from(spawned - exited).unwrap_or(0)
    }
}

/// Makes main: goroutine 1, locked to m0 if the settings say so. It is in no queue: m0 runs it first of all, whatever the
/// policy is and whatever was submitted before.
fn spawn_main<C, F, T>(g0: &G0<'_, C>, at: &'static Location<'static>, main: F) -> (JoinHandle<T>, Runnable)
where
    C: Config,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let Some(g) = registry::take_one() else {
        crate::fatal!("there is memory for one goroutine", "no record for main")
    };
    let core = &g0.p_shared().core;
    // SAFETY: m0 holds the P.
    let number = unsafe { core.next_number(|| g0.sched.number_batch()) };
    fill(g, &g0.sched.header, number, 0, at);
    add_own(&core.counters.spawned, 1);
    // SAFETY: a record just taken is ours and its body is empty.
    unsafe { g.body.put(main) };
    g.table.set(table::<F, T>());
    g.word.to_spawned();
    if g0.sched.settings.lock_main {
        g.locks.set(1);
        g.set(Flags::LOCKED);
        g.set_home(g0.m);
        g0.m.locked_g.set(g);
    }
    // SAFETY: just made Runnable, once.
    (JoinHandle::new(g), unsafe { Runnable::new(g) })
}
