//! loom models of the join word: a goroutine's end against its handle, on the real types.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: `G0::finish` against `JoinHandle`'s join, drop, and the join that a closing runtime calls off. The result
//! and the waiter's content are in loom's cells. Threads: two. Preemptions: unbounded.
//! Time: under a second.
//!
//! Caught when broken: `finish` Relaxed; `taken` Relaxed; `withdraw` that does not wait for the finisher.

use super::join::{Finish, JoinWord, Joiner, Waiter};
use crate::ground::sync::{Arc, AtomicUsize, UnsafeCell};
use core::sync::atomic::Ordering::Relaxed;
use loom::thread;

struct Record {
    join: JoinWord,
    /// The outcome; written by the goroutine, taken by the one owner of the record afterwards.
    outcome: UnsafeCell<u32>,
    /// What a handle reads of the record, and its next use writes.
    number: UnsafeCell<u32>,
    freed: AtomicUsize,
    told: AtomicUsize,
}

impl Record {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            join: JoinWord::new(),
            outcome: UnsafeCell::new(0),
            number: UnsafeCell::new(1),
            freed: AtomicUsize::new(0),
            told: AtomicUsize::new(0),
        })
    }

    /// `G0::finish`.
    fn finish(&self) {
        // SAFETY: the goroutine's own until `finish`, as the model is to prove.
        self.outcome.with_mut(|outcome| unsafe { *outcome = 7 });
        match self.join.finish() {
            Finish::LeftToHandle => {}
            Finish::Detached => self.free(),
            Finish::Tell(waiter) => {
                // SAFETY: `finish` gave it to us, once.
                assert!(
                    unsafe { Waiter::take(waiter) }.is_some(),
                    "a waiter is filled in when it is offered"
                );
                self.told.fetch_add(1, Relaxed);
            }
        }
    }

    /// Result and record go, once.
    fn free(&self) {
        // SAFETY: as the model is to prove.
        let outcome = self.outcome.with_mut(|outcome| unsafe { outcome.replace(0) });
        assert_eq!(outcome, 7, "a result that is not there");
        // SAFETY: as the model is to prove.
        self.number.with_mut(|number| unsafe { *number += 1 });
        self.freed.fetch_add(1, Relaxed);
    }

    /// `JoinHandle::drop`.
    fn drop_handle(&self) {
        // SAFETY: the handle's as long as it is there, as the model is to prove.
        assert_eq!(self.number.with(|number| unsafe { *number }), 1);
        if self.join.detach() {
            self.free();
        }
    }
}

fn waiter() -> Waiter {
    Waiter::new(Some(Joiner::Thread(std::thread::current())))
}

/// What a joiner that was offered has: a look, and if that comes too early, the end of the goroutine's thread.
type End = Option<thread::JoinHandle<()>>;

fn against_the_end(handle: impl Fn(&Record, &mut End) + Send + Sync + 'static) {
    loom::model(move || {
        let record = Record::new();
        let mut end = {
            let record = record.clone();
            Some(thread::spawn(move || record.finish()))
        };
        handle(&record, &mut end);
        end.into_iter().for_each(|end| end.join().unwrap());
        assert_eq!(record.freed.load(Relaxed), 1, "a record is freed once");
    });
}

#[test]
fn a_joiner_gets_the_result() {
    against_the_end(|record, end| {
        let waiter = waiter();
        // SAFETY: filled in; it stays until it is taken.
        if !record.join.is_done() && unsafe { record.join.wait(&waiter) } && !waiter.is_taken() {
            // One look at any moment is as good as many; a loop would need a yield, by which loom holds the joiner back.
            end.take().unwrap().join().unwrap();
            assert!(waiter.is_taken());
        }
        // SAFETY: refused, or taken: the frame is ours again.
        unsafe { waiter.take_back() };
        assert!(record.join.is_done());
        record.free();
    });
}

#[test]
fn a_dropped_handle_leaves_the_record_to_one() {
    against_the_end(|record, _| record.drop_handle());
}

#[test]
fn a_join_called_off_takes_its_waiter_back() {
    against_the_end(|record, _| {
        let waiter = waiter();
        // SAFETY: filled in; it stays until it is taken or withdrawn.
        let offered = unsafe { record.join.wait(&waiter) };
        let taken_back = offered && record.join.withdraw(&waiter);
        // SAFETY: refused, withdrawn or taken: the frame is ours again.
        unsafe { waiter.take_back() };
        if taken_back {
            record.drop_handle();
        } else {
            record.free();
        }
    });
}
