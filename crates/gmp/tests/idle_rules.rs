//! Idle rules in a whole runtime: what each promises with any queue, and what core guarantees whatever they say.

mod told;

use gmp::contract::{IdlePolicy, IdleView, Policy};
use gmp::policy::{Eager, Frugal, Go, GoIdle, Random, WithIdle};
use gmp::{Builder, Runtime};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Wakes nobody, and lets nobody look: only core's own progress is left.
#[derive(Default)]
struct Never;

impl IdlePolicy for Never {
    const NAME: &'static str = "never";
    const STRONG: bool = false;
    fn may_spin(&self, _: IdleView) -> bool {
        false
    }
    fn wake_on_submit(&self, _: IdleView, _: impl Fn() -> usize) -> bool {
        false
    }
}

fn runtime<P: Policy>(procs: usize) -> Runtime<P> {
    told::moving(Builder::new()).policy::<P>().procs(procs).build().unwrap()
}

/// Spins, with its P in hand, until `done` says so. For a whole minute it must be a hang.
fn spin_until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}: still waiting after a minute");
        spin_loop();
    }
}

/// One goroutine waits behind another that never suspends, beside an idle P.
fn work_behind_a_hog_starts<P: Policy>() {
    runtime::<P>(2)
        .run(|| {
            for _ in 0..3 {
                let ran = Arc::new(AtomicBool::new(false));
                let theirs = ran.clone();
                let other = gmp::go(move || theirs.store(true, Ordering::Release));
                spin_until("one in line", || ran.load(Ordering::Acquire));
                other.join().unwrap();
            }
        })
        .unwrap();
}

/// The only M awake wakes by a timer, and takes up a goroutine that never suspends; the other timer is due.
fn timers_behind_a_hog_go_off<P: Policy>() {
    runtime::<P>(2)
        .run(|| {
            let ran = Arc::new(AtomicBool::new(false));
            let theirs = ran.clone();
            let sleeper = gmp::go(move || {
                gmp::sleep(Duration::from_millis(20));
                theirs.store(true, Ordering::Release);
            });
            gmp::sleep(Duration::from_millis(10));
            spin_until("a sleeper", || ran.load(Ordering::Acquire));
            sleeper.join().unwrap();
        })
        .unwrap();
}

/// Goroutines come from a goroutine, from a plain thread and by timers; all of them run, once.
fn everything_runs<P: Policy>() {
    let runtime = runtime::<P>(4);
    let handle = runtime.handle();
    let ran = Arc::new(AtomicU64::new(0));
    let theirs = ran.clone();
    runtime
        .run(move || {
            let one = |ran: &Arc<AtomicU64>| {
                let ran = ran.clone();
                move || {
                    gmp::yield_now();
                    ran.fetch_add(1, Ordering::Relaxed);
                }
            };
            let (mine, other) = (theirs.clone(), theirs.clone());
            let (tell, told) = gmp::chan(1);
            std::thread::spawn(move || {
                let all: Vec<_> = (0..300).map(|_| handle.go(one(&other)).unwrap()).collect();
                all.into_iter().for_each(|handle| handle.join().unwrap());
                tell.send(()).unwrap();
            });
            for _ in 0..20 {
                gmp::sleep(Duration::from_micros(300));
                let all: Vec<_> = (0..20).map(|_| gmp::go(one(&mine))).collect();
                all.into_iter().for_each(|handle| handle.join().unwrap());
            }
            told.recv().unwrap();
        })
        .unwrap();
    assert_eq!(ran.load(Ordering::Relaxed), 700);
}

fn judge<P: Policy>() {
    work_behind_a_hog_starts::<P>();
    timers_behind_a_hog_go_off::<P>();
    everything_runs::<P>();
}

#[test]
fn gos_rule_is_bounded() {
    judge::<WithIdle<Go, GoIdle>>();
    judge::<WithIdle<Random, GoIdle>>();
}

#[test]
fn eager_is_bounded() {
    judge::<WithIdle<Go, Eager>>();
    judge::<WithIdle<Random, Eager>>();
}

#[test]
fn frugal_is_bounded() {
    judge::<WithIdle<Go, Frugal>>();
    judge::<WithIdle<Random, Frugal>>();
}

#[test]
fn a_rule_that_wakes_nobody_is_bounded() {
    judge::<WithIdle<Go, Never>>();
    judge::<WithIdle<Random, Never>>();
}

#[test]
fn a_runtime_names_its_rule_beside_its_policy() {
    fn names<P: Policy>() -> (&'static str, &'static str) {
        let runtime = runtime::<P>(1);
        (runtime.handle().policy(), runtime.handle().stats().idle_rule)
    }
    assert_eq!(names::<Go>(), ("go", "go"));
    assert_eq!(names::<WithIdle<Go, Frugal>>(), ("go", "frugal"));
    assert_eq!(names::<WithIdle<Random, Eager>>(), ("random", "eager"));
}

/// Frugal keeps a trickle on one M: the M that wakes for it runs it, and wakes nobody else.
#[test]
fn frugal_wakes_once_for_a_lone_goroutine() {
    const BEATS: u64 = 50;
    let wakeups = runtime::<WithIdle<Go, Frugal>>(8)
        .run(|| {
            let seen = Arc::new(Mutex::new(Vec::new()));
            gmp::sleep(Duration::from_millis(5));
            let before = gmp::stats().wakeups;
            for _ in 0..BEATS {
                gmp::sleep(Duration::from_millis(1));
                let seen = seen.clone();
                drop(gmp::go(move || seen.lock().unwrap().push(())));
            }
            gmp::stats().wakeups - before
        })
        .unwrap()
        .value;
    // The bounded law may step in where the machine lets the only M wait for 10 ms; twice in three beats it does not.
    assert!(wakeups <= BEATS / 3, "{wakeups} for {BEATS} goroutines, each alone");
}
