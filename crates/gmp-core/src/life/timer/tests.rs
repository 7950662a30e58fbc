//! Timers against a model that is too simple to be wrong, on the real plan and the real heap.

use super::{Fire, Firing, Timer};
use crate::records::g::parked::Parked;
use crate::records::p::plan::Due;
use crate::records::p::timers::{Batch, NEVER, Target, Timers};
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

struct Nothing;

impl Fire for Nothing {
    fn fire(_: &Timer<Self>, _firing: Firing<'_>) {
        unreachable!("these tests have no scheduler");
    }
}

const TIMERS: usize = 4;
const HEAPS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Op {
    Reset {
        timer: usize,
        heap: usize,
        delay: u64,
        period: u64,
    },
    Stop {
        timer: usize,
    },
    /// Time passes, and what is due is run.
    Pass {
        by: u64,
    },
    /// Every expiry that was taken is claimed.
    Claim,
    Sweep {
        heap: usize,
    },
    /// A P goes and leaves its timers to another.
    Move {
        from: usize,
    },
}

fn op(periods: bool) -> impl Strategy<Value = Op> {
    let period = if periods { prop_oneof![2 => Just(0), 1 => 1..40u64].boxed() } else { Just(0).boxed() };
    prop_oneof![
        6 => (0..TIMERS, 0..HEAPS, 0..100u64, period)
            .prop_map(|(timer, heap, delay, period)| Op::Reset { timer, heap, delay, period }),
        3 => (0..TIMERS).prop_map(|timer| Op::Stop { timer }),
        4 => (0..60u64).prop_map(|by| Op::Pass { by }),
        4 => Just(Op::Claim),
        1 => (0..HEAPS).prop_map(|heap| Op::Sweep { heap }),
        1 => (0..HEAPS).prop_map(|from| Op::Move { from }),
    ]
}

struct Bed {
    now: u64,
    heaps: [Timers; HEAPS],
    timers: [Timer<Nothing>; TIMERS],
    /// Timer and round.
    taken: Vec<(usize, u64)>,
}

impl Bed {
    fn new() -> Self {
        Self {
            now: 1,
            heaps: std::array::from_fn(|_| Timers::new(1)),
            timers: std::array::from_fn(|_| Timer::new(Nothing)),
            taken: Vec::new(),
        }
    }

    fn which(&self, head: *const super::Head) -> usize {
        self.timers.iter().position(|timer| std::ptr::eq(&timer.0.head, head)).expect("it is one of ours")
    }

    /// What the scheduler does. Each timer that went off, with how late it was.
    fn run(&mut self) -> Vec<(usize, u64)> {
        let mut fired = Vec::new();
        for at in 0..HEAPS {
            while self.heaps[at].next() <= self.now {
                let mut due = Batch::new();
                self.heaps[at].take_due(self.now, usize::MAX, &mut due);
                for entry in due.drain() {
                    let Target::Timer(timer) = entry.target else { unreachable!("nobody is parked here") };
                    let which = self.which(timer.head().as_ptr());
                    match timer.plan(|plan| plan.due(entry.when, &self.heaps[at].home, self.now)) {
                        Due::Nothing => {}
                        Due::Later(when) => drop(self.heaps[at].add_timer(when, timer)),
                        Due::Fire { round, when, again } => {
                            if again != NEVER {
                                self.heaps[at].add_timer(again, timer);
                            }
                            fired.push((which, self.now - when));
                            self.taken.push((which, round));
                        }
                    }
                }
            }
        }
        fired
    }

    /// How many expiries counted.
    fn claim(&mut self) -> usize {
        let taken = std::mem::take(&mut self.taken);
        taken
            .into_iter()
            .filter(|&(which, round)| self.timers[which].0.head.plan.with(|plan| plan.claim(round)))
            .count()
    }

