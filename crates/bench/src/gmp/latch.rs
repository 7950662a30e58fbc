//! Waits for many goroutines at once, as Go's programs do with a WaitGroup.

use crate::cell::Result;
use gmp::Unparker;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts down; the last one wakes the goroutine that made it. Leaked, because Go's lives on its heap, too, and is
/// captured as one pointer: a reference count a goroutine would be measured as cost of the scheduler.
#[derive(Debug)]
pub(super) struct Latch {
    left: AtomicU64,
    waiter: Unparker,
}

impl Latch {
    /// Makes one for the calling goroutine; an error outside of one.
    pub(super) fn new(count: u64) -> Result<&'static Self> {
        let waiter = gmp::current().ok_or("no goroutine")?.unparker();
        Ok(Box::leak(Box::new(Self { left: AtomicU64::new(count), waiter })))
    }

    pub(super) fn done(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiter.unpark();
        }
    }

    /// Parks the maker until everyone is done. A permit left over from before only costs one more look.
    pub(super) fn wait(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            gmp::park();
        }
    }
}
