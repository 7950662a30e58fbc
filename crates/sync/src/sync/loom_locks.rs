//! loom models of the reader-writer lock, the wait group and the condition, on the real types, with plain threads for
//! goroutines.
//!
//! `cargo xtask loom kin`
//!
//! Modelled: readers and writers that exclude each other, and leave no trace when a deadline ends their wait; the last
//! `done` against waiters that come, or give up; notifications against waiters that come, or give up. What is handed
//! over is in loom's cells, and whoever is not woken is a deadlock. Threads: three at most. Preemptions: as each model
//! says, or `LOOM_MAX_PREEMPTIONS`.

use super::mutex::Mutex;
use super::rw_lock::RawRwLock;
use super::{Cond, WaitGroup};
use crate::seam::Arc;
use loom::cell::UnsafeCell;
use loom::thread;
use std::time::Instant;

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

/// A deadline that passes as soon as its waiter sleeps.
fn at_once() -> Option<Instant> {
    Some(Instant::now())
}

struct Protected {
    lock: RawRwLock,
    value: UnsafeCell<u32>,
}

impl Protected {
    fn new() -> Arc<Self> {
        Arc::new(Self { lock: RawRwLock::new(), value: UnsafeCell::new(0) })
    }

    fn read(&self, deadline: Option<Instant>) -> bool {
        let locked = self.lock.read(deadline);
        if locked {
            // SAFETY: what the model is to prove; loom complains if it is not so.
            self.value.with(|value| unsafe { *value });
            // SAFETY: held.
            unsafe { self.lock.end_read() };
        }
        locked
    }

    fn write(&self, deadline: Option<Instant>) -> u32 {
        let locked = self.lock.write(deadline);
        if locked {
            // SAFETY: what the model is to prove; loom complains if it is not so.
            self.value.with_mut(|value| unsafe { *value += 1 });
            // SAFETY: held.
            unsafe { self.lock.end_write() };
        }
        u32::from(locked)
    }

    fn is_free_after(&self, writes: u32) {
        assert!(self.lock.is_idle(), "nobody holds it and nobody waits");
        // SAFETY: all threads are joined.
        self.value.with(|value| assert_eq!(unsafe { *value }, writes));
    }
}

fn rw_lock(preemptions: usize, reader: fn() -> Option<Instant>, writer: fn() -> Option<Instant>) {
    explore(preemptions, move || {
        let shared = Protected::new();
        let reads = thread::spawn({
            let shared = shared.clone();
            move || shared.read(reader())
        });
        let writes = thread::spawn({
            let shared = shared.clone();
            move || shared.write(writer())
        });
        let mine = shared.write(None);
        assert!(shared.read(None));
        let read = reads.join().unwrap();
        assert!(read || reader().is_some());
        shared.is_free_after(mine + writes.join().unwrap());
    });
}

#[test]
fn readers_and_writers_exclude_each_other() {
    rw_lock(3, || None, || None);
}

#[test]
fn a_reader_that_gives_up_leaves_no_trace() {
    rw_lock(3, at_once, || None);
}

#[test]
fn a_writer_that_gives_up_leaves_no_trace() {
    rw_lock(3, || None, at_once);
}

/// Two readers, of whom one may find the writer and count as active for a moment, while the other is the last for whom
/// the writer waits.
fn two_readers(preemptions: usize, writers: fn(&Protected) -> u32) {
    explore(preemptions, move || {
        let shared = Protected::new();
        let reads = [(); 2].map(|()| {
            let shared = shared.clone();
            thread::spawn(move || assert!(shared.read(None)))
        });
        let writes = writers(&shared);
        reads.into_iter().for_each(|reader| reader.join().unwrap());
        shared.is_free_after(writes);
    });
}

#[test]
fn the_last_of_two_readers_lets_the_writer_in() {
    two_readers(4, |shared| shared.write(None));
}

/// The last reader of whom the first writer hears may be slow to say so, and find the second one, which waits for another.
#[test]
fn a_writer_between_two_readers_gives_up() {
    two_readers(3, |shared| shared.write(at_once()) + shared.write(None));
}

/// Two threads are done; a third waits for both, and then uses the group once more.
#[test]
fn the_last_done_wakes_who_waits() {
    explore(3, || {
        let group = WaitGroup::new();
        let cells = Arc::new([UnsafeCell::new(0), UnsafeCell::new(0)]);
        group.add(2);
        let all = [0, 1].map(|i| {
            let (group, cells) = (group.clone(), cells.clone());
            thread::spawn(move || {
                // SAFETY: each has its own, until it is done.
                cells[i].with_mut(|cell| unsafe { *cell = 1 });
                group.done();
            })
        });
        group.wait();
        for cell in cells.iter() {
            // SAFETY: what the model is to prove; loom complains if it is not so.
            cell.with(|cell| assert_eq!(unsafe { *cell }, 1));
        }
        group.add(1);
        assert!(!group.wait_deadline(Instant::now()));
        group.done();
        assert!(group.wait_deadline(Instant::now()));
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// One thread waits and one gives up, against the last that is done.
#[test]
fn a_waiter_that_gives_up_leaves_no_trace() {
    explore(3, || {
        let group = WaitGroup::new();
        group.add(1);
        let hasty = thread::spawn({
            let group = group.clone();
            move || group.wait_deadline(Instant::now())
        });
        let patient = thread::spawn({
            let group = group.clone();
            move || group.wait()
        });
        group.done();
        patient.join().unwrap();
        let _ = hasty.join().unwrap();
        assert_eq!(format!("{group:?}"), "WaitGroup { counter: 0, waiters: 0 }");
    });
}

#[test]
fn a_notification_under_the_mutex_is_not_missed() {
    explore(3, || {
        let shared = Arc::new((Mutex::new(0), Cond::new()));
        let all = [1, 2].map(|_| {
            let shared = shared.clone();
            thread::spawn(move || {
                let (mutex, cond) = &*shared;
                let mut ready = mutex.lock();
                cond.wait_while(&mut ready, |ready| *ready == 0);
            })
        });
        let (mutex, cond) = &*shared;
        *mutex.lock() = 1;
        cond.notify_all();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Of one notification and two waiters, one of whom gives up: the other is woken unless the first took it.
#[test]
fn a_waiter_that_gives_up_takes_no_notification() {
    explore(3, || {
        let shared = Arc::new((Mutex::new(0), Cond::new()));
        let hasty = thread::spawn({
            let shared = shared.clone();
            move || {
                let mut turn = shared.0.lock();
                let notified = shared.1.wait_deadline(&mut turn, Instant::now());
                if notified {
                    shared.1.notify_one();
                }
            }
        });
        let patient = thread::spawn({
            let shared = shared.clone();
            move || {
                let mut turn = shared.0.lock();
                shared.1.wait_while(&mut turn, |turn| *turn == 0);
            }
        });
        *shared.0.lock() = 1;
        shared.1.notify_one();
        hasty.join().unwrap();
        patient.join().unwrap();
    });
}
