//! loom models of going idle and waking, for any idle rule: the strong law and the bounded one, on the real idle word,
//! queues and fence. A crate of idle rules runs them in a module `loom_idle`, with [`idle_policy_models!`].
//!
//! Modelled: the steps of `waking/submit.rs` (push, fence, look, wake), `waking/wake.rs` (`wake_spinner`,
//! `start_spinner`) and `g0/idle.rs` (`give_up_p`, `last_look`), of a spinner that finds work (`stop_spinning`,
//! `wake_the_next`), and of sysmon (`wake_for_old_work`), in their order; the lists under the scheduler's lock are a
//! count of idle Ps. When all threads are through, these hold:
//! - the word's count of spinners is the number of those who spin, else neither law would have anything to stand on;
//! - **strong** (I2), if the rule claims it: there is no work queued beside an idle P while nobody spins;
//! - **bounded** (I4), for every rule: the same after one more round of sysmon.
//!
//! Threads: at most three. Preemptions: unbounded with two threads, 4 with three, or what `LOOM_MAX_PREEMPTIONS` says.
//! Time: 40 s of CPU time a rule.
//!
//! Caught when broken: no fence; the last look before the right to spin is given up; a rule that claims to be strong
//! and is not; a right to spin that is not given up where no P was left; a sysmon that leaves the wake to the rule. Not
//! caught: a submitter that leaves no request where it found no P, since two Ps are too few for it.

use crate::contract::{IdlePolicy, IdleView, RunQueue, SharedQueue, Slot, Thief};
use crate::ground::sync::{Arc, full_fence};
use crate::queue::{List, Ring, RingThief, SharedFifo};
use crate::shared::idle_word::IdleWord;
use crate::suite::{CONFIG, Ledger, Probe};
use loom::sync::Mutex;
use loom::thread;

const PROCS: usize = 2;

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(model);
}

/// What stands under the scheduler's lock.
#[derive(Default)]
struct Lists {
    idle_ps: usize,
    /// Ms that were given a P and the right to spin: they are about to look for work.
    started: usize,
}

struct House<I> {
    idle: IdleWord,
    rule: I,
    shared: SharedFifo<Probe>,
    thief: RingThief<Probe>,
    lists: Mutex<Lists>,
}

impl<I: IdlePolicy> House<I> {
    /// `spinners` Ms spin, each with a P.
    fn new(spinners: usize) -> (Arc<Self>, Ring<Probe>) {
        let (ring, thief) = Ring::new(&CONFIG);
        let house = Self {
            idle: IdleWord::new(),
            rule: I::default(),
            shared: SharedFifo::default(),
            thief,
            lists: Mutex::default(),
        };
        (0..spinners).for_each(|_| house.idle.spin());
        (Arc::new(house), ring)
    }

    fn queued(&self) -> usize {
        self.thief.len() + self.shared.len()
    }

    /// `wake_for_submission`.
    fn wake_for_submission(&self) {
        self.wake_if(|view| self.rule.wake_on_submit(view, || self.queued()));
    }

    /// `wake_the_next`.
    fn wake_the_next(&self) {
        self.wake_if(|view| self.rule.pass_on(view, || self.queued()));
    }

    fn wake_if(&self, agree: impl Fn(IdleView) -> bool) {
        full_fence();
        let view = self.idle.view(PROCS);
        if view.idle > 0 && agree(view) {
            self.wake_spinner(agree);
        }
    }

    fn wake_from_outside(&self) {
        full_fence();
        let view = self.idle.view(PROCS);
        let agree = |view| self.rule.wake_on_submit(view, || self.shared.len());
        if view.idle > 0 && (view.busy() == 0 || agree(view)) {
            self.wake_spinner(agree);
        }
    }

    fn wake_spinner(&self, agree: impl Fn(IdleView) -> bool) {
        if self.idle.try_spin(PROCS, |view| view.idle > 0 && (view.busy() == 0 || agree(view))) {
            self.start_spinner();
        }
    }

    /// `wake_for_old_work`.
    fn wake_for_old_work(&self) {
        if self.idle.try_spin(PROCS, |view| view.idle > 0 && view.spinning == 0) {
            self.start_spinner();
        }
    }

    fn start_spinner(&self) {
        let mut lists = self.lists.lock().unwrap();
        if self.take_idle_p(&mut lists) {
            lists.started += 1;
        } else {
            self.idle.want_spinner();
            self.idle.give_up();
        }
    }

    fn take_idle_p(&self, lists: &mut Lists) -> bool {
        let there = lists.idle_ps > 0;
        if there {
            lists.idle_ps -= 1;
            self.idle.p_busy();
        }
        there
    }

    /// `give_up_p` and `last_look` of an M with a P. `true`: it has a P, the right to spin, and looks again.
    fn go_idle(&self, spinning: bool) -> bool {
        {
            let mut lists = self.lists.lock().unwrap();
            if !self.shared.is_empty() {
                // It keeps its P and starts over: the next look is made by an M that counts as a spinner or might as
                // well.
                if !spinning {
                    self.idle.spin();
                }
                return true;
            }
            if !spinning && self.idle.take_wanted() {
                return true;
            }
            lists.idle_ps += 1;
            self.idle.p_idle();
        }
        if spinning {
            self.idle.give_up();
        }
        full_fence();
        if self.shared.is_empty() && self.thief.is_empty() {
            return false;
        }
        let mut lists = self.lists.lock().unwrap();
        if self.take_idle_p(&mut lists) {
            self.idle.spin();
            return true;
        }
        self.idle.want_spinner();
        false
    }

