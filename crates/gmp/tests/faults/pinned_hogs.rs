//! Once, two pinned goroutines that computed on the one P kept everybody in the shared queue waiting for ever: they went
//! back to the inbox of their thread, and the shared queue had one goroutine's turn in 61 of their slices. The kind:
//! pinned goroutines that use up their slices, beside any queue, with and without calls of the runtime.

use crate::harness::{child, named};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![pinned_hogs_leave_the_queues_their_turn, pinned_hogs_that_seldom_call_do_too],
    named![polite_hogs, hogs_that_seldom_call],
);

fn pinned() -> gmp::Builder<gmp::policy::Go> {
    // SAFETY: no test here holds a borrow of a thread-local across a suspension.
    unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().pinned() }.procs(1)
}

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

/// Their Ps are taken, and they come back for one each time.
fn hogs_that_seldom_call() {
    all_end_beside(3, || {
        let until = Instant::now() + Duration::from_millis(12);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        gmp::checkpoint();
    });
}

fn pinned_hogs_leave_the_queues_their_turn() {
    child("polite_hogs").run().code(0).prints("true\n");
}

fn pinned_hogs_that_seldom_call_do_too() {
    child("hogs_that_seldom_call").run().code(0).prints("true\n");
}
