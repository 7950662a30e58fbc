//! Foreign code: what the scheduler calls in the middle of its own work, and what that may not do.
//!
//! Policies, event sinks and hooks run where a lock may be held, a P may be in nobody's hands and a goroutine may be half
//! asleep. So they must not call the runtime: a goroutine that suspended here would come back on another M than its caller
//! knows, and a lock that the scheduler holds would be waited for by its own thread. Whoever does is refused with a panic
//! that says who called what, before any lock is taken or waited for. (The panic ends the process, since nothing may unwind
//! out of foreign code.) Go has no foreign code in its scheduler.
//!
//! Calls that need a goroutine pass the gate, which asks. Others ask [`refuse`] at once, if there may be a sink or a
//! hook. Asking for policies would cost every channel operation a look, so that is done only where a lock is not free.

use crate::entering::caller::{Caller, caller};
use crate::records::m::M;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::Waker;

/// Foreign code that is called: its kind, and its name if it has one.
pub(crate) type Foreigner = (&'static str, &'static str);

/// Whether a runtime of this process was ever made with a sink or a hook.
static EXPECTED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The foreign code that is called on this thread, if the thread is no M's.
    static ON_PLAIN: Cell<Option<Foreigner>> = const { Cell::new(None) };
}

/// A runtime is made that has a sink or a hook.
pub(crate) fn expect() {
    EXPECTED.store(true, Ordering::Relaxed);
}

/// Refuses the call if foreign code makes it, as far as that can be told for the price of one load: not if a policy does.
/// Never suspends.
///
/// # Panics
/// In an event sink or a hook.
#[inline(always)]
#[track_caller]
pub fn refuse(call: &'static str) {
    if EXPECTED.load(Ordering::Relaxed) {
        refuse_all(call);
    }
}

/// Refuses the call if foreign code makes it. Never suspends.
///
/// # Panics
/// In an event sink, a hook, or a policy.
#[cold]
#[inline(never)]
#[track_caller]
pub fn refuse_all(call: &'static str) {
    if let Some(who) = who() {
        refuse_whom(call, who);
    }
}

#[track_caller]
pub(crate) fn refuse_whom(call: &str, (kind, name): Foreigner) -> ! {
    panic!(
        "gmp::{call} was called from inside the scheduler, by {kind}{name}; such code must not call the runtime"
    )
}

/// Which foreign code is calling, if any is.
pub(crate) fn who() -> Option<Foreigner> {
    caller().m().map_or_else(|| ON_PLAIN.get(), on)
}

/// The M on whose own stack the scheduler's code calls, or a timer's callback: no place for the destructor of a value that
/// happens to go here. `None`: the caller drops what is its own, be it a goroutine, a plain thread, a policy or a sink.
pub(crate) fn own_place<'a>() -> Option<&'a M> {
    match caller() {
        Caller::Scheduler(m) => (!m.in_policy.get()).then_some(m),
        Caller::G(_) | Caller::Plain => None,
    }
}

/// Which foreign code is called on `m`, if any is.
pub(crate) fn on(m: &M) -> Option<Foreigner> {
    m.in_policy.get().then(|| m.foreign.get().unwrap_or(("code of policy ", m.rt().policy_name())))
}

/// Called when foreign code that is called on `m` has readied a goroutine.
#[cold]
#[inline(never)]
pub(crate) fn has_readied_on(m: &M) -> ! {
    has_readied(on(m).unwrap_or_default())
}

/// Called when foreign code has readied a goroutine: it is too late to refuse that.
#[cold]
#[inline(never)]
pub(crate) fn has_readied((kind, name): Foreigner) -> ! {
    crate::fatal!(
        "policies, event sinks and hooks do not call the runtime",
        "{kind}{name} readied a goroutine"
    );
}

/// Calls a sink or a hook, on whatever stack and thread: `what` says which. It may neither call the runtime nor unwind.
#[cold]
pub(crate) fn without_runtime<R>(what: &'static str, call: impl FnOnce() -> R) -> R {
    called((what, ""), || crate::ground::fatal::no_unwind(what, call))
}

/// Wakes a future's task, whose executor wrote the waker: from a goroutine, a plain thread, or the scheduler's stack. No
/// lock of ours is held. On the scheduler's stack the waker may ready goroutines, as
/// [`Fire::fire`](crate::timer::Fire::fire) may; whatever suspends is refused by a panic. What unwinds out of it ends
/// the process, since the value that its task waits for has moved already.
pub fn wake_task(waker: Waker) {
    crate::ground::fatal::no_unwind("a future's waker", || waker.wake());
}

/// Calls `call`, which is the code of `who`.
pub(crate) fn called<R>(who: Foreigner, call: impl FnOnce() -> R) -> R {
    let caller = caller();
    let Some(m) = caller.m() else {
        let outer = ON_PLAIN.replace(Some(who));
        let result = call();
        ON_PLAIN.set(outer);
        return result;
    };
    // Whoever is refused is found by this, and the P stays where it is meanwhile.
    let _hold = m.door.hold();
    // Foreign code of another runtime may have called us: it still must not suspend after this.
    let (outer, whose) = (m.in_policy.replace(true), m.foreign.replace(Some(who)));
    let result = call();
    m.in_policy.set(outer);
    m.foreign.set(whose);
    result
}
