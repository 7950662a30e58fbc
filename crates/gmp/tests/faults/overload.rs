//! More of everything than there is room for: goroutines, timers, blocking calls. The kind: it may take long, but all
//! of it ends, nothing is lost, and when the pressure is over, the runtime is as small and as quick as before.

use super::undeclared_blocking::one_p;
use crate::harness::{child, named};
use gmp::time::after_func_once;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![a_storm_of_spawns_ends, a_million_timers_go_off, nine_thousand_blocking_calls_at_once_end],
    named![spawn_storm, million_timers, nine_thousand_calls],
);

const MS: Duration = Duration::from_millis(1);

/// A small program, which must still run afterwards.
fn is_well() {
    let (send, receive) = gmp::chan(1);
    let sum = gmp::go(move || receive.into_iter().sum::<u32>());
    let senders: Vec<_> = (1..=10)
        .map(|i| {
            let send = send.clone();
            gmp::go(move || {
                gmp::sleep(MS);
                send.send(i).unwrap();
            })
        })
        .collect();
    drop(send);
    senders.into_iter().for_each(|sender| sender.join().unwrap());
    assert_eq!(sum.join().unwrap(), 55);
}

/// Each goroutine of several generations spawns faster than the others can be run.
fn spawn_storm() {
    fn storm(depth: u32, ran: &Arc<AtomicUsize>) {
        ran.fetch_add(1, Relaxed);
        if depth != 0 {
            for _ in 0..10 {
                let ran = Arc::clone(ran);
                gmp::go(move || storm(depth - 1, &ran));
            }
        }
    }
    for procs in [1, 2] {
        one_p()
            .procs(procs)
            .build()
            .unwrap()
            .run(|| {
                let ran = Arc::new(AtomicUsize::new(0));
                storm(5, &ran);
                while gmp::stats().goroutines > 1 {
                    gmp::sleep(MS);
                }
                assert_eq!(ran.load(Relaxed), 111_111);
                is_well();
            })
            .unwrap();
    }
    println!("done");
}

fn a_storm_of_spawns_ends() {
    child("spawn_storm").run().code(0).prints("done\n");
}

/// Some go off at once, some later, and most are stopped before.
fn million_timers() {
    one_p()
        .procs(2)
        .build()
        .unwrap()
        .run(|| {
            let fired = Arc::new(AtomicUsize::new(0));
            let set = |after: Duration| {
                let fired = Arc::clone(&fired);
                after_func_once(after, move || _ = fired.fetch_add(1, Relaxed))
            };
            let far: Vec<_> = (0..900_000_u32).map(|i| set(Duration::from_secs(3600) + MS * i)).collect();
            let near: Vec<_> = (0..100_000_u32).map(|i| set(MS * (i % 50))).collect();
            let stopped = far.iter().filter(|timer| timer.stop()).count();
            assert_eq!(stopped, far.len());
            while fired.load(Relaxed) < near.len() || gmp::stats().goroutines > 1 {
                gmp::sleep(MS);
            }
            assert_eq!(fired.load(Relaxed), near.len());
            is_well();
        })
        .unwrap();
    println!("done");
}

fn a_million_timers_go_off() {
    child("million_timers").run().code(0).prints("done\n");
}

/// Each has a thread of its own, or waits for one if the system has no more of them.
fn nine_thousand_calls() {
    const CALLS: usize = 9_000;
    one_p()
        .procs(2)
        .thread_keep_alive(10 * MS)
        .build()
        .unwrap()
        .run(|| {
            let (release, calls): (Vec<_>, Vec<_>) = (0..CALLS)
                .map(|_| {
                    let (release, wait) = mpsc::channel::<()>();
                    (release, gmp::go(move || gmp::blocking(|| wait.recv().is_err())))
                })
                .unzip();
            let mut blocked = 0;
            // For as long as more of them come to their calls.
            while blocked < CALLS {
                gmp::sleep(200 * MS);
                let now = gmp::stats().blocked;
                if now == blocked {
                    break;
                }
                blocked = now;
            }
            is_well();
            drop(release);
            assert!(calls.into_iter().all(|call| call.join().unwrap()));
            while gmp::stats().threads > 5 {
                gmp::sleep(MS);
            }
            is_well();
        })
        .unwrap();
    println!("done");
}

fn nine_thousand_blocking_calls_at_once_end() {
    child("nine_thousand_calls").run().code(0).prints("done\n");
}
