//! loom models of the semaphore, on the real type, with plain threads for goroutines.
//!
//! `cargo xtask loom semaphore`
//!
//! Modelled: permits that come one by one against those who wait for one or for two; one who gives up among others; a
//! newcomer that takes without waiting; permits that would be too many, against those who take all that there are. What a
//! permit stands for is in loom's cells, and whoever is not woken is a deadlock. Threads: three at most. Preemptions: as
//! each model says, or `LOOM_MAX_PREEMPTIONS`.

use super::Semaphore;
use crate::seam::Arc;
use loom::cell::UnsafeCell;
use loom::thread;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

struct Shared {
    semaphore: Semaphore,
    /// Whoever has all the permits that there are may use it.
    value: UnsafeCell<u32>,
}

impl Shared {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self { semaphore: Semaphore::new(permits), value: UnsafeCell::new(0) })
    }

    fn touch(&self) {
        // SAFETY: what the model is to prove; loom complains if it is not so.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn is_over(&self, free: usize, touched: u32) {
        assert!(self.semaphore.is_idle(), "nobody waits");
        assert_eq!(self.semaphore.available(), free);
        // SAFETY: all threads are joined.
        self.value.with(|value| assert_eq!(unsafe { *value }, touched));
    }
}

fn spawn(shared: &Arc<Shared>, work: impl FnOnce(&Shared) + 'static) -> thread::JoinHandle<()> {
    let shared = shared.clone();
    thread::spawn(move || work(&shared))
}

/// One permit goes round among three.
#[test]
fn one_permit_has_one_holder() {
    explore(3, || {
        let shared = Shared::new(1);
        let use_it = |shared: &Shared| {
            let _permit = shared.semaphore.acquire();
            shared.touch();
        };
        let others = [spawn(&shared, use_it), spawn(&shared, use_it)];
        use_it(&shared);
        others.into_iter().for_each(|other| other.join().unwrap());
        shared.is_over(1, 3);
    });
}

/// Two threads add a permit each, while a third waits for both, and then reads what they wrote before.
#[test]
fn added_permits_find_who_waits() {
    explore(3, || {
        let shared = Shared::new(0);
        let cells = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        let others = [0, 1].map(|i| {
            let cells = cells.clone();
            spawn(&shared, move |shared| {
                // SAFETY: each has its own, until it adds its permit.
                cells[i].with_mut(|cell| unsafe { *cell = 1 });
                shared.semaphore.add_permits(1);
            })
        });
        shared.semaphore.acquire_many(2).forget();
        for cell in cells.iter() {
            // SAFETY: what the model is to prove; loom complains if it is not so.
            cell.with(|cell| assert_eq!(unsafe { *cell }, 1));
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        shared.is_over(0, 0);
    });
}

/// One who asks for two gives up; one who asks for one, before or behind it, gets the permit all the same.
#[test]
fn who_gives_up_holds_nobody_up() {
    explore(3, || {
        let shared = Shared::new(0);
        let gives_up = spawn(&shared, |shared| {
            let past = Instant::now() - Duration::from_secs(1);
            assert!(shared.semaphore.acquire_many_deadline(2, past).is_none());
        });
        let waits = spawn(&shared, |shared| {
            shared.semaphore.acquire().forget();
            shared.touch();
        });
        shared.semaphore.add_permits(1);
        gives_up.join().unwrap();
        waits.join().unwrap();
        shared.is_over(0, 1);
    });
}

/// A newcomer that does not wait, against one who waits and one who adds: no permit is lost or made.
#[test]
fn who_tries_loses_no_permit() {
    explore(3, || {
        let shared = Shared::new(0);
        let waits = spawn(&shared, |shared| drop(shared.semaphore.acquire()));
        let tries = spawn(&shared, |shared| drop(shared.semaphore.try_acquire()));
        shared.semaphore.add_permits(1);
        waits.join().unwrap();
        tries.join().unwrap();
        shared.is_over(1, 0);
    });
}

/// More permits than may be free were there for a moment, until the addition was refused. Who took them meanwhile was
/// inside with one that had taken all, and when they were taken back there were too few: the count began again from above.
#[test]
fn refused_permits_are_never_there() {
    explore(3, || {
        let shared = Shared::new(Semaphore::MAX_PERMITS);
        let adder = shared.clone();
        let adds =
            thread::spawn(move || catch_unwind(AssertUnwindSafe(|| adder.semaphore.add_permits(1))).is_err());
        let all = shared.semaphore.try_acquire_many(Semaphore::MAX_PERMITS);
        let one = shared.semaphore.try_acquire();
        let (has_all, has_one) = (all.is_some(), one.is_some());
        all.into_iter().chain(one).for_each(|permit| permit.forget());
        let refused = adds.join().unwrap();
        assert!(
            has_all && !(refused && has_one),
            "refused: {refused}, and one more than all was had: {has_one}"
        );
        shared.is_over(usize::from(!refused && !has_one), 0);
    });
}
