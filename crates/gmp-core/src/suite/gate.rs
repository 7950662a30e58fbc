//! What the threads of one law share: a gate to meet at, and the first panic among them.

use super::violation::{Violation, watch};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long the threads of a law may go on without a token coming out while some are inside.
pub(super) const STUCK: Duration = Duration::from_secs(20);

/// Where threads wait for each other, by count: `meet(n)` returns once there have been `n` calls. Once the gate is
/// shut, nobody waits any more for a thread that will not come.
#[derive(Debug, Default)]
pub(super) struct Gate {
    calls: AtomicUsize,
    broken: AtomicBool,
}

impl Gate {
    /// Tells the others to give up.
    pub(super) fn shut(&self) {
        self.broken.store(true, SeqCst);
    }

    /// Panics if another thread did.
    pub(super) fn check(&self) {
        assert!(!self.broken.load(SeqCst), "another thread of this test panicked");
    }

    pub(super) fn meet(&self, calls: usize) {
        self.calls.fetch_add(1, SeqCst);
        let mut looks = 0_u32;
        while self.calls.load(SeqCst) < calls {
            self.check();
            looks += 1;
            // On one CPU the other side runs only if we let it.
            if looks.is_multiple_of(64) { thread::yield_now() } else { std::hint::spin_loop() }
        }
    }
}

/// The first panic of a law's threads; the others only follow from it.
#[derive(Default)]
pub(super) struct Trouble {
    gate: Gate,
    first: Mutex<Option<Violation>>,
}

impl Trouble {
    fn first(&self) -> MutexGuard<'_, Option<Violation>> {
        self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a thread's part. If it panics the others are told through the gate.
    pub(super) fn catch<R>(&self, part: impl FnOnce(&Gate) -> R) -> Option<R> {
        let outcome = watch(|| part(&self.gate));
        outcome
            .map_err(|violation| {
                self.first().get_or_insert(violation);
                self.gate.shut();
            })
            .ok()
    }

    /// Panics with what went wrong first, if anything did.
    pub(super) fn report(&self) {
        if let Some(violation) = &*self.first() {
            panic!("{}", violation.seen);
        }
    }
}