    /// What the operation answers: an expiry was still to come.
    fn act(&mut self, op: Op) -> bool {
        match op {
            Op::Reset { timer, heap, delay, period } => {
                self.timers[timer].as_any().set_in(&self.heaps[heap], self.now + delay, period).0
            }
            Op::Stop { timer } => self.timers[timer].as_any().stop(),
            Op::Sweep { heap } => {
                self.heaps[heap].sweep();
                false
            }
            Op::Move { from } => {
                self.heaps[from].move_to(&self.heaps[(from + 1) % HEAPS]);
                false
            }
            Op::Pass { .. } | Op::Claim => unreachable!("the tests do these themselves"),
        }
    }
}

proptest! {
    /// When timers go off, how late they are told to be, and what is the earliest.
    #[test]
    fn timers_go_off_when_the_model_says(script in vec(op(true), 1..80)) {
        let mut bed = Bed::new();
        let mut model = [None::<(u64, u64)>; TIMERS];
        for op in script {
            match op {
                Op::Pass { by } => {
                    bed.now += by;
                    let mut fired = bed.run();
                    bed.claim();
                    fired.sort_unstable();
                    let mut expected = Vec::new();
                    for (which, plan) in model.iter_mut().enumerate() {
                        if let Some((when, period)) = *plan && when <= bed.now {
                            expected.push((which, bed.now - when));
                            let mut ticks = (1..).map(|tick| when + tick * period);
                            let mut next = || (ticks.find(|&tick| tick > bed.now).unwrap_or(NEVER), period);
                            *plan = (period != 0).then(&mut next);
                        }
                    }
                    prop_assert_eq!(fired, expected);
                }
                Op::Claim => prop_assert_eq!(bed.claim(), 0, "all were claimed when they were taken"),
                op => {
                    let answer = bed.act(op);
                    let (timer, plan) = match op {
                        Op::Reset { timer, delay, period, .. } => (timer, Some((bed.now + delay, period))),
                        Op::Stop { timer } => (timer, None),
                        _ => continue,
                    };
                    prop_assert_eq!(answer, model[timer].is_some());
                    model[timer] = plan;
                }
            }
            let earliest = model.iter().flatten().map(|&(when, _)| when).min().unwrap_or(NEVER);
            let published = bed.heaps.iter().map(Timers::next_live).min().unwrap_or(NEVER);
            // An entry that waits for a timer moved to later is early, never late.
            prop_assert!(published <= earliest);
            prop_assert_eq!(published == NEVER, earliest == NEVER);
            for (timer, plan) in bed.timers.iter().zip(&model) {
                prop_assert_eq!(timer.as_any().is_pending(), plan.is_some());
            }
        }
    }

    /// Invariant 1: each arming ends once, by a claim or by the stop or reset that says so.
    #[test]
    fn each_arming_ends_once(script in vec(op(false), 1..80)) {
        let mut bed = Bed::new();
        let (mut armed, mut ended) = (0, 0);
        for op in script {
            match op {
                Op::Pass { by } => {
                    bed.now += by;
                    bed.run();
                }
                Op::Claim => ended += bed.claim(),
                op => {
                    ended += usize::from(bed.act(op));
                    armed += usize::from(matches!(op, Op::Reset { .. }));
                }
            }
            let pending = bed.timers.iter().filter(|timer| timer.as_any().is_pending()).count();
            prop_assert_eq!(armed, ended + pending);
        }
    }
}

#[test]
fn a_stopped_timer_leaves_the_heap_before_its_time() {
    let heap = Timers::new(1);
    let timers: Vec<_> = (0..1000).map(|_| Timer::new(Nothing)).collect();
    for (i, timer) in timers.iter().enumerate() {
        timer.as_any().set_in(&heap, 1_000_000 + i as u64, 0);
    }
    for timer in &timers[1..] {
        assert!(timer.as_any().stop());
        if heap.home.wants_sweep() {
            heap.sweep();
        }
    }
    let left = timers.iter().filter(|timer| Arc::strong_count(&timer.0) > 1).count();
    assert!(left <= 65, "{left} stopped timers are still in the heap");
    assert_eq!(heap.live(), 1);
}

