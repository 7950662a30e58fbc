//! Time slices: a goroutine that calls the runtime gives way when its slice is over.
//!
//! ```text
//!                  sysmon: 10 ms, and no other dispatch           a call that suspends: the goroutine yields
//!   slice runs ───────────────────────────────────► slice over ─────────────────────────────────────────────► begins
//!      ▲                                                │        by way of g0; so does every look at g0        anew
//!      │                                                │ a call that never suspends: the goroutine steps aside
//!      │        the P's next holder begins a slice      ▼
//!      └────────────────────────────────────────── P lent out, the goroutine runs on without it
//!                                                       │ its next call that suspends, or its end
//!                                                       ▼
//!                                             it comes back, and waits for a P if it must
//! ```
//!
//! A call that may suspend asks first of all, where nothing of it has happened yet: Go's asynchronous preemption may
//! strike at the very same point, and does the same ([`give_way`], `gopreempt_m`). A call that never suspends keeps its
//! promise: the goroutine stays on its thread and runs on, but its P is lent out as in a blocking call ([`step_aside`]),
//! and whoever waits for it gets it. Go needs no such thing, since it may stop a goroutine anywhere.
//!
//! **Invariant.** The count of notices is the number of Ps whose slice is over, and of goroutines aside, give or take
//! changes that are under way. While it is 0, which is nearly always, a call costs one relaxed load of it: whose slice is
//! over is looked up only when it is not. A P that goes idle, or ends with its runtime, takes its notice back.
//!
//! Go: `preemptone`, `gopreempt_m` (proc.go, Go 1.27).

use crate::current::{Current, current};
use crate::gate::{Here, Inside};
use crate::m::Leave;
use crate::sync::{AtomicBool, AtomicU32};
use core::sync::atomic::Ordering::Relaxed;

/// How many have something to see to.
pub(crate) struct Notices(AtomicU32);

#[cfg(not(loom))]
static NOTICES: Notices = Notices(AtomicU32::new(0));
#[cfg(loom)]
loom::lazy_static! {
    static ref NOTICES: Notices = Notices(AtomicU32::new(0));
}

impl Notices {
    /// Whether anybody has. A hint: whoever is concerned finds out soon, if not now.
    #[inline(always)]
    fn any(&self) -> bool {
        self.0.load(Relaxed) != 0
    }

    // For a moment the count may be one less than none, when a notice is taken back before it is counted: `any` is true
    // then, which costs a look.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(crate) fn take(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A P's time slice: which one it is, and whether it is over.
pub(crate) struct Slice {
    /// Dispatches that began a slice. Written by the P's holder, compared by sysmon.
    #[doc(alias = "schedtick")]
    tick: core::sync::atomic::AtomicU32,
    over: AtomicBool,
}

impl Slice {
    pub(crate) fn new() -> Self {
        Self { tick: core::sync::atomic::AtomicU32::new(0), over: AtomicBool::new(false) }
    }

    /// A goroutine is about to run that does not go on in another's slice. By the P's holder.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.tick.store(self.tick().wrapping_add(1), Relaxed);
        self.forget();
    }

    #[inline(always)]
    pub(crate) fn tick(&self) -> u32 {
        self.tick.load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Relaxed)
    }

    /// sysmon has seen it last too long. Go: `preemptone`.
    #[doc(alias = "preemptone")]
    pub(crate) fn end(&self) {
        if !self.over.swap(true, Relaxed) {
            NOTICES.add();
        }
    }

    /// Whoever was to make room has done it, or there is nobody any more.
    #[inline(always)]
    pub(crate) fn forget(&self) {
        if self.is_over() {
            self.take_back();
        }
    }

    #[cold]
    fn take_back(&self) {
        if self.over.swap(false, Relaxed) {
            NOTICES.take();
        }
    }
}

impl Drop for Slice {
    fn drop(&mut self) {
        self.forget();
    }
}

/// Ends the caller's time slice if it is over, and brings it back if it has stepped aside: to be called first by each
/// function that may suspend, but need not. **Suspends.** Never inside `blocking`, in the scheduler or on a plain thread.
#[inline(always)]
pub fn give_way() {
    if NOTICES.any() {
        give_way_if_over();
    }
}

#[cold]
#[inline(never)]
fn give_way_if_over() {
    let Some(here) = own_code() else { return };
    if here.g().word.is_blocked() && !here.m().aside.get() {
        return;
    }
    let inside = Inside::come_back(here);
    if inside.m().p_core().is_some_and(|p| p.slice.is_over()) {
        inside.leave(Leave::SliceOver);
    }
}

/// Lends the caller's P out if its time slice is over: to be called first by each function that never suspends. Never
/// suspends: the caller stays on its thread, and comes back to a P with its next call that suspends.
#[inline(always)]
pub fn step_aside() {
    if NOTICES.any() {
        step_aside_if_over();
    }
}

#[cold]
#[inline(never)]
fn step_aside_if_over() {
    let Some(here) = own_code() else { return };
    // Inside `blocking` the M has no P.
    if here.m().p_core().is_some_and(|p| p.slice.is_over()) {
        here.g().header().runtime().step_aside(here.g());
    }
}

/// The calling goroutine, unless policy code or an event sink is calling: whatever they call refuses them.
fn own_code() -> Option<Here> {
    match current() {
        Current::G(g) => Some(Here::new(g)).filter(|here| !here.m().in_policy.get()),
        Current::Plain | Current::Scheduler(_) => None,
    }
}

/// The goroutine on this M has stepped aside, or comes back.
pub(crate) fn set_aside(m: &crate::m::M, aside: bool) {
    if m.aside.replace(aside) != aside {
        if aside { NOTICES.add() } else { NOTICES.take() }
    }
}

#[cfg(all(test, loom))]
mod loom_slice {
    //! sysmon ends a slice while the P's holder begins the next one, twice over; then the P goes idle. Two threads, all
    //! interleavings, a second. With a plain store in `take_back` it fails: a notice is left behind, or taken twice.

    use super::*;
    use loom::sync::Arc;

    #[test]
    fn loom_notices_add_up() {
        loom::model(|| {
            let slice = Arc::new(Slice::new());
            let sysmon = loom::thread::spawn({
                let slice = Arc::clone(&slice);
                move || (0..2).for_each(|_| slice.end())
            });
            (0..2).for_each(|_| slice.begin());
            sysmon.join().unwrap();
            assert_eq!(NOTICES.any(), slice.is_over());
            slice.forget();
            assert!(!NOTICES.any());
        });
    }
}