    /// Checks the laws, when all threads are through and `spinning` of them go on spinning.
    fn check(&self, spinning: usize) {
        self.count(spinning);
        if I::STRONG {
            assert!(!self.breaks_the_law(), "strong: work waits, a P is idle, and nobody looks");
        }
        self.wake_for_old_work();
        self.count(spinning);
        assert!(!self.breaks_the_law(), "bounded: the same after a round of sysmon");
    }

    fn breaks_the_law(&self) -> bool {
        let view = self.idle.view(PROCS);
        self.queued() > 0 && view.idle > 0 && view.spinning == 0
    }

    fn count(&self, spinning: usize) {
        let (lists, view) = (self.lists.lock().unwrap(), self.idle.view(PROCS));
        let counted = IdleView { procs: PROCS, idle: lists.idle_ps, spinning: spinning + lists.started };
        assert_eq!(view, counted, "what the idle word says, and what is");
    }

    /// Takes out all that is left, so that the ledger can be closed.
    fn empty(&self, mut ring: Ring<Probe>) {
        while let Some(probe) = self.shared.pop().or_else(|| ring.pop().map(|popped| popped.token)) {
            probe.consume();
        }
    }
}

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

/// A P's holder submits twice to its own queue while the only spinner goes idle.
///
/// # Panics
/// A law is broken.
pub fn local_submissions_meet_the_last_spinner<I: IdlePolicy>() {
    for slots in [&[Slot::Next][..], &[Slot::Back], &[Slot::Back, Slot::Back]] {
        explore(None, move || {
            let ledger = Ledger::new(slots.len());
            let (house, mut ring) = House::<I>::new(1);
            let idler = {
                let house = house.clone();
                thread::spawn(move || house.go_idle(true))
            };
            for &slot in slots {
                ring.push(ledger.mint(), slot, &mut no_spill);
                house.wake_for_submission();
            }
            let spins = idler.join().unwrap();
            house.check(usize::from(spins));
            house.empty(ring);
            ledger.settle();
        });
    }
}

/// A thread without a P submits to the shared queue while two Ms go idle, one of them a spinner.
///
/// # Panics
/// A law is broken.
pub fn a_submission_from_outside_meets_two_idlers<I: IdlePolicy>() {
    explore(Some(4), || {
        let ledger = Ledger::new(1);
        let (house, ring) = House::<I>::new(1);
        let idlers: Vec<_> = [true, false]
            .into_iter()
            .map(|spinning| {
                let house = house.clone();
                thread::spawn(move || house.go_idle(spinning))
            })
            .collect();
        house.shared.push(ledger.mint());
        house.wake_from_outside();
        let spin = idlers.into_iter().filter_map(|idler| idler.join().unwrap().then_some(())).count();
        house.check(spin);
        house.empty(ring);
        ledger.settle();
    });
}

/// Two submissions, one spinner: it takes one and passes the right on, while another M goes idle.
///
/// # Panics
/// A law is broken.
pub fn a_spinner_that_found_work_wakes_the_next<I: IdlePolicy>() {
    explore(Some(4), || {
        let ledger = Ledger::new(2);
        let (house, ring) = House::<I>::new(1);
        let spinner = {
            let house = house.clone();
            thread::spawn(move || match house.shared.pop() {
                Some(probe) => {
                    // `stop_spinning`, then it runs what it found for as long as that takes.
                    house.idle.give_up();
                    house.wake_the_next();
                    probe.consume();
                    false
                }
                None => house.go_idle(true),
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
        let spin = usize::from(spinner.join().unwrap()) + usize::from(idler.join().unwrap());
        house.check(spin);
        house.empty(ring);
        ledger.settle();
    });
}

/// sysmon looks while the last M goes idle beside a submission that nobody was woken for.
///
/// # Panics
/// A law is broken.
pub fn sysmon_meets_the_last_idler<I: IdlePolicy>() {
    explore(Some(4), || {
        let ledger = Ledger::new(1);
        let (house, mut ring) = House::<I>::new(1);
        let idler = {
            let house = house.clone();
            thread::spawn(move || house.go_idle(true))
        };
        let sysmon = {
            let house = house.clone();
            thread::spawn(move || house.wake_for_old_work())
        };
        ring.push(ledger.mint(), Slot::Back, &mut no_spill);
        house.wake_for_submission();
        sysmon.join().unwrap();
        let spins = idler.join().unwrap();
        house.check(usize::from(spins));
        house.empty(ring);
        ledger.settle();
    });
}

/// The models, as tests of the idle rule of this name in scope.
#[macro_export]
macro_rules! idle_policy_models {
    ($idle:ty) => {
        #[test]
        fn local_submissions_meet_the_last_spinner() {
            $crate::suite::idle_models::local_submissions_meet_the_last_spinner::<$idle>();
        }

        #[test]
        fn a_submission_from_outside_meets_two_idlers() {
            $crate::suite::idle_models::a_submission_from_outside_meets_two_idlers::<$idle>();
        }

        #[test]
        fn a_spinner_that_found_work_wakes_the_next() {
            $crate::suite::idle_models::a_spinner_that_found_work_wakes_the_next::<$idle>();
        }

        #[test]
        fn sysmon_meets_the_last_idler() {
            $crate::suite::idle_models::sysmon_meets_the_last_idler::<$idle>();
        }
    };
}
