//! loom models of a P lent out to a blocking call, on the real P word.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: the M that comes back (`leave_blocking`), sysmon (`retake`) and a stop of the world (`stop_blocked`) at one
//! P, whose queue is a loom cell that each taker changes; and an M so late that another has lent the P out again.
//! Threads: three. Preemptions: unbounded.
//! Time: under a second.
//!
//! Caught when broken: `enter_blocking` without its Release; `take` Relaxed; calls not counted.

use super::word::{PStatus, PWord};
use crate::ground::sync::{Arc, AtomicUsize, SpinLock, UnsafeCell};
use core::sync::atomic::Ordering::Relaxed;
use loom::thread;

struct Proc {
    word: PWord,
    queue: UnsafeCell<u32>,
    takers: AtomicUsize,
    /// The idle list, under the scheduler's lock.
    idle: SpinLock<bool>,
}

impl Proc {
    fn running() -> Arc<Self> {
        let proc = Self {
            word: PWord::new(),
            queue: UnsafeCell::new(0),
            takers: AtomicUsize::new(0),
            idle: SpinLock::new(false),
        };
        proc.word.acquire();
        Arc::new(proc)
    }

    fn use_queue(&self) {
        // SAFETY: the P's one holder, as the model is to prove.
        self.queue.with_mut(|queue| unsafe { *queue += 1 });
    }

    fn taken(&self) {
        self.takers.fetch_add(1, Relaxed);
        self.use_queue();
    }
}

/// sysmon: takes the P of the call it sees, and puts it on the idle list.
fn retake(proc: &Proc) -> bool {
    let took = proc.word.call().is_some_and(|call| proc.word.retake(call));
    if took {
        proc.taken();
        proc.idle.with(|idle| *idle = true);
    }
    took
}

#[test]
fn a_lent_p_has_one_taker() {
    loom::model(|| {
        let proc = Proc::running();
        let sysmon = {
            let proc = proc.clone();
            thread::spawn(move || retake(&proc))
        };
        let stopper = {
            let proc = proc.clone();
            thread::spawn(move || {
                let stopped = proc.word.call().is_some_and(|call| proc.word.stop_blocked(call));
                if stopped {
                    proc.taken();
                }
                stopped
            })
        };
        proc.use_queue();
        let call = proc.word.enter_blocking();
        let back = proc.word.leave_blocking(call);
        if back {
            proc.taken();
        }
        let (retaken, stopped) = (sysmon.join().unwrap(), stopper.join().unwrap());
        assert_eq!(proc.takers.load(Relaxed), 1, "one CAS decides");
        let status = match (back, retaken, stopped) {
            (true, false, false) => PStatus::Running,
            (false, true, false) => PStatus::Idle,
            (false, false, true) => PStatus::Stopped,
            other => panic!("{other:?} have it"),
        };
        assert_eq!(proc.word.status(), status);
    });
}

/// sysmon gives the P to another M, which lends it out again: the first M's call is over.
#[test]
fn a_late_comer_leaves_a_later_call_alone() {
    loom::model(|| {
        let proc = Proc::running();
        let other = {
            let proc = proc.clone();
            thread::spawn(move || {
                if !retake(&proc) || !proc.idle.with(|idle| core::mem::replace(idle, false)) {
                    return None;
                }
                proc.word.acquire();
                proc.use_queue();
                let call = proc.word.enter_blocking();
                let back = proc.word.leave_blocking(call);
                if back {
                    proc.use_queue();
                }
                Some(back)
            })
        };
        proc.use_queue();
        let call = proc.word.enter_blocking();
        let back = proc.word.leave_blocking(call);
        if back {
            proc.use_queue();
        }
        match other.join().unwrap() {
            Some(kept) => assert!(!back && kept, "a late comer took the P from under a later call"),
            None => assert!(back),
        }
    });
}

/// The M that lost its P finds it on the idle list, with what sysmon did to its queue.
#[test]
fn a_p_found_idle_comes_with_its_queue() {
    loom::model(|| {
        let proc = Proc::running();
        let sysmon = {
            let proc = proc.clone();
            thread::spawn(move || retake(&proc))
        };
        proc.use_queue();
        let call = proc.word.enter_blocking();
        let back = proc.word.leave_blocking(call);
        if back {
            proc.use_queue();
        } else if proc.idle.with(|idle| core::mem::replace(idle, false)) {
            proc.word.acquire();
            proc.use_queue();
        }
        assert_eq!(sysmon.join().unwrap(), !back);
    });
}
