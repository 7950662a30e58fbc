//! `Task`: a future's task that waits for a descriptor.
//!
//! The goroutine that polls it waits for something else meanwhile, for whatever its future waits for; so it is the
//! task, and not the goroutine, that is counted as one for whom the runtime looks into its poller. The count falls when
//! the task is taken off its list, whoever does that.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Waker;
use std::sync::Arc;

/// How many tasks of a runtime wait for descriptors.
pub(crate) type Tasks = Arc<AtomicUsize>;

/// A task, told apart from others at the same side by its key.
pub(crate) struct Task {
    key: u64,
    waker: Waker,
    _counted: Counted,
}

/// One of the count.
struct Counted(Tasks);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Task {
    pub(crate) fn new(key: u64, waker: &Waker, tasks: &Tasks) -> Self {
        // Before it is counted: a clone is foreign code, and may unwind.
        let waker = waker.clone();
        // Relaxed: whoever lists it does so on an M, and that M asks before it sleeps.
        tasks.fetch_add(1, Ordering::Relaxed);
        Self { key, waker, _counted: Counted(Arc::clone(tasks)) }
    }

    pub(crate) fn is(&self, key: u64) -> bool {
        self.key == key
    }

    /// It is off the list: what is left to do is to wake it.
    pub(crate) fn into_waker(self) -> Waker {
        self.waker
    }
}
