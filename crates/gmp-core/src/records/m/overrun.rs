//! A goroutine that overruns its time slice on an M, as sysmon notes it there until the goroutine has come back.

use crate::records::sight::Captured;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What is known of the overrun.
pub(crate) struct Overrunning {
    /// Since when it computes; 0: it does not overrun. Written by sysmon while it takes the P, like what the M has lent; dumps ask.
    since: AtomicU64,
    /// Its stack, copied when the P was already taken, and of which overrun it is: the goroutine may have come back meanwhile.
    stack: Mutex<Option<(u64, Box<dyn Captured>)>>,
}

impl Overrunning {
    pub(crate) fn new() -> Self {
        Self { since: AtomicU64::new(0), stack: Mutex::new(None) }
    }

    /// By sysmon, which takes the P.
    pub(crate) fn begin(&self, since: u64) {
        self.since.store(since.max(1), Relaxed);
    }

    /// Whether the goroutine has not come back yet.
    pub(crate) fn is_under_way(&self) -> bool {
        self.since.load(Relaxed) != 0
    }

    /// By sysmon, later: the stack of the overrun that began then.
    pub(crate) fn show(&self, since: u64, stack: Box<dyn Captured>) {
        *self.stack.lock().unwrap_or_else(PoisonError::into_inner) = Some((since.max(1), stack));
    }

    /// The goroutine has come back: since when it has computed, if it has overrun its slice.
    pub(crate) fn end(&self) -> Option<u64> {
        Some(self.since.swap(0, Relaxed)).filter(|&since| since != 0)
    }

    /// The stack of an overrun that has ended.
    pub(crate) fn take_stack(&self, since: u64) -> Option<Box<dyn Captured>> {
        let stack = self.stack.lock().unwrap_or_else(PoisonError::into_inner).take();
        stack.filter(|stack| stack.0 == since).map(|stack| stack.1)
    }
}
