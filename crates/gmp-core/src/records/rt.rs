//! The runtime as its goroutines see it: types forgotten once, here.
//!
//! A runtime is generic over policy, stacks and switch; a running goroutine reaches it through its record's
//! [`Header`] and the few calls of [`AnyRuntime`]. An M holds its runtime, so it stands above this file, and is a
//! parameter here; `m.rs` fills it in.

use crate::contract::Poller;
use crate::ground::clock::{epoch, nanos};
use crate::records::attention;
use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::latency::Latencies;
use crate::records::p::PCore;
use crate::records::p::timer::Remains;
use crate::records::recorder::EventSeam;
use crate::records::schedule::Schedule;
use crate::records::sight::Look;
use crate::records::source::task::Tasks;
use crate::records::stats::Stats;
use crate::records::trace::{Positions, Recorded};
use core::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Makes a poller for a runtime that has none yet, with so many shards.
pub type MakePoller = fn(usize) -> std::io::Result<Arc<dyn Poller>>;

/// What a goroutine's calls ask of its runtime. Every method may be called from any thread unless it says otherwise.
pub(crate) trait AnyRuntime<M>: Send + Sync {
    /// Queues a goroutine just readied by the caller on `m`, an M of this runtime: next on its P, if it has one.
    fn ready(&self, m: &M, g: Runnable);

    /// Queues a goroutine just readied by a caller that is on no M of this runtime.
    fn ready_outside(&self, g: Runnable);

    /// Queues a goroutine just spawned on `m`, an M of this runtime that is inside: next on its P, if it has one.
    fn submit(&self, m: &M, g: Runnable);

