//! Run: from the calling thread to goroutine 1 and back. Go: `rt0_go`, `schedinit`, `main` (proc.go, Go 1.27).
//!
//! The calling thread becomes m0, starts the Ps and sysmon, and runs goroutine 1 until that first suspends. Then it
//! hands its P on and rests until `run` is to return: m0 runs no goroutine that could keep it from that, except one
//! locked (or, in pinned mode, pinned) to it.

use crate::abandon::Leftover;
use crate::contract::RunQueue;
use crate::current::{Current, current};
use crate::deadlock::DeadlockReport;
use crate::g::word::Status;
use crate::g::{Flags, Wake, registry};
use crate::g0::G0;
use crate::handle::{JoinError, JoinHandle};
use crate::m::M;
use crate::sched::lists::MRef;
use crate::sched::{Config, Sched, attention};
use crate::settings::AtMainReturn;
use core::panic::Location;
use core::ptr;
use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a closing runtime looks whether the others are done.
const CLOSING_PERIOD: Duration = Duration::from_micros(50);
/// How long it lets goroutines run that may be in their destructors: long against those, short for a program's end.
const GRACE: Duration = Duration::from_millis(100);

/// What `run` came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Finished<T> {
    /// What main returned.
    pub value: T,
    /// What main left behind.
    pub left: Leftover,
}

