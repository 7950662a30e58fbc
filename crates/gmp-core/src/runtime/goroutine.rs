//! What a goroutine can do with itself and its runtime.

use crate::entering::caller::{Caller, caller};
use crate::entering::foreign;
use crate::entering::gate::{self, in_own_frame, on_g0};
use crate::life::handle::JoinHandle;
use crate::life::spawn::{NoRecord, Spec};
use crate::records::g::extra::Ancestor;
use crate::records::g::permit::Unpark;
use crate::records::g::word::Serial;
use crate::records::g::{G, WaitReason, Wake};
use crate::records::m::Leave;
use crate::records::p::timers::NEVER;
use crate::runtime::outside::Handle;
use crate::waiting::park::{Commit, park_inside};
use crate::waiting::ready::ready;

pub use crate::ground::procs::MAX_PROCS;
pub use crate::life::panics::{may_unwind, unwind_if_closing};
use core::marker::PhantomData;
use core::panic::Location;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Spawns a goroutine: it runs next on this P, unless another one is spawned before that and takes its place; inside
/// `blocking` it goes to the shared queue's tail. Never suspends.
///
/// # Errors
/// No memory for another record; the closure comes back.
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "newproc")]
#[track_caller]
#[inline]
pub fn spawn<F, T>(call: &'static str, spec: Option<&Spec>, f: F) -> Result<JoinHandle<T>, NoRecord<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    crate::life::spawn::spawn(&gate::pass(call), spec, Location::caller(), f)
}

/// Ends the calling goroutine: its destructors run, its handle gets `JoinError::Exited`. In main, the others go on.
///
/// # Panics
/// Outside a goroutine. It is itself an unwind, which `catch_unwind` in user code stops.
#[doc(alias = "Goexit")]
#[track_caller]
pub fn exit() -> ! {
    let _ = gate::pass("exit");
    crate::life::panics::unwind_goroutine()
}

/// Parks until an [`Unparker`] of this goroutine is used, or `timeout` has passed; returns at once if it has been used
/// since the last park. **Suspends.**
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn park(timeout: Option<Duration>) -> Wake {
    gate::give_way();
    let inside = gate::enter("park");
    let g = inside.g();
    let owner = g.own_permit();
    if g.permit.take(owner) {
        return Wake::Woken;
    }
    if g.header().is_unwinding() {
        return Wake::Closing;
    }
    let deadline = timeout.map_or(NEVER, |timeout| {
        g.header().now().saturating_add(crate::ground::clock::nanos(timeout)).min(NEVER - 1)
    });
    let wake = park_inside(&inside, WaitReason::Park, deadline, |parked| {
        let (g, wait) = parked.into_parts();
        if g.permit.offer(wait, owner) {
            Commit::Stay
        } else {
            Commit::Resume(crate::records::g::parked::Parked::new(g, wait))
        }
    });
    if wake != Wake::Woken && !g.permit.withdraw(owner) {
        // An unparker had the offer already: its permit is used up by this return.
        return Wake::Woken;
    }
    wake
}

/// The right to unpark one goroutine; any number of copies, on any thread, harmless after it has ended.
#[derive(Clone)]
pub struct Unparker {
    g: &'static G,
    owner: Serial,
}

impl Unparker {
    /// Ends the goroutine's `park`, or lets its next one return at once. Never suspends.
    #[track_caller]
    pub fn unpark(&self) {
        gate::step_aside();
        foreign::refuse("Unparker::unpark");
        if let Unpark::Ready(wait) = self.g.permit.unpark(self.owner) {
            ready(self.g, wait, Wake::Woken);
        }
    }
}

impl core::fmt::Debug for Unparker {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Unparker").finish_non_exhaustive()
    }
}

/// The calling goroutine, as it was when asked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Current {
    /// Its number: main is 1.
    #[doc(alias = "goid")]
    pub number: u64,
    /// The number of the goroutine that spawned it; 0 for main and for those spawned by plain threads.
    pub parent: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Its labels, inherited ones too.
    pub labels: Arc<[(String, String)]>,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// Its spawners, nearest first, as far back as the builder asked for.
    pub ancestors: Vec<Ancestor>,
    unparker: Unparker,
}

impl Current {
    /// A right to unpark it. Never suspends.
    #[track_caller]
    pub fn unparker(&self) -> Unparker {
        self.unparker.clone()
    }
}

/// The calling goroutine; `None` on a plain thread. Never suspends.
pub fn current() -> Option<Current> {
    gate::step_aside();
    let Caller::G(here) = caller() else { return None };
    let g = here.g();
    let extra = g.extra();
    Some(Current {
        number: g.number.get(),
        parent: g.parent.get(),
        name: extra.and_then(|extra| extra.name.clone()),
        labels: extra.map(|extra| extra.labels.clone()).unwrap_or_default(),
        created_at: g.created_at.get(),
        ancestors: extra.map(|extra| extra.ancestors.clone()).unwrap_or_default(),
        unparker: Unparker { g, owner: g.own_permit() },
    })
}