    /// Makes goroutines of the jobs that the calling goroutine `g` leaves on its M. Never suspends.
    fn promote_jobs(&self, g: &'static G);

    /// Wakes an M for a job just offered on `m`, if a P is idle and the policy agrees.
    fn wake_for_job(&self, m: &M);

    /// Queues a goroutine just spawned by a caller that is on no M of this runtime, or on one without a P.
    fn submit_from_outside(&self, g: Runnable);

    /// Leaves the goroutine's stack for its M's g0, with the reason in the M. Returns when the goroutine runs again.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `g.m`; `m.leave` is set.
    unsafe fn leave(&self, g: &G);

    /// Leaves the goroutine's stack to park as `m.park` says, for the next goroutine if it is at hand and for g0
    /// otherwise. Returns when the goroutine runs again.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `g.m`; `m.park` is set, without a deadline.
    unsafe fn hop(&self, g: &'static G);

    /// Leaves the goroutine's stack for one of the three kinds of yield, which stands in the M: for the next goroutine if
    /// it is at hand, for g0 otherwise. Returns when the goroutine runs again.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `g.m`; `m.leave` is set.
    unsafe fn hop_to_yield(&self, g: &'static G);

    /// Lends the P out for a blocking call that the calling goroutine `g` begins. **Suspends** first, if others wait
    /// for a P that such calls have held up.
    fn begin_blocking(&self, g: &'static G);

    /// Lends the P out again, in a call that has begun.
    fn enter_blocking(&self, g: &'static G);

    /// Lends the P out to whoever waits for it, because the time slice of the calling goroutine `g` is over. Never
    /// suspends.
    fn step_aside(&self, g: &'static G);

    /// Comes back from either, with a P.
    fn leave_blocking(&self, g: &'static G);

    /// Comes back if a P is idle: for a goroutine that has stepped aside, or whose P was taken. Never suspends.
    fn come_back_at_once(&self, g: &'static G);

    /// The next batch of goroutine numbers.
    fn number_batch(&self) -> u64;

    /// One number for a goroutine that is spawned without a P.
    fn one_number(&self) -> u64;

    /// Counts a goroutine that is spawned without a P.
    fn count_outside_spawn(&self);

    /// Counts a goroutine of the runtime's own, which counts itself out at its end.
    fn count_system(&self);

    /// Has a goroutine of the runtime's own drop what must not be dropped where the caller is, on g0.
    fn drop_elsewhere(&self, remains: Remains);

    /// Sets the number of Ps, on g0 of the calling goroutine's M. `false`: another stop of the world is under way.
    fn try_resize(&self, m: &M, procs: usize) -> bool;

    /// How many Ps there are.
    fn procs(&self) -> usize;

    /// Its poller; made now, if it has none.
    fn poller(&self, make: MakePoller) -> std::io::Result<Arc<dyn Poller>>;

    /// The counts of its futures' tasks that wait for descriptors.
    fn tasks_at_descriptors(&self) -> &Tasks;

    /// Whether a goroutine may spin for a moment for what another running one holds.
    fn may_spin(&self) -> bool;

    /// How many goroutines there are, the runtime's own left out.
    fn num_goroutines(&self) -> usize;

    /// Statistics of this moment.
    fn stats(&self) -> Stats;

    /// How long goroutines were runnable before they ran.
    fn latencies(&self) -> Latencies;

    /// The scheduler at this moment; with Ms and goroutines if `detail` is wanted.
    fn schedule(&self, detail: bool) -> Schedule;

    /// The number of each M, and its thread by the system's number.
    fn threads(&self) -> Vec<(u64, i32)>;

    /// Shows every goroutine that has not ended, and its stack. From a thread that is no M and has stack to spare.
    fn look(&self, look: &mut dyn Look);

    /// Records events from now on, in rings for so many records each.
    fn record(&self, records: usize);

    /// Copies what has been recorded since the positions, and moves them.
    fn recorded(&self, from: &mut Positions) -> Recorded;

    /// What its goroutines' records point to.
    fn header(&self) -> &Header<M>;

    /// Another owner of the runtime.
    fn to_arc(&self) -> Arc<dyn AnyRuntime<M>>;

    /// The name of its policy.
    fn policy_name(&self) -> &'static str;

    /// A timer was added to the P that the caller's M holds, earlier than all others of that P.
    fn timer_added(&self, when: u64);

    /// A timer was added to `p`, which the caller's M has lent out for a blocking call.
    fn timer_added_to_lent(&self, p: &PCore, when: u64);

    /// The P to whose timers those add who have no P of this runtime; none before the first one is made. It is never
    /// removed.
    fn first_p(&self) -> Option<&PCore>;

    /// Whether the runtime has closed, so that nothing spawned now would ever run.
    fn is_closed(&self) -> bool;

    /// Whether it has closed without having run.
    fn never_ran(&self) -> bool;
}

/// What a goroutine's record points to.
pub(crate) struct Header<M> {
    runtime: UnsafeCell<Option<*const dyn AnyRuntime<M>>>,
    pub(crate) policy: &'static str,
    pub(crate) stack_size: usize,
    pub(crate) least_stack_size: usize,
    pub(crate) pinned: bool,
    /// Each goroutine is a thread of its own (`Switch::THREAD_EACH`).
    pub(crate) thread_each: bool,
    /// Each goroutine has thread-locals of its own (`Switch::OWN_THREAD_LOCALS`).
    pub(crate) own_thread_locals: bool,
    pub(crate) abort_on_panic: bool,
    pub(crate) ancestors: usize,
    /// The [`epoch`].
    pub(crate) started: Instant,
    /// The runtime's short serial number while it has one P, else 0; see `only_p`.
    pub(crate) only_p: AtomicU32,
    pub(crate) serial: u64,
    /// What is more important than the next goroutine: the bits of [`attention`].
    pub(crate) attention: AtomicU32,
    /// Whether some P is idle. A hint for those who offer work without a fence: changed under the scheduler's lock.
    pub(crate) some_p_idle: AtomicBool,
    /// Nanoseconds since `started`, as sysmon last published them: good to its period, free to read.
    pub(crate) coarse: AtomicU64,
    pub(crate) events: EventSeam,
}

// SAFETY: `runtime` is written once, before the header is shared, and points to what owns the header.
unsafe impl<M> Send for Header<M> {}
// SAFETY: as above.
unsafe impl<M> Sync for Header<M> {}

impl<M> Header<M> {
    pub(crate) fn new(
        policy: &'static str,
        thread_each: bool,
        own_thread_locals: bool,
        settings: &crate::ground::settings::Settings,
    ) -> Self {
        Self {
            runtime: UnsafeCell::new(None),
            policy,
            stack_size: settings.stack_size,
            least_stack_size: settings.least_stack_size,
            pinned: settings.pinned,
            thread_each,
            own_thread_locals,
            abort_on_panic: settings.abort_on_panic,
            ancestors: settings.ancestors,
            started: epoch(),
            only_p: AtomicU32::new(0),
            serial: next_serial(),
            attention: AtomicU32::new(0),
            some_p_idle: AtomicBool::new(false),
            coarse: AtomicU64::new(nanos(epoch().elapsed())),
            events: EventSeam::new(settings.events.clone(), settings.flight_recorder),
        }
    }

    /// Ties the header to its runtime.
    ///
    /// # Safety
    /// Once, before the header is shared; `runtime` owns the header.
    pub(crate) unsafe fn tie(&self, runtime: *const dyn AnyRuntime<M>) {
        // SAFETY: not shared yet.
        unsafe { *self.runtime.get() = Some(runtime) };
    }

    /// The runtime.
    #[inline]
    pub(crate) fn runtime(&self) -> &dyn AnyRuntime<M> {
        // SAFETY: tied before it was shared, never changed since, and the runtime owns us.
        match unsafe { *self.runtime.get() } {
            // SAFETY: as above.
            Some(runtime) => unsafe { &*runtime },
            None => crate::fatal!("a header is tied before it is shared", "policy {}", self.policy),
        }
    }

    /// Whether the runtime closes or has closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & attention::CLOSING != 0
    }

    /// Whether goroutines are to unwind instead of suspending.
    #[inline]
    pub(crate) fn is_unwinding(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & attention::UNWIND != 0
    }

    /// Nanoseconds since the epoch.
    #[doc(alias = "nanotime")]
    pub(crate) fn now(&self) -> u64 {
        nanos(self.started.elapsed())
    }

    /// The same, as sysmon last saw it.
    #[inline]
    pub(crate) fn coarse_now(&self) -> u64 {
        self.coarse.load(Ordering::Relaxed)
    }

    /// The moment `nanos` after the epoch; one that the system cannot express is far away.
    pub(crate) fn instant(&self, nanos: u64) -> Instant {
        let after = |nanos| self.started.checked_add(std::time::Duration::from_nanos(nanos));
        after(nanos).or_else(|| after(FAR)).unwrap_or(self.started)
    }
}

/// 30 years: whoever sleeps until then looks again.
const FAR: u64 = 30 * 365 * 24 * 60 * 60 * 1_000_000_000;

/// A number for a runtime that no other of this process has, and is not 0.
fn next_serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // A runtime takes microseconds to make: 2^64 of them, half a million years.
    NEXT.fetch_add(1, Ordering::Relaxed)
}
