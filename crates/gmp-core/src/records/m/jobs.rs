//! `Jobs`: the second halves of the `join`s that an M's goroutine is in, where others who look for work may take them.
//!
//! A job is no goroutine. It lies in the frame of its `join`, and here lies its address; it becomes a goroutine only if
//! somebody takes it, or if its own goroutine has to suspend. Otherwise its goroutine takes it back and calls it.
//!
//! ```text
//!            top (others take here, the oldest first)           bottom (the owner puts and takes back here)
//!             ▼                                                   ▼
//!   ... taken │ job of join 1 │ job of join 2 │ job of join 3     │ free ...
//! ```
//!
//! **Invariant.** All jobs in here are of the goroutine that runs on this M, innermost join last: before a goroutine leaves
//! its M in any way, what is left becomes goroutines (`promote`). So a `join` that comes to its end finds its own job
//! at the bottom, or nothing at all, on whichever M it is by then.
//!
//! **The danger** is the last job, which the owner takes back while a thief takes it. The owner lowers `bottom` and then
//! looks at `top`; a thief looks at `top` and then at `bottom`, and moves `top` by a compare-and-swap. Between the two
//! steps of either stands half of an asymmetric fence, so one of them sees the other; and whoever sees that it is the
//! last one settles the race by the compare-and-swap. What a join costs its goroutine is then plain loads and stores,
//! and a thief pays some microseconds for what is the largest piece of work that its victim has.
//!
//! The algorithm is the deque of Chase and Lev (SPAA 2005) with the orderings of Lê et al. (PPoPP 2013), but for the
//! fence, and for its fixed size: a join that finds no room spawns. Go: none.

use crate::ground::fence::{has_heavy_fence, heavy_fence};
use crate::ground::sync::{AtomicPtr, AtomicUsize, full_fence, light_fence};
use core::panic::Location;
use core::ptr;
use core::sync::atomic::Ordering;
use std::sync::Arc;

/// How deep joins may be nested before one has to spawn. A balanced tree has as many leaves as two to this power.
#[cfg(not(loom))]
const CAPACITY: usize = 64;
#[cfg(loom)]
const CAPACITY: usize = 2;

/// What a thief has to know of a second half, in the frame of its `join`.
#[derive(Debug)]
pub(crate) struct Job {
    /// Calls it, on a goroutine of its own, and tells its `join`.
    ///
    /// # Safety
    /// Of [`Job::run`] and [`Job::give_back`] one is called, once, by whoever has taken the job; what it gets is that
    /// job's address. Afterwards the frame may be gone.
    pub(crate) run: unsafe fn(*const Job),
    /// Leaves it to its `join`, which calls it itself. As [`Job::run`].
    pub(crate) give_back: unsafe fn(*const Job),
    /// The number of the goroutine that is in the `join`.
    pub(crate) parent: u64,
    /// Where the `join` was called.
    pub(crate) at: &'static Location<'static>,
    /// The labels that the goroutine inherits, if there are any.
    pub(crate) labels: Option<Arc<[(String, String)]>>,
}

#[repr(align(64))]
struct Line<T>(T);

/// The jobs of one M.
pub(crate) struct Jobs<J = Job> {
    /// The oldest job's index, moved by whoever takes it.
    top: Line<AtomicUsize>,
    /// The index behind the newest job: the owner's.
    bottom: Line<AtomicUsize>,
    slots: [AtomicPtr<J>; CAPACITY],
    asymmetric: bool,
}

impl<J> Jobs<J> {
    pub(crate) fn new() -> Self {
        Self {
            top: Line(AtomicUsize::new(0)),
            bottom: Line(AtomicUsize::new(0)),
            slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            asymmetric: has_heavy_fence(),
        }
    }

    /// Puts a job in. `false`: there is no room. By the owner.
    #[inline(always)]
    #[must_use]
    pub(crate) fn push(&self, job: *const J) -> bool {
        let bottom = self.bottom.0.load(Ordering::Relaxed);
        // ORDER: jobs-top. Acquire pairs with the moves of `top`: whoever took a job has read its slot.
        let top = self.top.0.load(Ordering::Acquire);
        if bottom.wrapping_sub(top) >= CAPACITY {
            return false;
        }
        self.slots[bottom % CAPACITY].store(job.cast_mut(), Ordering::Relaxed);
        // ORDER: jobs-bottom. Release pairs with `steal`: the slot is filled, and the job is there.
        self.bottom.0.store(bottom.wrapping_add(1), Ordering::Release);
        true
    }

    /// Takes the newest job back; it is the caller's own, as the invariant says. `false`: others have it. By the owner.
    #[inline(always)]
    #[must_use]
    pub(crate) fn pop(&self) -> bool {
        let bottom = self.bottom.0.load(Ordering::Relaxed).wrapping_sub(1);
        self.bottom.0.store(bottom, Ordering::Relaxed);
        self.owners_fence();
        let top = self.top.0.load(Ordering::Relaxed);
        bottom.wrapping_sub(top).cast_signed() > 0 || self.pop_last(bottom, top)
    }

    /// [`Jobs::pop`] where at most one job is left.
    #[inline(never)]
    fn pop_last(&self, bottom: usize, top: usize) -> bool {
        let taken = bottom == top && self.take(top);
        // Whoever has it, nothing is left.
        self.bottom.0.store(bottom.wrapping_add(1), Ordering::Relaxed);
        taken
    }

    /// Takes the oldest job. By the owner, on whose way out of the M it becomes a goroutine.
    pub(crate) fn take_oldest(&self) -> Option<*const J> {
        loop {
            let top = self.top.0.load(Ordering::Relaxed);
            if top == self.bottom.0.load(Ordering::Relaxed) {
                return None;
            }
            let job = self.slots[top % CAPACITY].load(Ordering::Relaxed);
            if self.take(top) {
                return Some(job);
            }
        }
    }

    /// Takes the oldest job, from any thread. `None` also if the race for it is lost.
    pub(crate) fn steal(&self) -> Option<*const J> {
        if self.is_empty() {
            return None;
        }
        let top = self.top.0.load(Ordering::Relaxed);
        self.thiefs_fence();
        // ORDER: jobs-bottom. Acquire pairs with `push`: the slot is filled, and the job is there.
        let bottom = self.bottom.0.load(Ordering::Acquire);
        if bottom.wrapping_sub(top).cast_signed() <= 0 {
            return None;
        }
        let job = self.slots[top % CAPACITY].load(Ordering::Relaxed);
        self.take(top).then_some(job.cast_const())
    }

    /// Whether nothing is in here, as far as it can be told without a fence.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        let bottom = self.bottom.0.load(Ordering::Relaxed);
        bottom.wrapping_sub(self.top.0.load(Ordering::Relaxed)).cast_signed() <= 0
    }

    /// Moves `top` past the job that stands there, if nobody else does.
    fn take(&self, top: usize) -> bool {
        let next = top.wrapping_add(1);
        // ORDER: jobs-top. Release pairs with the load in `push`: the slot has been read.
        self.top.0.compare_exchange(top, next, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    #[inline(always)]
    fn owners_fence(&self) {
        if self.asymmetric { light_fence() } else { full_fence() }
    }

    fn thiefs_fence(&self) {
        if self.asymmetric { heavy_fence() } else { full_fence() }
    }
}

impl<J> core::fmt::Debug for Jobs<J> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Jobs").field("empty", &self.is_empty()).finish_non_exhaustive()
    }
}
