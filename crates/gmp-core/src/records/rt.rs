//! The runtime as its goroutines see it: types forgotten once, here.
//!
//! A runtime is generic over policy, stacks and switch; a running goroutine reaches it through its record's
//! [`Header`] and the few calls of [`AnyRuntime`].

use crate::ground::event::{Event, EventKind, EventSink};
use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::PCore;
use crate::records::stats::Stats;
use core::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// What a goroutine's calls ask of its runtime. Every method may be called from any thread unless it says otherwise.
pub(crate) trait AnyRuntime: Send + Sync {
    /// Queues a goroutine just readied by the caller on `m`, an M of this runtime: next on its P, if it has one.
    fn ready_near(&self, m: &M, g: Runnable);

    /// Queues a goroutine just readied by a caller that is on no M of this runtime.
    fn ready_far(&self, g: Runnable);

    /// Queues a goroutine just spawned on `m`, an M of this runtime: next on its P, if it has one.
    fn submit(&self, m: &M, g: Runnable);

    /// Queues a goroutine just spawned by a caller that is on no M of this runtime, or on one without a P.
    fn submit_from_outside(&self, g: Runnable);

    /// Leaves the goroutine's stack for its M's g0, with the reason in the M. Returns when the goroutine runs again.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `g.m`; `m.leave` is set.
    unsafe fn leave(&self, g: &G);

    /// Leaves the goroutine's stack to park as [`M::park`](M) says, for the next goroutine if it is at hand and for g0
    /// otherwise. Returns when the goroutine runs again.
    ///
    /// # Safety
    /// On the stack of `g`, which runs on `g.m`; `m.park` is set, without a deadline.
    unsafe fn hop(&self, g: &'static G);

    /// Lends the P out for a blocking call of the calling goroutine `g`.
    fn enter_blocking(&self, g: &G);

    /// Comes back from it, with a P.
    fn leave_blocking(&self, g: &'static G);

    /// The next batch of goroutine numbers.
    fn number_batch(&self) -> u64;

    /// One number for a goroutine that is spawned without a P.
    fn one_number(&self) -> u64;

    /// Counts a goroutine that is spawned without a P.
    fn count_outside_spawn(&self);

    /// Counts a goroutine of the runtime's own, which counts itself out at its end.
    fn count_system(&self);

    /// Sets the number of Ps, on g0 of the calling goroutine's M. `false`: another stop of the world is under way.
    fn try_resize(&self, m: &M, procs: usize) -> bool;

    /// How many Ps there are.
    fn procs(&self) -> usize;

    /// Whether a goroutine may spin for a moment for what another running one holds.
    fn may_spin(&self) -> bool;

    /// How many goroutines there are, the runtime's own left out.
    fn num_goroutines(&self) -> usize;

    /// Figures.
    fn stats(&self) -> Stats;

    /// What its goroutines' records point to.
    fn header(&self) -> &Header;

    /// Another owner of the runtime.
    fn to_arc(&self) -> Arc<dyn AnyRuntime>;

    /// The name of its policy.
    fn policy_name(&self) -> &'static str;

    /// A timer was added to the P that the caller's M holds, earlier than all others of that P.
    fn timer_added(&self, when: u64);

    /// A timer was added to `p`, which the caller's M has lent out for a blocking call.
    fn timer_added_to_lent(&self, p: &PCore, when: u64);

    /// Whether the runtime has closed, so that nothing spawned now would ever run.
    fn is_closed(&self) -> bool;
}

/// What a goroutine's record points to.
pub(crate) struct Header {
    runtime: UnsafeCell<Option<*const dyn AnyRuntime>>,
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
    /// The runtime's short serial number while it has one P, else 0; see `sole`.
    pub(crate) sole: AtomicU32,
    pub(crate) serial: u64,
    /// What is more important than the next goroutine: the bits of `sched::attention`.
    pub(crate) attention: AtomicU32,
    /// Nanoseconds since `started`, as sysmon last published them: good to its period, free to read.
    pub(crate) coarse: AtomicU64,
    pub(crate) events: EventSeam,
}

// SAFETY: `runtime` is written once, before the header is shared, and points to what owns the header.
unsafe impl Send for Header {}
// SAFETY: as above.
unsafe impl Sync for Header {}

impl Header {
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
            sole: AtomicU32::new(0),
            serial: crate::entering::sole::next_serial(),
            attention: AtomicU32::new(0),
            coarse: AtomicU64::new(nanos(epoch().elapsed())),
            events: EventSeam::new(settings.events.clone()),
        }
    }

    /// Ties the header to its runtime.
    ///
    /// # Safety
    /// Once, before the header is shared; `runtime` owns the header.
    pub(crate) unsafe fn tie(&self, runtime: *const dyn AnyRuntime) {
        // SAFETY: not shared yet.
        unsafe { *self.runtime.get() = Some(runtime) };
    }

    /// The runtime.
    #[inline]
    pub(crate) fn runtime(&self) -> &dyn AnyRuntime {
        // SAFETY: tied before it was shared, never changed since, and the runtime owns us.
        match unsafe { *self.runtime.get() } {
            // SAFETY: as above.
            Some(runtime) => unsafe { &*runtime },
            None => crate::fatal!("a header is tied before it is shared", "policy {}", self.policy),
        }
    }

    /// Whether the runtime closes or has closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & crate::shared::sched::attention::CLOSING != 0
    }

    /// Whether goroutines are to unwind instead of suspending.
    #[inline]
    pub(crate) fn is_unwinding(&self) -> bool {
        self.attention.load(Ordering::Relaxed) & crate::shared::sched::attention::UNWIND != 0
    }

    /// Sends a goroutine's event: off the hot paths.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_event(&self, kind: EventKind, goroutine: u64, m: Option<&M>, value: u64) {
        self.events.emit(|| Event { kind, goroutine, p: m.and_then(M::p_id), m: m.map(|m| m.id), value });
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

/// When this process first asked for the time: the zero of all clocks here. One for all runtimes, since one timer may be
/// set in several.
pub(crate) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// A duration in nanoseconds, at most 584 years.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Where events leave the scheduler: one relaxed load and a cold branch a point while nobody listens.
pub(crate) struct EventSeam {
    on: AtomicBool,
    sink: Option<Arc<dyn EventSink>>,
}

impl EventSeam {
    fn new(sink: Option<Arc<dyn EventSink>>) -> Self {
        Self { on: AtomicBool::new(sink.is_some()), sink }
    }

    /// Whether somebody listens.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Switches the events on or off; `false`: there is no sink.
    pub(crate) fn switch(&self, on: bool) -> bool {
        self.on.store(on && self.sink.is_some(), Ordering::Relaxed);
        self.sink.is_some()
    }

    #[inline(always)]
    pub(crate) fn emit(&self, event: impl FnOnce() -> Event) {
        if self.on.load(Ordering::Relaxed) {
            self.send(event());
        }
    }

    #[cold]
    fn send(&self, event: Event) {
        if let Some(sink) = &self.sink {
            crate::entering::gate::without_runtime("an event sink", || sink.event(&event));
        }
    }
}
