//! Timers of a P: deadlines of parked goroutines, earliest first.
//!
//! The P's own M runs them first thing in find-runnable; thieves run them in the last round of stealing; an idle M
//! sleeps no longer than to the earliest. A deadline whose goroutine was readied before is *stale*: it stays in the
//! heap until it is due or a sweep finds it. A sweep comes when the heap has doubled since the last one, so stale
//! entries never outnumber live ones for long and cost nothing at the wake. Go: `timers` (time.go, Go 1.27), with its
//! zombies; Go's heap is 4-ary, ours is the standard library's.

use crate::g::parked::Parked;
use core::cmp::Reverse;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

/// No timer.
pub(crate) const NEVER: u64 = u64::MAX;
/// A heap below this size is never swept.
const SWEEP_FLOOR: usize = 64;

struct Timer {
    when: u64,
    parked: Parked,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when
    }
}
impl Eq for Timer {}
impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timer {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        Reverse(self.when).cmp(&Reverse(other.when))
    }
}

#[derive(Default)]
struct Heap {
    timers: BinaryHeap<Timer>,
    sweep_at: usize,
}

/// The timers of a P.
#[doc(alias = "timers")]
pub(crate) struct Timers {
    heap: Mutex<Heap>,
    /// When the earliest is due; [`NEVER`] for none. Changes under the lock.
    next: AtomicU64,
}

impl Timers {
    pub(crate) fn new() -> Self {
        Self { heap: Mutex::new(Heap::default()), next: AtomicU64::new(NEVER) }
    }

    /// When the earliest is due, without the lock.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Adds a deadline. `true`: it is the earliest now.
    pub(crate) fn add(&self, when: u64, parked: Parked) -> bool {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.timers.push(Timer { when, parked });
        if heap.timers.len() > heap.sweep_at.max(SWEEP_FLOOR) {
            heap.sweep();
        }
        self.publish(&heap);
        self.next() == when
    }

    /// Takes the earliest if it is due. Stale ones on the way are dropped.
    pub(crate) fn pop_due(&self, now: u64) -> Option<Parked> {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = None;
        while due.is_none() && heap.timers.peek().is_some_and(|timer| timer.when <= now) {
            due = heap.timers.pop().map(|timer| timer.parked).and_then(live);
        }
        self.publish(&heap);
        due
    }

    /// Moves all of them to `to`, from a P that is being removed.
    pub(crate) fn move_to(&self, to: &Timers) {
        let timers = {
            let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
            let timers = core::mem::take(&mut heap.timers);
            self.publish(&heap);
            timers
        };
        for timer in timers {
            to.add(timer.when, timer.parked);
        }
    }

    /// Forgets all of them, in a closing runtime.
    pub(crate) fn clear(&self) {
        let mut heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        for timer in heap.timers.drain() {
            // A dropped token would ready its goroutine.
            let _ = timer.parked.into_parts();
        }
        self.publish(&heap);
    }

    /// How many deadlines of goroutines that still wait.
    pub(crate) fn live(&self) -> usize {
        let heap = self.heap.lock().unwrap_or_else(PoisonError::into_inner);
        heap.timers.iter().filter(|timer| !timer.parked.is_stale()).count()
    }

    fn publish(&self, heap: &Heap) {
        self.next.store(heap.timers.peek().map_or(NEVER, |timer| timer.when), Ordering::Relaxed);
    }
}

impl Heap {
    fn sweep(&mut self) {
        let timers = core::mem::take(&mut self.timers).into_vec();
        self.timers = timers
            .into_iter()
            .filter_map(|timer| live(timer.parked).map(|parked| Timer { when: timer.when, parked }))
            .collect();
        self.sweep_at = self.timers.len() * 2;
    }
}

/// The token, unless its wait is over: then it is dropped without readying anything.
fn live(parked: Parked) -> Option<Parked> {
    if parked.is_stale() {
        let _ = parked.into_parts();
        return None;
    }
    Some(parked)
}
