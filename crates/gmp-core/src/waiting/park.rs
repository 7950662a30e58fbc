//! Park: stop the calling goroutine until someone readies it.
//!
//! ```text
//!   goroutine                    its M's g0                        waker
//!   ─────────                    ──────────                        ─────
//!   leave(Park) ──switch──►  word: Running → Waiting(wait)
//!                            commit(Parked) ── token ──────────►  Parked::ready
//!                            add the deadline, if it still waits
//!                            schedule()                            word: Waiting(wait) → Runnable
//!        ▲                                                         queue
//!        └───────────────────── execute ◄──────────────────────────┘
//! ```
//!
//! **Invariant.** The token exists only after the goroutine is off its stack, so no waker can run it too early; the
//! word names the wait, so of two wakers (and the deadline) one wins. **The danger** is the commit's own data: once the
//! token is out, the goroutine may run, and its stack frame with what the commit borrows may be gone. Therefore the
//! commit is moved to g0's stack before it is called, and it must not touch what it borrows after it has given the
//! token away. Go: `gopark`, `park_m`, `goready` (proc.go, Go 1.27).

pub use crate::entering::caller::Who;
use crate::entering::gate;
use crate::records::g::parked::Parked;
use crate::records::g::{WaitReason, Wake};
use crate::records::m::{Leave, ParkRequest};
use crate::records::p::timers::NEVER;
use crate::records::waits_at;
pub use crate::records::waits_at::{HeldFrom, Several};
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use std::time::{Duration, Instant};

/// What a commit decides.
#[derive(Debug)]
#[must_use]
pub enum Commit {
    /// The park stands; the token is where the waker will find it.
    Stay,
    /// It is called off: the goroutine runs on at once, on the same time slice.
    Resume(Parked),
}

/// Parks the calling goroutine. **Suspends.**
///
/// `commit` runs on the scheduler's stack once the goroutine is off its own; it puts the token where the waker will
/// find it, or gives it back. It must not suspend, unwind or spawn.
///
/// # Panics
/// Outside a goroutine.
///
/// # Safety
/// - After `commit` has given the token away it touches, and drops, nothing that it borrows from the goroutine's stack:
///   the goroutine may run by then, and its frame be gone.
/// - What `commit` holds may be used on another thread while the calling one waits: where each goroutine is a thread,
///   the scheduler's stack is another thread's.
#[doc(alias = "gopark")]
#[track_caller]
pub unsafe fn park(
    reason: WaitReason,
    deadline: Option<Instant>,
    commit: impl FnOnce(Parked) -> Commit,
) -> Wake {
    let inside = gate::enter("park");
    let timed = deadline.is_some();
    let deadline = on_clock(&inside, deadline);
    // SAFETY: the goroutine is the caller, so it has started and not ended.
    unsafe { inside.g().body.set_waits_at(waits_at::tagged(0, timed)) };
    // The commit is anybody's code: it is made on g0, where it cannot call what suspends.
    request(&inside, reason, deadline, commit, |inside| inside.leave_reserved(Leave::Park))
}

/// Who is about to wait, for primitives that goroutines and plain threads share.
///
/// A primitive asks before it queues the caller anywhere: a caller that may not wait is refused here, and a goroutine
/// inside `blocking` is brought back to a P, which may take a while.
#[derive(Debug)]
pub enum Place {
    /// A goroutine; it may park.
    Goroutine(AtGate),
    /// A thread that is no M; it may block itself.
    Plain,
}

impl Place {
    /// Who is calling `call`. **Suspends** a goroutine that is inside `blocking`.
    ///
    /// ```compile_fail,E0133
    /// let _left_to_another_goroutine_of_this_thread = gmp_core::park::Place::enter("example");
    /// ```
    ///
    /// # Panics
    /// In the scheduler's place: in a policy, an event sink, a call on the system stack.
    ///
    /// # Safety
    /// It is used and dropped by the goroutine, or the thread, that asked, and by no other; and not on the system stack.
    #[track_caller]
    #[inline]
    pub unsafe fn enter(call: &'static str) -> Place {
        gate::enter_or_plain(call).map_or(Place::Plain, Place::of)
    }

    /// Whether it makes sense to spin for a moment until somebody else, who may be running at this very time, lets go
    /// of something: on several CPUs, and for a goroutine if another P runs goroutines. Never suspends.
    #[doc(alias = "canSpin")]
    pub fn may_spin(&self) -> bool {
        crate::ground::procs::cpus() > 1
            && match self {
                Place::Goroutine(AtGate(inside, _)) => inside.g().header().runtime().may_spin(),
                Place::Plain => true,
            }
    }

    #[inline]
    fn of(inside: gate::Inside) -> Self {
        Self::Goroutine(AtGate(inside, PhantomData))
    }

    /// [`Place::enter`], if it need not suspend; `None` for a goroutine that is inside `blocking`. Never suspends.
    ///
    /// ```compile_fail,E0133
    /// // SAFETY: used up in this statement.
    /// let who = unsafe { gmp_core::park::Who::calls() };
    /// let _left_to_another_goroutine_of_this_thread = gmp_core::park::Place::enter_at_once(who, "example");
    /// ```
    ///
    /// # Panics
    /// The same as for [`Place::enter`].
    ///
    /// # Safety
    /// The same as for [`Place::enter`].
    #[track_caller]
    #[inline]
    pub unsafe fn enter_at_once(who: Who, call: &'static str) -> Option<Place> {
        let inside = gate::enter_at_once(who, call)?;
        Some(inside.map_or(Place::Plain, Place::of))
    }
}

