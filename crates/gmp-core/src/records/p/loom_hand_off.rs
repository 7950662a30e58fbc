//! loom models of a P lent out to a blocking call, on the real P word. The barrier is modelled on both sides: in a model
//! both of its halves are full fences.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: the M that comes back (`leave_blocking`), and lends the P out again at once; sysmon and a stop of the world,
//! which take it (`take`) under one lock, whose queue is a loom cell that each holder changes; an M so late that another
//! has lent the P out again; sysmon that takes a running P at a closed door. Threads: two, or three. Preemptions: three
//! of three threads, else unbounded. Time: seconds.
//!
//! Caught when broken: `enter_blocking` without its Release; `leave_blocking` or `take` without its fence; `take` that does
//! not ask whether the M is back, or does not look at the word after that; `leave_blocking` that does not wait; calls
//! not counted; the M that lends again without the Release of its announcement.

use super::word::{Call, PStatus, PWord};
use crate::ground::sync::{Arc, AtomicBool, AtomicUsize, UnsafeCell};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::Mutex;
use loom::thread;

struct Proc {
    word: PWord,
    queue: UnsafeCell<u32>,
    takers: AtomicUsize,
    /// The scheduler's lock, and the idle list under it.
    idle: Mutex<bool>,
}

/// What an M says of itself: it holds the P, or is back.
struct Machine {
    has_p: AtomicBool,
}

impl Machine {
    fn with_p() -> Arc<Self> {
        Arc::new(Self { has_p: AtomicBool::new(true) })
    }

    fn lend(&self, proc: &Proc) -> Call {
        // As `M::take_p` does.
        self.has_p.store(false, Release);
        proc.word.enter_blocking()
    }

    fn come_back(&self, proc: &Proc, call: Call) -> bool {
        let kept = proc.word.leave_blocking(call, || self.has_p.store(true, Relaxed));
        if !kept {
            self.has_p.store(false, Relaxed);
        }
        kept
    }
}

impl Proc {
    fn running() -> Arc<Self> {
        let proc = Self {
            word: PWord::new(),
            queue: UnsafeCell::new(0),
            takers: AtomicUsize::new(0),
            idle: Mutex::new(false),
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

    /// Takes the P of the call that it sees from this M: for the idle list, or to stop it.
    fn take(&self, machine: &Machine, to: PStatus) -> bool {
        let mut idle = self.idle.lock().unwrap();
        let is_back = || machine.has_p.load(Acquire);
        let took = self.word.call().is_some_and(|call| self.word.take(call, to, is_back));
        if took {
            self.taken();
            *idle = to == PStatus::Idle;
        }
        took
    }

    fn take_idle(&self) -> bool {
        core::mem::replace(&mut self.idle.lock().unwrap(), false)
    }
}

/// Takes the P in a thread of its own.
fn taker(proc: &Arc<Proc>, machine: &Arc<Machine>, to: PStatus) -> thread::JoinHandle<bool> {
    let (proc, machine) = (proc.clone(), machine.clone());
    thread::spawn(move || proc.take(&machine, to))
}

#[test]
fn a_lent_p_has_one_taker() {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(|| {
        let (proc, machine) = (Proc::running(), Machine::with_p());
        let sysmon = taker(&proc, &machine, PStatus::Idle);
        let stopper = taker(&proc, &machine, PStatus::Stopped);
        proc.use_queue();
        let call = machine.lend(&proc);
        let back = machine.come_back(&proc, call);
        if back {
            proc.taken();
        }
        let (retaken, stopped) = (sysmon.join().unwrap(), stopper.join().unwrap());
        assert_eq!(proc.takers.load(Relaxed), 1, "one of them has it");
        let status = match (back, retaken, stopped) {
            (true, false, false) => PStatus::Running,
            (false, true, false) => PStatus::Idle,
            (false, false, true) => PStatus::Stopped,
            other => panic!("{other:?} have it"),
        };
        assert_eq!(proc.word.status(), status);
    });
}

/// The M is back, and lends the P out again before the taker of the first call has looked whether it is.
#[test]
fn a_taker_of_an_ended_call_leaves_the_next_one_alone() {
    loom::model(|| {
        let (proc, machine) = (Proc::running(), Machine::with_p());
        let first = machine.lend(&proc);
        let sysmon = taker(&proc, &machine, PStatus::Idle);
        let mut kept = machine.come_back(&proc, first);
        if kept {
            proc.use_queue();
            let second = machine.lend(&proc);
            kept = machine.come_back(&proc, second);
            if kept {
                proc.use_queue();
            }
        }
        assert_eq!(sysmon.join().unwrap(), !kept);
    });
}

/// sysmon gives the P to another M, which lends it out again: the first M's call is over.
#[test]
fn a_late_comer_leaves_a_later_call_alone() {
    loom::model(|| {
        let (proc, machine) = (Proc::running(), Machine::with_p());
        let call = machine.lend(&proc);
        let other = thread::spawn({
            let (proc, machine) = (proc.clone(), machine.clone());
            move || {
                if !proc.take(&machine, PStatus::Idle) || !proc.take_idle() {
                    return None;
                }
                proc.word.acquire();
                proc.use_queue();
                let other = Machine::with_p();
                let call = other.lend(&proc);
                let back = other.come_back(&proc, call);
                if back {
                    proc.use_queue();
                }
                Some(back)
            }
        });
        let back = machine.come_back(&proc, call);
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
        let (proc, machine) = (Proc::running(), Machine::with_p());
        let sysmon = taker(&proc, &machine, PStatus::Idle);
        proc.use_queue();
        let call = machine.lend(&proc);
        let back = machine.come_back(&proc, call);
        if back {
            proc.use_queue();
        } else if proc.take_idle() {
            proc.word.acquire();
            proc.use_queue();
        }
        assert_eq!(sysmon.join().unwrap(), !back);
    });
}
