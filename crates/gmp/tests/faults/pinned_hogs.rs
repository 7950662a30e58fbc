//! Once, two pinned goroutines that computed on the one P kept everybody in the shared queue waiting for ever: they went
//! back to the inbox of their thread, and the shared queue had one goroutine's turn in 61 of their slices. And one that
//! lost its P each time kept those who were pinned to the same thread waiting for ever: whenever it came back it found
//! the P idle, and went on. The kind: pinned goroutines that use up their slices, in any way, beside any queue.

use crate::harness::{child, named};
use crate::hogs::compute_until;
use crate::locked_and_pinned::pinned;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        pinned_hogs_leave_the_queues_their_turn,
        pinned_hogs_that_seldom_call_do_too,
        a_pinned_one_that_loses_its_p_leaves_its_neighbours_their_turn,
    ],
    named![polite_hogs, hogs_that_seldom_call, hog_beside_neighbours, sleepers_beside_neighbours],
);

/// So many that one in 61 slices of 10 ms would take far longer than a child may.
const MANY: usize = 1_000;

/// Goroutines from a plain thread, which go to the shared queue, and from main, which go to the local one, all end
/// beside `hogs` pinned goroutines that each do `work` for as long as the others need.
fn all_end_beside(hogs: usize, work: fn()) {
    let runtime = pinned().build().unwrap();
    let handle = runtime.handle();
    let all = runtime.run(move || {
        let done = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..hogs)
            .map(|_| {
                let done = Arc::clone(&done);
                gmp::go(move || {
                    // From its first suspension on it belongs to this thread.
                    gmp::yield_now();
                    while !done.load(Relaxed) {
                        work();
                    }
                })
            })
            .collect();
        gmp::yield_now();
        // Main stays with the hogs and keeps its thread: no other one takes the queues over.
        let (tell, told) = gmp::chan::<usize>(2 * MANY);
        for i in 0..MANY {
            let tell = tell.clone();
            gmp::go(move || tell.send(i).unwrap());
        }
        let plain = std::thread::spawn(move || {
            for i in 0..MANY {
                let tell = tell.clone();
                handle.go(move || tell.send(i).unwrap()).unwrap();
            }
        });
        let ended: usize = told.iter().sum();
        done.store(true, Relaxed);
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
        plain.join().unwrap();
        ended
    });
    println!("{}", all.unwrap().value == MANY * (MANY - 1));
}

fn polite_hogs() {
    all_end_beside(2, gmp::checkpoint);
}

fn compute() {
    let until = Instant::now() + Duration::from_millis(12);
    compute_until(|| Instant::now() >= until);
}

/// Their Ps are taken, and they come back for one each time.
fn hogs_that_seldom_call() {
    all_end_beside(3, || {
        compute();
        gmp::checkpoint();
    });
}

/// Beside one that loses its P in `work`, again and again, another one on the same thread comes to its end.
fn neighbours_end_beside(work: fn()) {
    pinned()
        .build()
        .unwrap()
        .run(move || {
            let done = Arc::new(AtomicBool::new(false));
            let seen = Arc::clone(&done);
            let loses = gmp::go(move || {
                gmp::yield_now();
                while !seen.load(Relaxed) {
                    work();
                    gmp::checkpoint();
                }
            });
            (0..10).for_each(|_| gmp::yield_now());
            done.store(true, Relaxed);
            loses.join().unwrap();
        })
        .unwrap();
    println!("true");
}

fn hog_beside_neighbours() {
    neighbours_end_beside(compute);
}

fn sleepers_beside_neighbours() {
    const NAP: Duration = Duration::from_millis(12);
    neighbours_end_beside(|| std::thread::sleep(NAP));
    neighbours_end_beside(|| gmp::blocking(|| std::thread::sleep(NAP)));
}

fn pinned_hogs_leave_the_queues_their_turn() {
    child("polite_hogs").run().code(0).prints("true\n");
}

fn pinned_hogs_that_seldom_call_do_too() {
    child("hogs_that_seldom_call").run().code(0).prints("true\n");
}

fn a_pinned_one_that_loses_its_p_leaves_its_neighbours_their_turn() {
    child("hog_beside_neighbours").run().code(0).prints("true\n");
    child("sleepers_beside_neighbours").run().code(0).prints("true\ntrue\n");
}
