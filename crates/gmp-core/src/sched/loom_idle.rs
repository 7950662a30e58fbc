//! loom models of going idle and waking: the strong law, on the real idle word, queues and fence.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: the steps of `submit.rs` (push, fence, look, wake), `wake.rs` (`wake_spinner`, `start_spinner`) and
//! `g0/idle.rs` (`go_idle`, `last_look`), and of a spinner that finds work (`stop_spinning`), word for word and in their
//! order; the lists under the scheduler's lock are a count of idle Ps. When all threads are through there must not be
//! work queued, a P idle and nobody with the right to spin: that is the strong law of `idle/README.md`. Threads: at most
//! three. Preemptions: unbounded with two threads, 4 with three, or what `LOOM_MAX_PREEMPTIONS` says.
//! Time: 40 s.
//!
//! Caught when broken: no fence; the last look before the right to spin is given up; a spinner that finds work and does
//! not pass the right on. Not seen: a submitter that leaves no wish where it found no P; two Ps are too few for it.

use super::idle_word::IdleWord;
use crate::contract::{IdleView, RunQueue, SharedQueue, Slot, Thief};
use crate::queue::{List, Ring, RingThief, SharedFifo};
use crate::suite::{CONFIG, Ledger, Probe};
use crate::sync::{Arc, full_fence};
use loom::sync::Mutex;
use loom::thread;

const PROCS: usize = 2;

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(model);
}

/// Go's opinion.
fn wake_on_submit(view: IdleView) -> bool {
    view.idle > 0 && view.spinning == 0
}

struct House {
    idle: IdleWord,
    shared: SharedFifo<Probe>,
    thief: RingThief<Probe>,
    /// Idle Ps, under the scheduler's lock.
    idle_ps: Mutex<usize>,
}

impl House {
    /// `spinners` Ms spin, each with a P.
    fn new(spinners: usize) -> (Arc<Self>, Ring<Probe>) {
        let (ring, thief) = Ring::new(&CONFIG);
        let house =
            Self { idle: IdleWord::new(), shared: SharedFifo::default(), thief, idle_ps: Mutex::new(0) };
        (0..spinners).for_each(|_| house.idle.spin());
        (Arc::new(house), ring)
    }

    /// `wake_for_submission_fenced`.
    fn wake_for_submission(&self) {
        full_fence();
        if wake_on_submit(self.idle.view(PROCS)) && self.idle.try_spin(PROCS, wake_on_submit) {
            self.start_spinner();
        }
    }

    /// `start_spinner`; the M that it starts has the right to spin and is about to.
    fn start_spinner(&self) {
        if !self.take_idle_p() {
            self.idle.want_spinner();
            self.idle.give_up();
        }
    }

    fn take_idle_p(&self) -> bool {
        let mut idle_ps = self.idle_ps.lock().unwrap();
        let there = *idle_ps > 0;
        if there {
            *idle_ps -= 1;
            self.idle.p_busy();
        }
        there
    }

    /// `go_idle` and `last_look` of an M with a P. `true`: it has a P, the right to spin, and looks again.
    fn go_idle(&self, spinning: bool) -> bool {
        {
            let mut idle_ps = self.idle_ps.lock().unwrap();
            if !self.shared.is_empty() {
                // It keeps its P and starts over: one who looks, if by another name.
                if !spinning {
                    self.idle.spin();
                }
                return true;
            }
            if !spinning && self.idle.take_wanted() {
                return true;
            }
            *idle_ps += 1;
            self.idle.p_idle();
        }
        if spinning {
            self.idle.give_up();
        }
        full_fence();
        let work = !self.shared.is_empty() || !self.thief.is_empty();
        if !work {
            return false;
        }
        if self.take_idle_p() {
            self.idle.spin();
            return true;
        }
        self.idle.want_spinner();
        false
    }

    fn check(&self) {
        let queued = !self.shared.is_empty() || !self.thief.is_empty();
        let view = self.idle.view(PROCS);
        assert_eq!(view.idle, *self.idle_ps.lock().unwrap());
        assert!(
            !(queued && view.idle > 0 && view.spinning == 0),
            "the strong law is broken: work waits, a P is idle, and nobody looks: {view:?}"
        );
    }

    /// Takes all that is left out, so that the ledger can be closed.
    fn empty(&self, mut ring: Ring<Probe>) {
        while let Some(probe) = self.shared.pop().or_else(|| ring.pop().map(|popped| popped.token)) {
            probe.consume();
        }
    }
}

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

/// A P's holder submits to its own queue while the only spinner goes idle.
#[test]
fn a_local_submission_meets_the_last_spinner() {
    for slot in [Slot::Next, Slot::Back] {
        explore(None, move || {
            let ledger = Ledger::new(1);
            let (house, mut ring) = House::new(1);
            let idler = {
                let house = house.clone();
                thread::spawn(move || house.go_idle(true))
            };
            ring.push(ledger.mint(), slot, &mut no_spill);
            house.wake_for_submission();
            idler.join().unwrap();
            house.check();
            house.empty(ring);
            ledger.settle();
        });
    }
}

/// One without a P submits to the shared queue while two Ms go idle, one of them a spinner.
#[test]
fn a_submission_from_outside_meets_two_idlers() {
    explore(Some(4), || {
        let ledger = Ledger::new(1);
        let (house, ring) = House::new(1);
        let idlers: Vec<_> = [true, false]
            .into_iter()
            .map(|spinning| {
                let house = house.clone();
                thread::spawn(move || house.go_idle(spinning))
            })
            .collect();
        house.shared.push(ledger.mint());
        house.wake_for_submission();
        for idler in idlers {
            idler.join().unwrap();
        }
        house.check();
        house.empty(ring);
        ledger.settle();
    });
}

/// Two submissions, one spinner: it takes one and passes the right on, while another M goes idle.
#[test]
fn a_spinner_that_found_work_wakes_the_next() {
    explore(Some(4), || {
        let ledger = Ledger::new(2);
        let (house, ring) = House::new(1);
        let spinner = {
            let house = house.clone();
            thread::spawn(move || match house.shared.pop() {
                Some(probe) => {
                    // `stop_spinning`, then it runs what it found for as long as that takes.
                    house.idle.give_up();
                    house.wake_for_submission();
                    probe.consume();
                }
                None => {
                    house.go_idle(true);
                }
            })
        };
        let idler = {
            let house = house.clone();
            thread::spawn(move || house.go_idle(false))
        };
        for _ in 0..2 {
            house.shared.push(ledger.mint());
            house.wake_for_submission();
        }
        spinner.join().unwrap();
        idler.join().unwrap();
        house.check();
        house.empty(ring);
        ledger.settle();
    });
}

/// One that found work and no P for it leaves a mark; the next M that would drop its P takes it and spins instead.
#[test]
fn a_wanted_spinner_comes() {
    explore(None, || {
        let (house, _ring) = House::new(0);
        let other = {
            let house = house.clone();
            thread::spawn(move || house.idle.take_wanted())
        };
        house.idle.want_spinner();
        let mine = house.idle.take_wanted();
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one mark makes one spinner");
        assert_eq!(house.idle.view(PROCS).spinning, 1);
    });
}
