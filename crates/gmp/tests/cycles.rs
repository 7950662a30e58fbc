//! Goroutines that wait for each other in a circle are named: in a dump beside others that are busy, and in the report of a
//! deadlock. With the feature `dump`.
#![cfg(feature = "dump")]

use gmp::sync::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

#[inline(never)]
fn takes_both(first: &Mutex<u32>, second: &Mutex<u32>, at_first: &gmp::sync::Barrier) {
    let mut one = first.lock();
    at_first.wait();
    let mut two = second.lock();
    (*one, *two) = (*two, *one);
}

/// Starts three that take locks of each other. Returns their numbers.
fn start_three() -> Vec<u64> {
    let locks: Arc<Vec<_>> = Arc::new((0..3).map(Mutex::new).collect());
    let at_first = Arc::new(gmp::sync::Barrier::new(3));
    let start = |i: usize| {
        let (locks, at_first) = (locks.clone(), at_first.clone());
        let body = move || takes_both(&locks[i], &locks[(i + 1) % 3], &at_first);
        gmp::spawn().name(format!("taker {i}")).go(body).unwrap()
    };
    let mut numbers: Vec<_> = (0..3).map(|i| start(i).number()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn a_circle_beside_many_that_are_busy_is_named_and_nothing_else() {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    runtime
        .run(|| {
            let (stop, shared) = (Arc::new(AtomicBool::new(false)), Arc::new([Mutex::new(0), Mutex::new(0)]));
            let busy: Vec<_> = (0..200)
                .map(|_| {
                    let (stop, shared) = (stop.clone(), shared.clone());
                    gmp::go(move || {
                        while !stop.load(Relaxed) {
                            let mut one = shared[0].lock();
                            *one ^= 1;
                            let mut other = shared[1].lock();
                            *other = *one;
                            gmp::yield_now();
                        }
                    })
                })
                .collect();
            assert!(gmp::dump().cycles.is_empty());
            let numbers = start_three();
            let stuck = |dump: &gmp::Dump| {
                let mut cycle = dump.cycles.first().cloned().unwrap_or_default();
                cycle.sort_unstable();
                cycle == numbers
            };
            let mut dump = gmp::dump();
            while !stuck(&dump) {
                assert!(dump.cycles.is_empty(), "{dump}");
                gmp::sleep(Duration::from_millis(10));
                dump = gmp::dump();
            }
            assert_eq!(dump.cycles.len(), 1);
            for (i, &number) in dump.cycles[0].iter().enumerate() {
                let next = dump.cycles[0][(i + 1) % 3];
                let (sight, stack) = dump.goroutines().find(|(sight, _)| sight.number == number).unwrap();
                assert_eq!(sight.holder.map(u64::from), Some(next), "{dump}");
                assert!(stack[0].function.contains("takes_both"), "{dump:#}");
            }
            let text = dump.to_string();
            assert!(
                text.contains("deadlock: these wait for each other in a circle:\n\tgoroutine "),
                "{text}"
            );
            assert!(text.contains(&format!(", which goroutine {} holds\n", numbers[0])), "{text}");
            assert!(dump.to_json().contains(&format!("\"cycles\": [[{}, ", numbers[0])));
            stop.store(true, Relaxed);
            busy.into_iter().for_each(|busy| busy.join().unwrap());
        })
        .unwrap();
}

#[test]
fn whoever_locks_what_it_holds_is_a_circle_of_its_own() {
    let runtime = gmp::Builder::new().procs(1).build().unwrap();
    runtime
        .run(|| {
            let twice = gmp::spawn().name("twice").go(|| {
                let lock = Mutex::new(());
                let _held = lock.lock();
                drop(lock.lock_timeout(Duration::from_secs(1_000)));
            });
            let number = twice.unwrap().number();
            gmp::yield_now();
            let dump = gmp::dump();
            assert_eq!(dump.cycles, [[number]], "{dump}");
        })
        .unwrap();
}

/// Main waits for one of the circle, and is not of it.
#[test]
fn the_report_of_a_deadlock_names_the_circle() {
    let runtime = gmp::Builder::new().procs(1).deadlock(gmp::DeadlockRule::Always).build().unwrap();
    let error = runtime
        .run(|| {
            start_three();
            gmp::block_forever();
        })
        .unwrap_err();
    let gmp::RunError::Deadlock(report) = &error else { panic!("{error}") };
    assert_eq!(report.cycles.len(), 1, "{error}");
    assert_eq!(report.cycles[0].len(), 3, "{error}");
    assert!(error.to_string().contains("\n\nin a circle: goroutine "), "{error}");
}
