//! loom models of the door, on the real type. The barrier is modelled on both sides: loom's light fence is a full one, and
//! a taker makes the other, or sees that the M's thread is off its CPU, where the kernel has made one.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: an M that goes in and out and uses its P while inside, or finds it taken; one that lends its P out
//! meanwhile and gets it back; one that sleeps, and one that is switched out inside; a taker, which takes the P if it may,
//! or two. Threads: two, or three. Preemptions: unbounded, or three. Time: seconds.
//!
//! Caught when broken: `hold` without its fence; a taker without its own; `go_out` without its Release; `may_take` that
//! does not look at the way, or looks at it first; `end_taking` without its Release; `hold` that does not wait; `has_p`
//! that takes a taker's mark for no P; takers whose marks are alike; a taker who asks for the thread before it leaves its
//! mark.

use super::door::{Door, Way};
use crate::ground::sync::{Arc, AtomicBool, UnsafeCell, full_fence, without_heavy_fence};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::thread;

struct Machine {
    door: Door,
    p: UnsafeCell<u32>,
    /// Whether the M's thread is off its CPU.
    off_cpu: AtomicBool,
}

impl Machine {
    /// One whose goroutine's own code runs.
    fn outside() -> Arc<Self> {
        let machine = Self { door: Door::new(), p: UnsafeCell::new(0), off_cpu: AtomicBool::new(false) };
        machine.door.set_way(Way::Open);
        machine.door.go_out();
        Arc::new(machine)
    }

    fn use_p(&self) {
        // SAFETY: the one holder's, as the model is to prove.
        self.p.with_mut(|p| unsafe { *p += 1 });
    }

    /// A call that uses the P, if it is still there.
    fn call(&self) -> bool {
        let hold = self.door.hold();
        if hold.found_p() {
            self.use_p();
            assert!(self.door.has_p());
        } else {
            assert!(!self.door.has_p());
            assert_eq!(self.door.way(), Way::Taken);
            // sysmon is through with it, and has handed it off.
            self.use_p();
        }
        hold.found_p()
    }

    /// A taker's, behind a heavy fence. `true`: it took the P.
    fn take(&self) -> bool {
        self.take_if(|| {
            full_fence();
            true
        })
    }

    /// A taker's, without a fence: from one whose thread is off its CPU.
    fn take_from_sleeper(&self) -> bool {
        // Acquire: a CPU clock is read under the lock of the queue from which the kernel runs threads.
        self.take_if(|| self.off_cpu.load(Acquire))
    }

    fn take_if(&self, outside: impl FnOnce() -> bool) -> bool {
        let Some(mark) = self.door.begin_taking() else { return false };
        if !outside() || !self.door.may_take(mark) {
            self.door.give_up_taking(mark);
            return false;
        }
        self.use_p();
        self.door.end_taking();
        true
    }

    /// The kernel switches the M's thread out and in again.
    fn sleep(&self) {
        full_fence();
        self.off_cpu.store(true, Release);
        self.off_cpu.store(false, Relaxed);
        full_fence();
    }
}

#[test]
fn a_p_is_never_taken_from_an_m_that_is_inside() {
    loom::model(|| {
        let machine = Machine::outside();
        let sysmon = thread::spawn({
            let machine = Arc::clone(&machine);
            move || machine.take()
        });
        let kept = [machine.call(), machine.call()];
        let taken = sysmon.join().unwrap();
        assert!(taken || kept == [true, true]);
        assert_eq!(machine.call(), !taken);
    });
}

#[test]
fn a_mark_that_was_overwritten_is_worth_nothing() {
    loom::model(|| {
        let machine = Machine::outside();
        let sysmon = thread::spawn({
            let machine = Arc::clone(&machine);
            move || machine.take()
        });
        let hold = machine.door.hold();
        if hold.found_p() {
            machine.door.set_way(Way::NoP);
            drop(hold);
            // Whoever the P is lent to by now.
            machine.use_p();
            let hold = machine.door.hold();
            machine.door.set_way(Way::Open);
            machine.use_p();
            drop(hold);
        } else {
            drop(hold);
        }
        let taken = sysmon.join().unwrap();
        assert_eq!(machine.call(), !taken);
    });
}

/// Its thread sleeps, and is switched out in our code as well. What says that it sleeps may be old by the time that the P
/// is taken.
#[test]
fn a_p_is_taken_from_a_sleeper_without_a_fence() {
    let model = || {
        let machine = Machine::outside();
        let taker = thread::spawn({
            let machine = Arc::clone(&machine);
            move || machine.take_from_sleeper()
        });
        machine.sleep();
        let hold = machine.door.hold();
        machine.use_p();
        machine.sleep();
        machine.use_p();
        drop(hold);
        let taken = taker.join().unwrap();
        assert_eq!(machine.call(), !taken);
    };
    without_heavy_fence(|| loom::model(model));
}

/// Two takers, while the M lends its P out and gets it back: one may meet the other's mark.
#[test]
fn a_taker_believes_no_mark_but_its_own() {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let machine = Machine::outside();
        let takers = [false, true].map(|from_sleeper| {
            let machine = Arc::clone(&machine);
            thread::spawn(move || if from_sleeper { machine.take_from_sleeper() } else { machine.take() })
        });
        let hold = machine.door.hold();
        if hold.found_p() {
            machine.sleep();
            machine.door.set_way(Way::Open);
            machine.use_p();
        }
        drop(hold);
        machine.call();
        let taken = takers.map(|taker| taker.join().unwrap());
        assert_ne!(taken, [true, true]);
        assert_eq!(machine.call(), taken == [false, false]);
    });
}
