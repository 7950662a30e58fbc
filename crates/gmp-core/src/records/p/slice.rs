//! Time slices: a goroutine that calls the runtime gives way when its slice is over.
//!
//! ```text
//!                  sysmon: 10 ms, and no other dispatch           a call that suspends: the goroutine yields
//!   slice runs ───────────────────────────────────► slice over ─────────────────────────────────────────────► begins
//!      ▲                                                │        by way of g0; so does every look at g0        anew
//!      │                                                │ a call that never suspends: the goroutine steps aside
//!      │        the P's next holder begins a slice      ▼
//!      └────────────────────────────────────────── P lent out, the goroutine runs on without it
//!                                                       │ its next call that suspends, its end, or a spawn if a P is idle
//!                                                       ▼
//!                                             it comes back, and waits for a P if it must
//! ```
//!
//! A call that may suspend asks first of all, where nothing of it has happened yet: Go's asynchronous preemption may
//! strike at the very same point, and does the same (`give_way` in `entering/gate.rs`; `gopreempt_m`). A call that
//! never suspends keeps its promise: the goroutine stays on its thread and runs on, but its P is lent out as in a
//! blocking call (`step_aside`), and whoever waits for it gets it. If nobody waits and no timer is due, its next slice
//! begins at once instead. Go needs no such thing, since it may stop a goroutine anywhere.
//!
//! A loop of spawns is such calls alone, and might stay without a P for all of its life, although whoever waited has
//! long run. A spawn without a P takes records, numbers and the shared queue from under everybody's locks; so it takes an
//! idle P first, if there is one, as Go does at the end of a system call (`exitsyscallfast_pidle`). Nobody waits for that
//! P, and the goroutine stays on its thread, so the call still never suspends.
//!
//! **Invariant.** The count of notices is the number of Ps whose slice is over, and of goroutines aside, give or take
//! changes that are under way. While it is 0, which is nearly always, a call costs one relaxed load of it: whose slice is
//! over is looked up only when it is not. A P that goes idle, or ends with its runtime, takes its notice back.
//!
//! Go: `preemptone`, `gopreempt_m` (proc.go, Go 1.27).

use crate::ground::sync::{AtomicBool, AtomicU32};
use core::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// How long a slice is. Go: 10 ms (`forcePreemptNS`).
pub(crate) const SLICE: Duration = Duration::from_millis(10);

/// How many have something to see to.
pub(crate) struct Notices(AtomicU32);

/// The process's.
#[cfg(not(loom))]
pub(crate) static NOTICES: Notices = Notices(AtomicU32::new(0));
#[cfg(loom)]
loom::lazy_static! {
    /// The model's.
    pub(crate) static ref NOTICES: Notices = Notices(AtomicU32::new(0));
}

impl Notices {
    /// Whether anybody has. A hint: whoever is concerned finds out soon, if not now.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
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

    /// sysmon has seen it last too long, or the P's holder, after a call that blocked, has left neighbours waiting. Go:
    /// `preemptone`.
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