/// Why `run` has no value. `Send`, not `Sync`, for the payload; where both are asked for, take its text.
#[non_exhaustive]
pub enum RunError {
    /// All goroutines were asleep.
    Deadlock(DeadlockReport),
    /// Main panicked with this payload.
    Panicked(Box<dyn Any + Send + 'static>),
    /// `run` was called from a goroutine or from inside the scheduler.
    Nested,
    /// The operating system would not give what a runtime needs.
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
            Self::Panicked(payload) => {
                write!(f, "the main goroutine panicked: {}", crate::panics::message(payload.as_ref()))
            }
            Self::Nested => f.write_str(
                "Runtime::run was called inside a goroutine, whose thread it would block; \
                 spawn with gmp::go instead, or run the other runtime on a thread of its own",
            ),
            Self::Os(error) => write!(f, "the operating system refused what a runtime needs: {error}"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs `main` as goroutine 1 of a runtime and returns when it, or all there is, has ended.
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
    if !matches!(current(), Current::Plain) {
        return Err(RunError::Nested);
    }
    let m0 = {
        let mut lists = sched.lock();
        let m0 = sched.register_m(&mut lists);
        lists.m0 = Some(MRef::new(&m0));
        m0
    };
    let g0 = G0::attach(sched, &m0).map_err(RunError::Os)?;
    let first = {
        let mut lists = sched.lock();
        let p = sched.first_ps(&mut lists, sched.settings.procs);
        p.core.word.release();
        p
    };
    g0.acquire(first);
    let sysmon = match sched.start_sysmon() {
        Ok(sysmon) => sysmon,
        Err(error) => {
            g0.detach();
            return Err(RunError::Os(error));
        }
    };
    let guard = Sched::<C>::no_unwind();
    let handle = g0.bring_up(at, main);
    let left = sched.close(&g0, sysmon);
    core::mem::forget(guard);
    g0.detach();
    let deadlock = sched.lock().deadlock.take();
    if !left.is_clean() {
        // Goroutines that are left behind still point at their runtime.
        core::mem::forget(Arc::clone(sched));
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
        Err(JoinError::OutOfStacks) => Err(RunError::Os(std::io::ErrorKind::OutOfMemory.into())),
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
        let handle = crate::spawn::spawn_main(self, at, main);
        let popped = self.p().owner().queue.pop();
        let Some(popped) = popped else {
            crate::fatal!(
                "a queue gives back what was pushed",
                "policy {} lost main",
                self.sched.header.policy
            )
        };
        self.p().core.counters.book(-1);
        // Main begins a slice of its own: with the tick still at 0, its first yield would meet the look at the shared
        // queue and bring it straight back. Go's main has had its ticks in `runtime.main` before the user's code runs.
        let goes_on = self.execute(popped.token, false);
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

impl<C: Config> G0<'_, C> {
    /// Runs one goroutine that is pinned or locked to m0, while the rest unwinds and m0 is no M like any other any more:
    /// nobody else could. `false`: none can run now.
    fn serve_own(&self) -> bool {
        let locked = self.m.locked_g.get();
        let token = if locked.is_null() {
            let Some(token) = self.m.inbox.pop() else { return false };
            let Some(p) = self.sched.take_idle_p(&mut self.sched.lock()) else {
                self.m.inbox.push(token);
                return false;
            };
            self.acquire(p);
            token
        } else if self.take_next_p() {
            // SAFETY: as in `next_locked`: who gave us the P used the goroutine's only Runnable up for this.
            unsafe { crate::g::runnable::Runnable::new(&*locked) }
        } else {
            return false;
        };
        self.execute(token, false);
        if !self.m.p.get().is_null() {
            let p = self.release();
            self.sched.hand_off(p);
        }
        true
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
    pub(crate) fn finish(&self, lists: &mut crate::sched::lists::Lists<C>) {
        lists.finished = true;
        let unwinds = self.settings.at_main_return == AtMainReturn::Unwind && lists.deadlock.is_none();
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
    pub(crate) fn count_goroutines(&self, lists: &crate::sched::lists::Lists<C>) -> usize {
        use core::sync::atomic::Ordering::{Acquire, Relaxed};
        // Ends before spawns: what is missed in between is one too many, never one too few.
        // ORDER: exited. Acquire pairs with the release in `count_exit`.
        let exited = self.sum(lists, |counters| i128::from(counters.exited.load(Acquire)));
        let spawned = self.sum(lists, |counters| i128::from(counters.spawned.load(Relaxed)));
        usize::try_from(spawned - exited).unwrap_or(0)
    }

    /// Ends the runtime, on m0, which has no P any more.
    fn close(&self, g0: &G0<'_, C>, sysmon: std::thread::JoinHandle<()>) -> Leftover {
        let deadlocked = self.lock().deadlock.is_some();
        if self.settings.at_main_return == AtMainReturn::Unwind && !deadlocked {
            self.unwind_the_rest(g0);
        }
        {
            // Under the lock: an M that sleeps for a P has seen this, or is seen by `wake_everyone`.
            let _lists = self.lock();
            self.call_attention(attention::CLOSING);
        }
        self.wake_everyone();
        self.wait_for_ms(g0.m);
        // sysmon catches nothing and cannot panic; if it did, there is nothing left for it to do.
        let _ = sysmon.join();
        {
            // Before the rest is abandoned: an M that comes too late for that finds this and does it again.
            let _lists = self.lock();
            self.closed.store(true, core::sync::atomic::Ordering::Relaxed);
        }
        crate::sync::full_fence();
        self.abandon_the_rest();
        let left = self.settle_the_count(g0.m);
        self.give_records_back();
        self.join_ended();
        // m0 is a plain thread again.
        let mut lists = self.lock();
        lists.m0 = None;
        lists.all_m.retain(|known| !ptr::eq(&**known, g0.m));
        left
    }

    fn wake_everyone(&self) {
        let lists = self.lock();
        for m in &lists.all_m {
            m.note.wake();
        }
        self.sysmon.note.wake();
    }

    /// Counts what is left behind, when no M is between user code and its end.
    fn settle_the_count(&self, m0: &M) -> Leftover {
        loop {
            self.wait_for_ms(m0);
            let before = self.lock().all_m.len();
            let left = self.count_left();
            // An M that came out of user code meanwhile has changed what we counted, or is about to.
            let came = |m: &Arc<M>| !ptr::eq(&**m, m0) && m.running().is_null();
            let lists = self.lock();
            if lists.all_m.len() == before && !lists.all_m.iter().any(came) {
                return left;
            }
        }
    }

    /// Waits until every M has ended or is in user code, where nobody can stop it.
    fn wait_for_ms(&self, m0: &M) {
        loop {
            let in_scheduler = |m: &Arc<M>| !ptr::eq(&**m, m0) && m.running().is_null();
            if !self.lock().all_m.iter().any(in_scheduler) {
                return;
            }
            std::thread::sleep(CLOSING_PERIOD);
            self.wake_everyone();
        }
    }

    /// Joins the threads of Ms that have ended.
    fn join_ended(&self) {
        let ended: Vec<_> = {
            let mut lists = self.lock();
            let alive: Vec<u64> = lists.all_m.iter().map(|m| m.id).collect();
            lists.threads.extract_if(.., |(id, _)| !alive.contains(id)).collect()
        };
        for (_, thread) in ended {
            // An M's thread catches every panic of its goroutines, and its own would have aborted.
            let _ = thread.join();
        }
    }

    /// Free records that Ps keep go back to the registry, for other runtimes.
    fn give_records_back(&self) {
        for p in &mut self.lock().idle_ps {
            // SAFETY: the right to an idle P is the list's, and we hold the lock.
            let free = unsafe { p.core.free() };
            registry::give_back(free, registry::FreeGs::CAPACITY);
        }
    }

    /// An M's thread is about to end.
    pub(crate) fn thread_ended(&self, m: &M) {
        let closing = self.attention() & attention::CLOSING != 0;
        let late = self.is_closed_for_good();
        if late {
            // What its goroutine left behind is nobody else's to end. While it does that `run` sees it and waits.
            self.abandon_the_rest();
        }
        let mut lists = self.lock();
        // From here on nobody finds the M to give it a P.
        lists.idle_ms.retain(|&known| known != MRef::new(m));
        lists.hungry.retain(|&known| known != MRef::new(m));
        let ended: Vec<_> = lists.all_m.extract_if(.., |known| ptr::eq(&**known, m)).collect();
        if closing {
            // A goroutine whose home it was may still be on somebody's hands.
            lists.ended_ms.extend(ended);
        } else {
            // Nobody would join the thread before the runtime closes.
            lists.threads.retain(|(id, _)| *id != m.id);
        }
        self.check_dead(&mut lists);
    }

    /// Whether `run` has abandoned the rest, or is about to. Asked under the lock, so that whoever learns that it has
    /// not yet done so has left everything where it will be found.
    fn is_closed_for_good(&self) -> bool {
        let _lists = self.lock();
        self.closed.load(core::sync::atomic::Ordering::Relaxed)
    }

    /// Wakes what waits, again and again, until the rest has only run for [`GRACE`]. It unwinds at its next suspension;
    /// what never started is dropped. One at the end of its scope is left to its children: for them this waits.
    fn unwind_the_rest(&self, g0: &G0<'_, C>) {
        debug_assert!(self.unwinding());
        let mut settled = Instant::now();
        loop {
            match self.wake_to_unwind() {
                (0, 0, running) if running == 0 || settled.elapsed() >= GRACE => return,
                (0, 0, _) => {}
                _ => settled = Instant::now(),
            }
            if !g0.serve_own() {
                std::thread::sleep(CLOSING_PERIOD);
            }
        }
    }

    /// Wakes all that waits, to unwind, but those at the end of a scope. How many waited, are runnable otherwise, run.
    pub(crate) fn wake_to_unwind(&self) -> (usize, usize, usize) {
        let (mut woken, mut runnable, mut running) = (0, 0, 0);
        registry::for_each(|g| {
            if !ptr::eq(g.rt.get(), &self.header) {
                return;
            }
            match g.word.status() {
                Status::Waiting => {
                    woken += 1;
                    if !crate::scope::waits_at_end(g)
                        && let Some(wait) = self.settled_wait(g)
                    {
                        crate::g::parked::ready(g, wait, Wake::Closing);
                    }
                }
                Status::Runnable => runnable += 1,
                Status::Running => running += 1,
                Status::Free | Status::Blocked => {}
            }
        });
        (woken, runnable, running)
    }

    /// The wait that `g` is in, if its park is through: while an M makes the commit it reads the goroutine's stack, and
    /// a goroutine readied without its token would be using it.
    pub(crate) fn settled_wait(&self, g: &crate::g::G) -> Option<crate::g::word::Wait> {
        let wait = g.word.present_wait()?;
        let parks = self.lock().all_m.iter().any(|m| m.is_parking(g));
        (!parks).then_some(wait)
    }

    /// Whether goroutines are to unwind at their next suspension.
    pub(crate) fn unwinding(&self) -> bool {
        self.attention() & attention::UNWIND != 0
    }

    /// A goroutine that never started, in an unwinding runtime: its closure is dropped.
    pub(crate) fn drops_instead_of_running(&self, g: &crate::g::G) -> bool {
        self.unwinding() && !g.has(Flags::STARTED) && !g.has(Flags::DROPPING)
    }
}
