//! What the tests of scopes borrow and count.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

/// What a test's children borrow. It ends the process if it is used after its own end.
pub(crate) struct Borrowed {
    pub(crate) alive: AtomicBool,
    pub(crate) uses: AtomicUsize,
}

impl Borrowed {
    pub(crate) fn new() -> Self {
        Self { alive: AtomicBool::new(true), uses: AtomicUsize::new(0) }
    }

    pub(crate) fn touch(&self) {
        if !self.alive.load(SeqCst) {
            // It exits, since a panic would end only its goroutine.
            eprintln!("used after its end");
            std::process::abort();
        }
        self.uses.fetch_add(1, SeqCst);
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        self.alive.store(false, SeqCst);
    }
}

/// Touches what it borrows when it is dropped.
pub(crate) struct TouchesLate<'a>(pub(crate) &'a Borrowed);

impl Drop for TouchesLate<'_> {
    fn drop(&mut self) {
        // It suspends where it may: a closure that never ran is dropped in the scheduler. It does not suspend while
        // unwinding, since a closing runtime then abandons a goroutine that comes too late for its thread.
        if gmp::current().is_some() && !std::thread::panicking() {
            gmp::yield_now();
        }
        self.0.touch();
    }
}

/// What a panic said.
pub(crate) fn message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}

/// Counts how many values are alive.
#[derive(Clone)]
pub(crate) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(crate) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(count.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
