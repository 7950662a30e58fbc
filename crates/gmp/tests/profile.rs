//! Profiles of CPU time and of goroutines. With the feature `profile`: the gate `features` runs it.
#![cfg(feature = "profile")]

use gmp::profile::{Kind, Sample};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

fn label<'a>(sample: &'a Sample, key: &str) -> Option<&'a str> {
    sample.labels.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str())
}

fn stands_in(sample: &Sample, function: &str) -> bool {
    sample.stack.iter().any(|frames| frames.iter().any(|frame| frame.function.contains(function)))
}

#[inline(never)]
fn computes_heavily(stop: &AtomicBool, share: u32) {
    computes(stop, share);
}

#[inline(never)]
fn computes_lightly(stop: &AtomicBool, share: u32) {
    computes(stop, share);
}

fn computes(stop: &AtomicBool, share: u32) {
    let mut sum = 0_u64;
    while !stop.load(Relaxed) {
        for _ in 0..share * 1000 {
            sum = black_box(sum.wrapping_mul(5) + 1);
        }
        gmp::yield_now();
    }
}

/// What share one kind of the two has in the time of both depends on nothing but the work, even on a busy machine.
#[test]
fn time_is_told_by_function_and_label() {
    let runtime = gmp::Builder::new().procs(1).build().unwrap();
    runtime
        .run(|| {
            let stop = Arc::new(AtomicBool::new(false));
            let worker = |kind: &str, work: fn(&AtomicBool, u32), share| {
                let stop = stop.clone();
                gmp::spawn().label("kind", kind).go(move || work(&stop, share)).unwrap()
            };
            let both = [worker("heavy", computes_heavily, 7), worker("light", computes_lightly, 3)];
            let (mut heavy, mut light) = (Duration::ZERO, Duration::ZERO);
            let begun = Instant::now();
            // Where the machine is busy with other things it takes longer until enough has been seen.
            while heavy + light < Duration::from_millis(800) && begun.elapsed() < Duration::from_secs(60) {
                let profile = gmp::profile::cpu(Duration::from_millis(500));
                assert_eq!(profile.kind, Kind::Cpu);
                let mut saw_heavy = false;
                for sample in &profile.samples {
                    saw_heavy |= label(sample, "kind") == Some("heavy");
                    match label(sample, "kind") {
                        Some("heavy") => heavy += sample.time,
                        Some("light") => light += sample.time,
                        _ => continue,
                    }
                    let other = if label(sample, "kind") == Some("heavy") {
                        "computes_lightly"
                    } else {
                        "computes_heavily"
                    };
                    assert!(
                        !stands_in(sample, other),
                        "a stack has the labels of another goroutine: {sample:?}"
                    );
                }
                let stands = profile.samples.iter().any(|sample| stands_in(sample, "computes_heavily"));
                assert_eq!(stands, saw_heavy, "{profile}");
            }
            stop.store(true, Relaxed);
            both.into_iter().for_each(|worker| worker.join().unwrap());
            let share = heavy.as_secs_f64() / (heavy + light).as_secs_f64();
            assert!((0.5..0.9).contains(&share), "{share}: 7 of 10 parts of the work are heavy");
        })
        .unwrap();
}

#[test]
fn goroutines_are_counted_where_they_stand() {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    runtime
        .run(|| {
            let (keeps, values) = gmp::chan::<u32>(0);
            let waiters: Vec<_> = (0..20)
                .map(|i| {
                    let values = values.clone();
                    let kind = if i % 4 == 0 { "few" } else { "many" };
                    gmp::spawn().label("kind", kind).go(move || values.recv().ok()).unwrap()
                })
                .collect();
            let counts = || {
                let profile = gmp::profile::goroutines();
                assert_eq!(profile.kind, Kind::Goroutine);
                let of = |kind| {
                    let has = |sample: &&Sample| label(sample, "kind") == Some(kind);
                    profile.samples.iter().filter(has).map(|sample| sample.count).sum::<u64>()
                };
                (of("few"), of("many"), profile.to_string())
            };
            let (few, many, table) = counts();
            assert_eq!((few, many), (5, 15), "{table}");
            drop(keeps);
            assert!(waiters.into_iter().all(|waiter| waiter.join().unwrap().is_none()));
        })
        .unwrap();
}

