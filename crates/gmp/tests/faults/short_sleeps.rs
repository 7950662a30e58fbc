//! Once, a goroutine that came back from a short sleep in the kernel waited in the queue until sysmon had found out that
//! the Ps' own goroutines slept as well. Now it takes a P from one of those itself. The kind: many that sleep for a short
//! time again and again, beside others that only want their turn, whatever they hold at that moment.

use crate::harness::{child, named};
use crate::undeclared_blocking::{moving, one_p};
use gmp::go;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        who_waits_for_a_p_is_not_passed_by_sleepers,
        a_half_that_was_offered_by_a_sleeper_is_called_once,
        a_stopped_world_meets_sleepers_that_take_ps,
        sleepers_that_take_ps_end_with_their_runtime,
    ],
    named![beside_yielders, halves_that_sleep, resized_beside_sleepers, closed_beside_sleepers],
);

const NAP: Duration = Duration::from_micros(100);

/// So many sleep at once.
const SLEEPERS: usize = 12;

/// Goroutines that sleep again and again, and call the runtime in between, until they are told that it is over.
struct Sleepers {
    over: Arc<AtomicBool>,
    all: Vec<gmp::JoinHandle<()>>,
}

impl Sleepers {
    fn start(call: fn()) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let sleeper = |_| {
            let over = Arc::clone(&over);
            go(move || {
                while !over.load(Relaxed) {
                    thread::sleep(NAP);
                    call();
                }
            })
        };
        let all = (0..SLEEPERS).map(sleeper).collect();
        Self { over, all }
    }

    fn end(self) {
        self.over.store(true, Relaxed);
        self.all.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    }
}

fn beside_yielders() {
    moving(|| {
        let sleepers = Sleepers::start(gmp::checkpoint);
        let yielders: Vec<_> = (0..4).map(|_| go(|| (0..20).for_each(|_| gmp::yield_now()))).collect();
        // They come to their end only if they have their turns beside those that sleep for ever.
        yielders.into_iter().for_each(|one| one.join().unwrap());
        sleepers.end();
    });
    println!("done");
}

/// One half sleeps while the other one is offered to thieves.
fn naps_and_adds(from: u64, to: u64) -> u64 {
    if to - from == 1 {
        thread::sleep(NAP);
        return from;
    }
    let middle = from.midpoint(to);
    let (low, high) = gmp::join(|| naps_and_adds(from, middle), || naps_and_adds(middle, to));
    low + high
}

fn halves_that_sleep() {
    moving(|| {
        let adders: Vec<_> = (0..SLEEPERS).map(|_| go(|| naps_and_adds(0, 64))).collect();
        for adder in adders {
            assert_eq!(adder.join().unwrap(), 63 * 64 / 2);
        }
    });
    println!("done");
}

fn resized_beside_sleepers() {
    moving(|| {
        let sleepers = Sleepers::start(gmp::yield_now);
        for procs in (1..=3).cycle().take(60) {
            gmp::set_max_procs(procs);
            gmp::sleep(NAP);
        }
        sleepers.end();
    });
    println!("done");
}

fn closed_beside_sleepers() {
    for round in 0..20 {
        one_p()
            .procs(1 + round % 2)
            .build()
            .unwrap()
            .run(|| {
                drop(Sleepers::start(gmp::yield_now));
                // Long enough for the place to be known for blocking.
                thread::sleep(100 * NAP);
                gmp::yield_now();
            })
            .unwrap();
    }
    println!("done");
}

fn who_waits_for_a_p_is_not_passed_by_sleepers() {
    child("beside_yielders").run().code(0).prints("done\n");
}

fn a_half_that_was_offered_by_a_sleeper_is_called_once() {
    child("halves_that_sleep").run().code(0).prints("done\n");
}

fn a_stopped_world_meets_sleepers_that_take_ps() {
    child("resized_beside_sleepers").run().code(0).prints("done\n");
}

fn sleepers_that_take_ps_end_with_their_runtime() {
    child("closed_beside_sleepers").run().code(0).prints("done\n");
}
