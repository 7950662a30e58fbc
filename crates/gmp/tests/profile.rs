//! Profiles of CPU time and of goroutines. With the feature `profile`: the gate `features` runs it.
#![cfg(feature = "profile")]

use gmp::profile::{Kind, Sample};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