/// The calling goroutine's right to be unparked, without the rest of [`current()`]. Never suspends.
///
/// # Panics
/// Outside a goroutine.
pub fn unparker() -> Unparker {
    let g = gate::pass("current").g();
    Unparker { g, owner: g.own_permit() }
}

/// Keeps the calling goroutine on its OS thread, alone, while it lives. See [`lock_os_thread`].
///
/// Dropping it never suspends. It is of no effect anywhere but in its own goroutine, where safe code can take it only by
/// way of a thread-local.
#[must_use = "the lock lasts as long as the guard"]
pub struct ThreadLock {
    g: &'static G,
    owner: Serial,
    // Belongs to one goroutine.
    not_send: PhantomData<*mut ()>,
}

impl core::fmt::Debug for ThreadLock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ThreadLock").finish_non_exhaustive()
    }
}

/// Locks the calling goroutine to its OS thread until the guard is dropped. Locks are counted, so they nest. If the
/// goroutine ends while locked (the guard was leaked), its thread ends with it. Never suspends.
///
/// # Panics
/// Outside a goroutine, and at the 65,536th lock in one goroutine.
#[doc(alias = "LockOSThread")]
#[track_caller]
pub fn lock_os_thread() -> ThreadLock {
    let here = gate::pass("lock_os_thread");
    crate::entering::locked::lock(here.g(), here.m());
    ThreadLock { g: here.g(), owner: here.g().own_permit(), not_send: PhantomData }
}

/// How often the calling goroutine is locked to its OS thread. Never suspends.
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn thread_locks() -> usize {
    gate::pass("thread_locks").g().locks.get().into()
}

impl Drop for ThreadLock {
    fn drop(&mut self) {
        if let Some(here) = gate::here()
            && core::ptr::eq(here.g(), self.g)
            && self.g.own_permit() == self.owner
        {
            crate::entering::locked::unlock(here.g(), here.m());
        }
    }
}

/// Calls `f` on the M's own stack, which is a thread's (8 MiB for main's, 2 MiB for others), and comes back at once.
/// `f` is in the scheduler's place: it must not call the runtime. Outside a goroutine, and where each goroutine is a
/// thread, it just calls `f`. Never suspends.
///
/// # Panics
/// If `f` panics.
#[doc(alias = "systemstack")]
#[track_caller]
pub fn on_system_stack<R>(f: impl FnOnce() -> R) -> R {
    let Some(here) = gate::pass_or_plain("on_system_stack") else { return in_own_frame(f) };
    if here.g().header().thread_each {
        // The stack is a thread's already, and g0 is on another thread, where an `f` that is not `Send` must not go.
        return in_own_frame(f);
    }
    let result = on_g0(here.g(), |m| {
        // The goroutine's own code, though on our stack: its P may be taken from it.
        m.door.go_out();
        let result = catch_unwind(AssertUnwindSafe(f));
        core::mem::forget(m.door.hold());
        result
    });
    result.unwrap_or_else(|payload: Box<dyn Any + Send>| resume_unwind(payload))
}

/// Sets the number of Ps of the calling goroutine's runtime and returns the number before. Stops the world for a
/// moment, unless the number is the same already. **Suspends.**
///
/// # Panics
/// Outside a goroutine, and for 0.
#[doc(alias = "GOMAXPROCS")]
#[track_caller]
pub fn set_max_procs(procs: usize) -> usize {
    assert!(
        (1..=MAX_PROCS).contains(&procs),
        "gmp::set_max_procs({procs}): the number of Ps must be from 1 to {MAX_PROCS}"
    );
    gate::give_way();
    loop {
        let inside = gate::enter("set_max_procs");
        let rt = inside.g().header().runtime();
        let before = rt.procs();
        if before == procs || on_g0(inside.g(), |m| rt.try_resize(m, procs)) {
            return before;
        }
        inside.make_way(Leave::Yield);
        if inside.g().header().is_unwinding() {
            // A closing runtime does not stop its world any more: without this we would ask for ever.
            drop(inside);
            unwind_if_closing(Wake::Closing);
            return before;
        }
    }
}

/// A handle on the calling goroutine's runtime; `None` on a plain thread.
pub fn handle() -> Option<Handle> {
    gate::step_aside();
    match caller() {
        Caller::G(here) => Some(Handle::of(here.g().header().runtime())),
        _ => None,
    }
}

/// The calling goroutine's runtime, for its statistics. Never suspends.
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn with_runtime<R>(call: &'static str, look: impl FnOnce(&Handle) -> R) -> R {
    look(&Handle::of(gate::pass(call).g().header().runtime()))
}

/// Lets other goroutines run: the caller goes to the shared queue's tail. **Suspends.**
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "Gosched")]
#[inline]
#[track_caller]
pub fn yield_now() {
    let inside = gate::enter("yield_now");
    if inside.g().header().is_unwinding() && may_unwind() {
        drop(inside);
        crate::life::panics::unwind_goroutine();
    }
    inside.make_way(Leave::Yield);
}
