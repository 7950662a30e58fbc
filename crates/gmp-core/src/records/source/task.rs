//! `Task`: a future's task that waits for a descriptor.
//!
//! The goroutine that polls it waits for something else meanwhile, for whatever its future waits for; so it is the
//! task, and not the goroutine, that is counted as one for whom the runtime looks into its poller. The count falls when
//! the task is taken off its list, whoever does that, on whatever thread, perhaps after the runtime has gone.
//!
//! Each request of a server counts a task up and down, so a runtime has several counts, and goroutines on different Ps
//! use different ones. A task is counted down where it was counted up: no count is ever less than the number of tasks that
//! are listed with it, and so a reader of all of them, one after the other, sees none while some task is listed all the
//! time.

use crate::contract::Switch;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Waker;
use crossbeam_utils::CachePadded;
use std::sync::{Mutex, PoisonError};

/// Counts of one runtime.
#[derive(Default)]
struct Counts([CachePadded<AtomicUsize>; 8]);

impl Counts {
    fn is_zero(&self) -> bool {
        self.0.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

/// The counts of runtimes that have gone. They are never freed, since tasks may be listed yet, and serve other runtimes
/// when none is.
static GONE: Mutex<Vec<&'static Counts>> = Mutex::new(Vec::new());

/// How many tasks of a runtime wait for descriptors: the runtime's own handle.
pub(crate) struct Tasks(&'static Counts);

impl Default for Tasks {
    fn default() -> Self {
        let mut gone = GONE.lock().unwrap_or_else(PoisonError::into_inner);
        let unused = gone.iter().position(|counts| counts.is_zero());
        match unused {
            Some(at) => Self(gone.swap_remove(at)),
            None => Self(Box::leak(Box::default())),
        }
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        GONE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
    }
}

impl Tasks {
    /// Whether no task waits.
    pub(crate) fn is_none(&self) -> bool {
        self.0.is_zero()
    }

    /// The count for tasks that are listed on the P with this number.
    pub(crate) fn count(&self, p: u32) -> Count {
        Count(&self.0.0[p as usize % self.0.0.len()])
    }
}

/// One of a runtime's counts.
#[derive(Clone, Copy)]
pub(crate) struct Count(&'static AtomicUsize);

/// A task, told apart from others at the same side by its key.
pub(crate) struct Task {
    key: u64,
    waker: Waker,
    _counted: Counted,
}

/// One of the count.
struct Counted(Count);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Task {
    /// Asks for what its waker most likely reads first.
    #[inline]
    pub(crate) fn ask_ahead<S: Switch>(&self) {
        S::prefetch(self.waker.data(), size_of::<usize>());
    }

    pub(crate) fn new(key: u64, waker: &Waker, count: Count) -> Self {
        // Before it is counted: a clone is foreign code, and may unwind.
        let waker = waker.clone();
        // Relaxed: whoever lists it does so on an M, and that M asks before it sleeps.
        count.0.fetch_add(1, Ordering::Relaxed);
        Self { key, waker, _counted: Counted(count) }
    }

    pub(crate) fn is(&self, key: u64) -> bool {
        self.key == key
    }

    /// It is off the list: what is left to do is to wake it.
    pub(crate) fn into_waker(self) -> Waker {
        self.waker
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn counts_serve_another_runtime_when_nobody_is_listed_with_them() {
        let (one, other) = (Tasks::default(), Tasks::default());
        assert!(!core::ptr::eq(one.0, other.0), "two runtimes have counts of their own");
        let task = Task::new(1, Waker::noop(), one.count(9));
        assert!(!one.is_none() && other.is_none());
        let counts = core::ptr::from_ref(one.0);
        drop(one);
        let next = Tasks::default();
        assert!(!core::ptr::eq(next.0, counts), "a task is listed with them");
        drop(task);
        // Other tests may have taken them meanwhile, so nothing is said of which ones come.
        let mut all: Vec<_> = (0..64).map(|_| Tasks::default()).collect();
        assert!(all.iter().all(Tasks::is_none));
        all.sort_by_key(|tasks| core::ptr::from_ref(tasks.0));
        assert!(all.is_sorted_by(|one, other| !core::ptr::eq(one.0, other.0)), "each has its own");
    }
}