/// Of the waits of three goroutines: one at a channel, one at a lock, one that does not wait. Block and mutex profiles are
/// the process's, so both are asked for in one test.
#[test]
fn waits_are_told_by_where_and_by_who_ends_them() {
    #[inline(never)]
    fn waits_for_a_value(values: &gmp::Receiver<u32>) {
        values.recv().unwrap();
    }
    #[inline(never)]
    fn waits_for_the_lock(lock: &gmp::sync::Mutex<u32>) {
        *lock.lock() += 1;
    }
    #[inline(never)]
    fn lets_go(guard: gmp::sync::MutexGuard<'_, u32>) {
        drop(guard);
    }
    const SHORT: Duration = Duration::from_millis(20);
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    runtime
        .run(|| {
            gmp::profile::set_block_rate(1);
            assert_eq!(gmp::profile::set_mutex_fraction(1), 0);
            let (sender, receiver) = gmp::chan(0);
            let reader = gmp::go(move || waits_for_a_value(&receiver));
            let lock = Arc::new(gmp::sync::Mutex::new(0));
            let guard = lock.lock();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let lock = lock.clone();
                    gmp::go(move || waits_for_the_lock(&lock))
                })
                .collect();
            while gmp::stats().waiting < 4 {
                gmp::sleep(Duration::from_millis(1));
            }
            gmp::sleep(SHORT);
            sender.send(1).unwrap();
            lets_go(guard);
            reader.join().unwrap();
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
            assert_eq!(gmp::profile::set_mutex_fraction(0), 1);
            gmp::profile::set_block_rate(0);
            let (block, mutex) = (gmp::profile::block(), gmp::profile::mutex());
            assert_eq!((block.kind, mutex.kind), (Kind::Block, Kind::Mutex));
            let innermost = |profile: &gmp::profile::Profile, function: &str| {
                let here = |sample: &&Sample| sample.stack[0][0].function.contains(function);
                let found = profile.samples.iter().filter(here);
                found.fold((0, Duration::ZERO), |(count, time), one| (count + one.count, time + one.time))
            };
            let (count, time) = innermost(&block, "waits_for_a_value");
            assert!(count == 1 && time >= SHORT / 2, "{block}");
            let (count, time) = innermost(&block, "waits_for_the_lock");
            assert!(count >= 3 && time >= SHORT, "{block}");
            // All three are held up when the guard goes, and two of them once more when the first lets go.
            let (count, time) = innermost(&mutex, "lets_go");
            assert!(count == 1 && time >= SHORT, "{mutex}");
            assert!(block.to_string().contains("waits_for_a_value") && !block.to_pprof().is_empty());
        })
        .unwrap();
}

/// Two that lock what the other holds, one that joins one of them, one that waits for nothing; and others that go on.
#[test]
fn who_never_goes_on_is_told() {
    #[inline(never)]
    fn takes_both(first: &gmp::sync::Mutex<()>, second: &gmp::sync::Mutex<()>, taken: &AtomicU32) {
        let _first = first.lock();
        taken.fetch_add(1, Relaxed);
        while taken.load(Relaxed) < 2 {
            gmp::yield_now();
        }
        let _second = second.lock();
    }
    #[inline(never)]
    fn joins(handle: gmp::JoinHandle<()>) {
        let _ = handle.join();
    }
    let runtime = gmp::Builder::new().procs(1).build().unwrap();
    runtime
        .run(|| {
            let _goes_on = gmp::go(|| gmp::sleep(Duration::from_secs(1_000)));
            assert!(gmp::profile::goroutine_leaks().samples.is_empty());
            let locks = [gmp::sync::Mutex::new(()), gmp::sync::Mutex::new(())];
            let here = Arc::new((locks, AtomicU32::new(0)));
            let there = here.clone();
            let _one = gmp::go(move || takes_both(&here.0[0], &here.0[1], &here.1));
            let other = gmp::go(move || takes_both(&there.0[1], &there.0[0], &there.1));
            let _joiner = gmp::go(move || joins(other));
            let _idle = gmp::go(|| gmp::block_forever());
            let mut leaks = gmp::profile::goroutine_leaks();
            while leaks.samples.iter().map(|sample| sample.count).sum::<u64>() < 4 {
                gmp::sleep(Duration::from_millis(10));
                leaks = gmp::profile::goroutine_leaks();
            }
            assert_eq!(leaks.kind, Kind::Goroutine);
            assert_eq!(
                leaks
                    .samples
                    .iter()
                    .filter(|sample| stands_in(sample, "takes_both"))
                    .map(|s| s.count)
                    .sum::<u64>(),
                2
            );
            assert!(leaks.samples.iter().any(|sample| stands_in(sample, "joins")), "{leaks}");
        })
        .unwrap();
}

/// A select without cases that has a timeout, and a circle of locks one of which is waited for until a moment, were told
/// to last for ever.
#[test]
fn a_deadline_ends_a_select_without_cases_and_a_circle() {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    let main = || {
        let nothing = gmp::go(|| {
            let never = gmp::never::<u32>();
            gmp::select! {
                recv(never) -> _ => false,
                default(Duration::from_secs(2)) => true,
            }
        });
        let locks = Arc::new([gmp::sync::Mutex::new(()), gmp::sync::Mutex::new(())]);
        let (both, others) = (locks.clone(), Arc::new(gmp::sync::Barrier::new(2)));
        let barrier = others.clone();
        let one = gmp::go(move || {
            let _first = both[0].lock();
            barrier.wait();
            both[1].lock_timeout(Duration::from_secs(2)).is_none()
        });
        let other = gmp::go(move || {
            let _first = locks[1].lock();
            others.wait();
            drop(locks[0].lock());
            true
        });
        gmp::sleep(Duration::from_millis(20));
        for _ in 0..3 {
            let leaks = gmp::profile::goroutine_leaks();
            assert!(leaks.samples.is_empty(), "{leaks}");
        }
        assert!(nothing.join().unwrap() && one.join().unwrap() && other.join().unwrap());
    };
    runtime.run(main).unwrap();
}