/// They once stayed in the heap of the P that was left until they were due: nobody had counted them there.
#[test]
fn stopped_timers_of_a_p_that_goes_are_swept_where_they_are_moved_to() {
    let (old, new) = (Timers::new(1), Timers::new(1));
    let timers: Vec<_> = (0..200).map(|_| Timer::new(Nothing)).collect();
    for (i, timer) in timers.iter().enumerate() {
        timer.as_any().set_in(&old, 1_000_000 + i as u64, 0);
    }
    assert!(timers.iter().all(|timer| timer.as_any().stop()));
    old.move_to(&new);
    assert!(new.home.wants_sweep() && !old.home.wants_sweep());
    new.sweep();
    assert!(timers.iter().all(|timer| Arc::strong_count(&timer.0) == 1));
}

#[test]
fn resets_to_a_later_time_add_nothing() {
    let (heap, timer) = (Timers::new(1), Timer::new(Nothing));
    timer.as_any().set_in(&heap, 1000, 0);
    for when in 1001..2000 {
        assert_eq!(timer.as_any().set_in(&heap, when, 0), (true, false));
    }
    assert_eq!(Arc::strong_count(&timer.0), 2);
}

#[test]
fn a_cleared_heap_lets_go_of_its_timers() {
    let (heap, timer) = (Timers::new(1), Timer::new(Nothing));
    timer.as_any().set_in(&heap, 1000, 0);
    heap.clear();
    assert!(!timer.as_any().is_pending());
    assert_eq!((heap.next(), Arc::strong_count(&timer.0)), (NEVER, 1));
    timer.as_any().set_in(&heap, 2000, 0);
    assert_eq!(heap.next(), 2000);
}

#[test]
fn a_period_that_reaches_beyond_the_clock_ends_there() {
    let (heap, timer) = (Timers::new(1), Timer::new(Nothing));
    timer.as_any().set_in(&heap, 1, u64::MAX);
    let due = timer.0.head.plan.with(|plan| plan.due(1, &heap.home, 5));
    assert!(matches!(due, Due::Fire { when: 1, again, .. } if again == NEVER - 1));
}

/// A timer that one runtime had stopped, and another set to a later time, stayed in the first one's heap: it went off
/// there, or not at all if that runtime closed first.
#[test]
fn a_reset_by_another_runtime_takes_the_timer_there() {
    let (old, new, timer) = (Timers::new(1), Timers::new(2), Timer::new(Nothing));
    timer.as_any().set_in(&old, 1000, 0);
    assert!(timer.as_any().stop());
    assert_eq!(timer.as_any().set_in(&new, 1000, 0), (false, true));
    assert_eq!((old.next_live(), new.next_live()), (NEVER, 1000));
    assert_eq!(timer.as_any().set_in(&old, 2000, 0), (true, true));
    new.clear();
    assert!(timer.as_any().is_pending(), "the heap that was cleared is no longer the timer's");
    let due = timer.0.head.plan.with(|plan| plan.due(2000, &old.home, 2000));
    assert!(matches!(due, Due::Fire { when: 2000, again: NEVER, .. }));
}

/// A deadline outlives its wait in the heap, and its goroutine goes on to park, again and again: it once matched the wait
/// that came 2^28 parks later, and ended a `Mutex::lock` with the mutex in another's hands.
#[test]
fn a_deadline_kept_for_long_ends_no_later_wait() {
    for bits in [1, 27, 28, 29, 32, 56, 58] {
        let g = crate::records::g::registry::take_one().expect("there is memory");
        g.word.to_spawned();
        g.word.to_running();
        let wait = g.word.to_waiting();
        let heap = Timers::new(1);
        heap.add_deadline(10, Parked::new(g, wait));
        assert!(g.word.to_ready(wait), "woken before the deadline");
        g.word.to_running();
        g.word.skip((1 << bits) - 1);
        let later = g.word.to_waiting();
        let mut due = Batch::new();
        heap.take_due(10, usize::MAX, &mut due);
        for entry in due.drain() {
            let Target::Goroutine(parked) = entry.target else {
                unreachable!("the only entry is a deadline")
            };
            assert!(parked.is_stale() && !parked.ready(), "after 2^{bits} parks");
        }
        assert!(g.word.is_in(later));
    }
}
