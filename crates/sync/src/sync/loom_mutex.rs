//! loom models of the mutex, on the real type, with plain threads for goroutines.
//!
//! `cargo xtask loom mutex`
//!
//! Modelled: locking with a queue, barging, the fair mode (a model's waiters count as starving when they have been
//! woken once), hand-over with and without somebody asleep, and deadlines, which in a model pass whenever their waiter
//! sleeps. What the mutex protects is in loom's cell, so two holders at once, or an ordering that does not hand it
//! over, are failures; so is a waiter that nobody wakes. Caught when broken: `unlock` Relaxed; an unlock that wakes
//! nobody; one who gives up and leaves the fair mode on for nobody, or keeps the mark of the woken. Threads: three.
//! Preemptions: as each model says, or `LOOM_MAX_PREEMPTIONS`.

use super::mutex::RawMutex;
use crate::seam::Arc;
use crate::wait::WaitMode;
use gmp_core::WaitReason;
use loom::cell::UnsafeCell;
use loom::thread;
use std::time::Instant;

/// A mutex and what it protects.
struct Protected {
    mutex: RawMutex,
    value: UnsafeCell<u32>,
}

impl Protected {
    fn new() -> Arc<Self> {
        Arc::new(Self { mutex: RawMutex::new(), value: UnsafeCell::new(0) })
    }

    fn add(&self) {
        self.mutex.lock();
        self.add_and_unlock();
    }

    /// Adds with a deadline; returns whether the lock came in time.
    fn add_in_time(&self) -> bool {
        let locked = self.mutex.lock_with(WaitMode::new(WaitReason::Mutex, Some(Instant::now())));
        if locked {
            self.add_and_unlock();
        }
        locked
    }

    fn add_and_unlock(&self) {
        // SAFETY: what the model is to prove; loom complains if it is not so.
        self.value.with_mut(|value| unsafe { *value += 1 });
        // SAFETY: held.
        unsafe { self.mutex.unlock() };
    }

    /// Checks the end: the lock is free, nobody is counted as waiting, and this often was added.
    fn is_free_after(&self, times: u32) {
        assert!(self.mutex.is_idle(), "nobody holds it and nobody waits: {self:?}");
        self.value.with(|value| {
            // SAFETY: all threads are joined.
            assert_eq!(unsafe { *value }, times);
        });
    }
}

impl core::fmt::Debug for Protected {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.mutex.fmt(f)
    }
}

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

#[test]
fn two_exclude_each_other() {
    explore(5, || {
        let shared = Protected::new();
        let other = thread::spawn({
            let shared = shared.clone();
            move || (0..2).for_each(|_| shared.add())
        });
        shared.add();
        shared.add();
        other.join().unwrap();
        shared.is_free_after(4);
    });
}

#[test]
fn three_exclude_each_other() {
    explore(3, || {
        let shared = Protected::new();
        let others = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || shared.add())
        });
        shared.add();
        others.into_iter().for_each(|other| other.join().unwrap());
        shared.is_free_after(3);
    });
}

/// One thread that stays and one that comes again turn the fair mode on.
#[test]
fn the_fair_mode_ends() {
    explore(2, || {
        let shared = Protected::new();
        let others = [1, 2].map(|times| {
            let shared = shared.clone();
            thread::spawn(move || (0..times).for_each(|_| shared.add()))
        });
        shared.add();
        shared.add();
        others.into_iter().for_each(|other| other.join().unwrap());
        shared.is_free_after(5);
    });
}

#[test]
fn a_deadline_leaves_no_trace() {
    explore(4, || {
        let shared = Protected::new();
        let hasty = thread::spawn({
            let shared = shared.clone();
            move || u32::from(shared.add_in_time())
        });
        shared.add();
        shared.add();
        let in_time = hasty.join().unwrap();
        shared.is_free_after(2 + in_time);
    });
}

/// One thread leaves while others wait, are woken, or are handed the lock.
#[test]
fn a_deadline_among_waiters() {
    explore(2, || {
        let shared = Protected::new();
        let patient = thread::spawn({
            let shared = shared.clone();
            move || shared.add()
        });
        let hasty = thread::spawn({
            let shared = shared.clone();
            move || u32::from(shared.add_in_time())
        });
        shared.add();
        shared.add();
        patient.join().unwrap();
        let in_time = hasty.join().unwrap();
        shared.is_free_after(3 + in_time);
    });
}