/// A goroutine that has passed the gate and may park. Its own: no other goroutine or thread is to get it, as whoever has
/// asked for it ([`Place::enter`]) promises.
///
/// ```compile_fail,E0277
/// fn given_away<T: Send>() {}
/// given_away::<gmp_core::park::AtGate>();
/// ```
pub struct AtGate(gate::Inside, PhantomData<*mut ()>);

impl core::fmt::Debug for AtGate {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("AtGate").field(&self.0.g().title()).finish()
    }
}

impl AtGate {
    /// Whether the runtime is closing and unwinds its goroutines: the caller is not to wait then.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.0.g().header().is_unwinding()
    }

    /// [`park`], past the gate. **Suspends.**
    ///
    /// `at` is the address of what the goroutine waits at, for dumps; 0: nothing that could be named. It is even.
    ///
    /// `commit` may run on the stack of the goroutine that runs next. If it calls the park off then, the caller comes
    /// after that one.
    ///
    /// # Safety
    /// The same as for [`park`]; and `commit` calls nothing that suspends or readies, nor anything that needs much stack.
    /// Where the reason is [`WaitReason::Mutex`], `at` is the address of a [`HeldFrom`] that lives as long as the wait,
    /// exposed; where it is [`WaitReason::Select`], that of a [`Several`], or 0.
    #[inline]
    pub unsafe fn park(
        &self,
        reason: WaitReason,
        at: usize,
        deadline: Option<Instant>,
        commit: impl FnOnce(Parked) -> Commit,
    ) -> Wake {
        // SAFETY: the goroutine is the caller, so it has started and not ended.
        unsafe { self.0.g().body.set_waits_at(waits_at::tagged(at, deadline.is_some())) };
        park_inside(&self.0, reason, on_clock(&self.0, deadline), commit)
    }

    /// [`yield_local`], past the gate. **Suspends.**
    pub fn yield_local(&self) {
        self.0.make_way(Leave::YieldLocal);
    }
}

/// A deadline on the runtime's clock.
#[inline]
pub(super) fn on_clock(inside: &gate::Inside, deadline: Option<Instant>) -> u64 {
    let since = |at: Instant| at.saturating_duration_since(inside.g().header().started);
    deadline.map_or(NEVER, |at| crate::ground::clock::nanos(since(at)).min(NEVER - 1))
}

/// [`park`] for a caller that has passed the gate; the deadline on the runtime's clock. `commit` suspends and
/// readies nobody and needs little stack: it may run on the next goroutine's.
#[inline]
pub(crate) fn park_inside<F: FnOnce(Parked) -> Commit>(
    inside: &gate::Inside,
    reason: WaitReason,
    deadline: u64,
    commit: F,
) -> Wake {
    request(inside, reason, deadline, commit, |inside| {
        if deadline == NEVER { inside.hop() } else { inside.leave_reserved(Leave::Park) }
    })
}

#[inline(always)]
fn request<F: FnOnce(Parked) -> Commit>(
    inside: &gate::Inside,
    reason: WaitReason,
    deadline: u64,
    commit: F,
    leave: impl FnOnce(&gate::Inside),
) -> Wake {
    let mut commit = ManuallyDrop::new(commit);
    // Odd: a request stays behind where it was, and is not to be taken for a reference to something on this stack by who
    // searches memory for such (`goroutine_leaks`).
    let data = core::ptr::from_mut(&mut commit).cast::<()>().wrapping_byte_add(1);
    inside.prepare_to_leave();
    inside.m().park.set(ParkRequest { reason, deadline, commit: call::<F>, data });
    leave(inside);
    inside.g().wake.get()
}

/// # Safety
/// One byte before `data` begins an `F` on the stack of the parked goroutine, which never touches it again.
#[inline]
unsafe fn call<F: FnOnce(Parked) -> Commit>(data: *mut (), parked: Parked) -> Option<Parked> {
    // SAFETY: the caller says so; from here on the F lives on g0's stack.
    let commit = unsafe { data.wrapping_byte_sub(1).cast::<F>().read() };
    match crate::ground::fatal::no_unwind("a park's commit", || commit(parked)) {
        Commit::Stay => None,
        Commit::Resume(parked) => Some(parked),
    }
}

/// Sleeps for at least `duration`; zero returns at once, without a yield, as in Go. **Suspends.**
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "timeSleep")]
#[track_caller]
pub fn sleep(duration: Duration) -> Wake {
    gate::give_way();
    if duration.is_zero() {
        return Wake::TimedOut;
    }
    let inside = gate::enter("sleep");
    if inside.g().header().is_unwinding() {
        return Wake::Closing;
    }
    let now = inside.g().header().now();
    inside.m().clock.set(now);
    let deadline = now.saturating_add(crate::ground::clock::nanos(duration)).min(NEVER - 1);
    park_inside(&inside, WaitReason::Sleep, deadline, |parked| {
        // The timer holds a twin, which alone is to wake us.
        let _ = parked.into_parts();
        Commit::Stay
    })
}

/// Lets the goroutines of this P run: the caller goes to the local queue's tail. **Suspends.**
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "goyield")]
#[track_caller]
pub fn yield_local() {
    gate::enter("yield_local").make_way(Leave::YieldLocal);
}
