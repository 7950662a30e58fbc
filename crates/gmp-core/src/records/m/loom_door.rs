//! loom models of the door, on the real type. The barrier is modelled on both sides: loom's light fence is a full one, and
//! sysmon makes the other.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: an M that goes in and out and uses its P while inside, or finds it taken; one that lends its P out
//! meanwhile and gets it back; sysmon, which takes the P if it may. Threads: two. Preemptions: unbounded. Time: seconds.
//!
//! Caught when broken: `hold` without its fence; sysmon without its own; `go_out` without its Release; `may_take` that does
//! not look at the way, or looks at it first; `end_taking` without its Release; `hold` that does not wait; `has_p` that
//! takes sysmon's mark for no P.

use super::door::{Door, Way};
use crate::ground::sync::{Arc, UnsafeCell, full_fence};
use loom::thread;

struct Machine {
    door: Door,
    p: UnsafeCell<u32>,
}

impl Machine {
    /// One whose goroutine's own code runs.
    fn outside() -> Arc<Self> {
        let machine = Self { door: Door::new(), p: UnsafeCell::new(0) };
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

    /// sysmon's. `true`: it took the P.
    fn take(&self) -> bool {
        if !self.door.begin_taking() {
            return false;
        }
        full_fence();
        if !self.door.may_take() {
            self.door.give_up_taking();
            return false;
        }
        self.use_p();
        self.door.end_taking();
        true
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
