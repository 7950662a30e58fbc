//! loom models of a timer that is due while others stop and reset it, on the real plan and heap.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: an M that takes the timer out of its heap, asks the plan and claims, against a stop, a reset to an earlier
//! and one to a later time. Threads: two. Preemptions: unbounded. Time: seconds.
//!
//! Law: each arming ends once, by a claim or by the one stop or reset that says so (invariant 1 of `plan`).

use super::{Fire, Firing, Timer};
use crate::ground::sync::{Arc, AtomicUsize};
use crate::records::p::plan::Due;
use crate::records::p::timers::{Batch, Target, Timers};
use core::sync::atomic::Ordering::Relaxed;
use loom::thread;

struct Nothing;

impl Fire for Nothing {
    fn fire(_: &Timer<Self>, _firing: Firing<'_>) {}
}

struct Bed {
    heap: Timers,
    timer: Timer<Nothing>,
    /// Armings that have ended.
    ended: AtomicUsize,
}

impl Bed {
    /// A timer that is due at 10.
    fn new() -> Arc<Self> {
        let bed = Self { heap: Timers::new(1), timer: Timer::new(Nothing), ended: AtomicUsize::new(0) };
        // A heap does not move while timers lie in it.
        let bed = Arc::new(bed);
        bed.timer.as_any().set_in(&bed.heap, 10, 0);
        bed
    }

    fn count(&self, ended: bool) {
        self.ended.fetch_add(usize::from(ended), Relaxed);
    }

    /// What an M does at `now`.
    fn run(&self, now: u64) {
        while self.heap.next() <= now {
            let mut due = Batch::new();
            self.heap.take_due(now, usize::MAX, &mut due);
            for entry in due.drain() {
                let Target::Timer(timer) = entry.target else { continue };
                match timer.plan(|plan| plan.due(entry.when, &self.heap.home, now)) {
                    Due::Nothing => {}
                    Due::Later(when) => {
                        self.heap.add_timer(when, timer);
                    }
                    Due::Fire { round, .. } => self.count(timer.plan(|plan| plan.claim(round))),
                }
            }
        }
    }

    fn reset(&self, when: u64) {
        let (pending, _) = self.timer.as_any().set_in(&self.heap, when, 0);
        self.count(pending);
    }

    /// Lets all that is planned come, and says how many armings have ended.
    fn all_ended(&self) -> usize {
        self.run(1000);
        self.ended.load(Relaxed)
    }
}

fn with_runner(now: u64, act: fn(&Bed), armings: usize) {
    loom::model(move || {
        let bed = Bed::new();
        let m = {
            let bed = Arc::clone(&bed);
            thread::spawn(move || bed.run(now))
        };
        act(&bed);
        m.join().unwrap();
        assert_eq!(bed.all_ended(), armings);
    });
}

#[test]
fn a_stop_against_an_expiry() {
    with_runner(10, |bed| bed.count(bed.timer.as_any().stop()), 1);
}

#[test]
fn a_reset_to_later_against_an_expiry() {
    with_runner(10, |bed| bed.reset(20), 2);
}

#[test]
fn a_reset_to_earlier_against_an_expiry() {
    with_runner(10, |bed| bed.reset(5), 2);
}

#[test]
fn a_reset_and_a_stop_against_an_expiry() {
    let act = |bed: &Bed| {
        bed.reset(20);
        bed.count(bed.timer.as_any().stop());
    };
    with_runner(30, act, 2);
}

#[test]
fn two_resets_at_once() {
    loom::model(|| {
        let bed = Bed::new();
        let other = {
            let bed = Arc::clone(&bed);
            thread::spawn(move || bed.reset(5))
        };
        bed.reset(20);
        bed.run(10);
        other.join().unwrap();
        assert_eq!(bed.all_ended(), 3);
    });
}
