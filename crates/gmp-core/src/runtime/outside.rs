//! `Runtime` and `Handle`: a runtime from outside.

use crate::contract::Config;
use crate::entering::{foreign, gate};
use crate::ground::settings::Settings;
use crate::life::handle::JoinHandle;
use crate::life::spawn::{NoRecord, Spec, spawn_outside};
use crate::records::latency::Latencies;
use crate::records::m::AnyRuntime;
use crate::records::schedule::Schedule;
use crate::records::sight::Look;
use crate::records::standing::Records;
use crate::records::stats::Stats;
use crate::records::trace::{Positions, Recorded};
use crate::runtime::run::{Finished, RunError};
use crate::shared::sched::Sched;
use core::fmt;
use core::panic::Location;
use std::sync::Arc;

/// A runtime of a certain make, not yet running.
pub struct Runtime<C: Config> {
    sched: Arc<Sched<C>>,
}

impl<C: Config> Runtime<C> {
    /// A runtime over these stacks. Threads are made when it runs.
    ///
    /// # Panics
    /// If another runtime of this process uses another kind of current-goroutine slot.
    ///
    /// # Safety
    /// - Unless each goroutine is a thread (`Switch::THREAD_EACH`) or has thread-locals of its own
    ///   (`Switch::OWN_THREAD_LOCALS`), all code that its goroutines ever run bears sharing thread-locals: with
    ///   goroutines that move between threads, or, if the settings say `pinned`, take turns on one.
    ///   `share_thread_locals` and `pinned` of the crate `gmp`'s `Builder` say what that means.
    pub unsafe fn new(settings: Settings, stacks: C::Stacks) -> Self {
        if settings.abort_on_panic {
            crate::life::panics::hush_hook();
        }
        Self { sched: Sched::new(settings, stacks, crate::g0::G0::thread) }
    }

    /// A handle for plain threads.
    pub fn handle(&self) -> Handle {
        let rt: Arc<AnyRuntime> = self.sched.clone();
        Handle { rt }
    }

    /// Runs `main` as goroutine 1, with the calling thread as m0, and returns when it has ended.
    ///
    /// # Errors
    /// [`RunError`]: a deadlock, main's panic, a call from inside a goroutine, or the operating system.
    #[track_caller]
    pub fn run<F, T>(self, main: F) -> Result<Finished<T>, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        crate::runtime::run::run(&self.sched, Location::caller(), main)
    }
}

impl<C: Config> Drop for Runtime<C> {
    fn drop(&mut self) {
        self.sched.close_unrun();
    }
}

impl<C: Config> fmt::Debug for Runtime<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("policy", &self.sched.header.policy).finish_non_exhaustive()
    }
}

/// A runtime, seen from plain threads.
#[derive(Clone)]
pub struct Handle {
    rt: Arc<AnyRuntime>,
}

/// Why a spawn from outside came to nothing.
pub enum OutsideError<F> {
    /// The runtime has closed.
    Closed(F),
    /// The runtime was dropped before it ran, or could not run.
    NeverRan(F),
    /// There is no memory for another record.
    NoRecord(F),
}

impl Handle {
    pub(crate) fn of(rt: &AnyRuntime) -> Self {
        Self { rt: rt.to_arc() }
    }

    /// Spawns a goroutine at the shared queue's tail. Never suspends.
    ///
    /// # Errors
    /// [`OutsideError`], with the closure.
    #[track_caller]
    pub fn spawn<F, T>(&self, spec: Option<&Spec>, f: F) -> Result<JoinHandle<T>, OutsideError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        enter("Handle::go");
        // A closing runtime waits for us, and then abandons what we have queued.
        let _outsider =
            crate::records::outsiders::Outsider::enter(core::ptr::from_ref(self.rt.header()).cast());
        if self.rt.is_closed() {
            return Err(if self.rt.never_ran() {
                OutsideError::NeverRan(f)
            } else {
                OutsideError::Closed(f)
            });
        }
        spawn_outside(&*self.rt, self.rt.header(), spec, Location::caller(), f)
            .map_err(|NoRecord(f)| OutsideError::NoRecord(f))
    }

    /// How many goroutines have not ended.
    #[doc(alias = "NumGoroutine")]
    pub fn num_goroutines(&self) -> usize {
        enter("Handle::num_goroutines");
        self.rt.num_goroutines()
    }

    /// How many Ps there are.
    #[doc(alias = "GOMAXPROCS")]
    pub fn max_procs(&self) -> usize {
        gate::step_aside();
        self.rt.procs()
    }

    /// Statistics of this moment.
    pub fn stats(&self) -> Stats {
        enter("Handle::stats");
        self.rt.stats()
    }

    /// How long goroutines have been runnable so far before they ran.
    pub fn latencies(&self) -> Latencies {
        enter("Handle::latencies");
        self.rt.latencies()
    }

    /// The scheduler at this moment: its lists and Ps, and with `detail` its Ms and goroutines.
    pub fn schedule(&self, detail: bool) -> Schedule {
        enter("Handle::schedule");
        self.rt.schedule(detail)
    }

    /// The number of each M, and its thread by the operating system's number, where there is one.
    pub fn threads(&self) -> Vec<(u64, i32)> {
        enter("Handle::threads");
        self.rt.threads()
    }

    /// Shows every goroutine that has not ended, and its stack, while the program runs on. For a thread that is no M of
    /// any runtime and has stack to spare.
    pub fn look(&self, look: &mut dyn Look) {
        foreign::refuse_all("Handle::look");
        self.rt.look(look);
    }

    /// Every record of the process, to be read while all threads stand still; the goroutines of this runtime are those
    /// that are wanted. For a thread that is no M of any runtime.
    #[must_use]
    pub fn records(&self) -> Records {
        foreign::refuse_all("Handle::records");
        Records::of(core::ptr::from_ref(self.rt.header()).cast())
    }

    /// The name of the policy.
    pub fn policy(&self) -> &'static str {
        self.rt.policy_name()
    }

    /// Whether the runtime has closed, or was dropped before it ran: what is spawned now never runs.
    pub fn is_closed(&self) -> bool {
        gate::step_aside();
        self.rt.is_closed()
    }

    /// Records events from now on, in rings of this many records of 16 bytes for each P, until [`Handle::end_recording`]
    /// was called as often as this. Rings that are there already stay as large as they are.
    pub fn record(&self, records: usize) {
        enter("Handle::record");
        self.rt.record(records);
    }

    /// Takes back one call of [`Handle::record`], if one is left.
    pub fn end_recording(&self) {
        gate::step_aside();
        self.rt.header().events.close();
    }

    /// Whether events are recorded. Never suspends.
    pub fn is_recording(&self) -> bool {
        gate::step_aside();
        self.rt.header().events.records()
    }

    /// How far back a snapshot of what was recorded goes, if the builder said so. Never suspends.
    pub fn flight_recorder(&self) -> Option<std::time::Duration> {
        gate::step_aside();
        self.rt.header().events.window
    }

    /// Copies what was recorded since `from`, which then says where to go on.
    pub fn recorded(&self, from: &mut Positions) -> Recorded {
        enter("Handle::recorded");
        self.rt.recorded(from)
    }

    /// Switches the events on or off while the program runs. `false`: the runtime was built without a sink.
    pub fn trace(&self, on: bool) -> bool {
        gate::step_aside();
        self.rt.header().events.switch(on)
    }
}

/// What each call does first: a goroutine may make it in a loop, and foreign code not at all.
#[track_caller]
fn enter(call: &'static str) {
    gate::step_aside();
    foreign::refuse_all(call);
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("policy", &self.policy()).finish_non_exhaustive()
    }
}
