//! Goroutines that stay on their thread: one alone, all of a runtime, and one that has its thread to itself.

use std::cell::Cell;
use std::thread::{self, ThreadId};

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Yields often and says whether the thread was the same each time.
fn stays() -> bool {
    let here: ThreadId = thread::current().id();
    (0..1000).all(|_| {
        gmp::yield_now();
        thread::current().id() == here
    })
}

pub(crate) fn main() {
    let shared = gmp::Builder::new().procs(2).build().unwrap();
    shared
        .run(|| {
            let pinned = gmp::go_pinned(stays);
            println!("go_pinned stays: {}", pinned.join().unwrap());
            let locked = gmp::go(|| {
                let _alone = gmp::lock_os_thread();
                stays()
            });
            println!("a locked one stays: {}", locked.join().unwrap());
        })
        .unwrap();

    // SAFETY: goroutines of this runtime only get and set a Cell, and hold no access to it over a suspension.
    let pinned = unsafe { gmp::Builder::new().pinned() }.procs(2).build().unwrap();
    let finished = pinned.run(|| {
        let all: Vec<_> = (0..8)
            .map(|_| {
                gmp::go(|| {
                    CALLS.set(CALLS.get() + 1);
                    stays()
                })
            })
            .collect();
        all.into_iter().all(|handle| handle.join().unwrap())
    });
    println!("all of a pinned runtime stay: {}", finished.unwrap().value);
}
