//! The fault: if the system refused something only for a moment, goroutines waited for it until another goroutine
//! ended, perhaps for ever, or the whole runtime ended. The soak with faults found both.
//!
//! The kind: pressure that ends. Whoever waits for what was refused has it soon afterwards, whatever the others do.

use super::refusals::{no_limit, no_more_threads};
use super::undeclared_blocking::one_p;
use crate::harness::{child, named};
use gmp::{Finished, RunError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        who_waits_for_a_stack_has_it_though_nobody_ends,
        the_first_thread_may_be_refused_for_a_moment,
        a_thread_may_be_refused_for_a_moment,
        a_reserve_that_blocks_gives_way_to_a_thread_that_came_back,
        a_timer_of_a_p_without_a_thread_goes_off,
    ],
    named![
        stacks_come_back,
        first_thread_comes_late,
        another_thread_comes_late,
        reserve_blocks,
        unwatched_timer
    ],
);

const MS: Duration = Duration::from_millis(1);

/// Main only sleeps and looks, so there is always a timer, and no goroutine ends.
fn stacks_come_back() {
    const MANY: usize = 40;
    let finished = one_p().build().unwrap().run(|| {
        gmp::sleep(MS);
        no_more_threads();
        let ran = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..MANY)
            .map(|_| {
                let ran = Arc::clone(&ran);
                let goes_on = move || {
                    ran.fetch_add(1, Relaxed);
                    gmp::park();
                };
                gmp::spawn().stack_size(4 << 20).go(goes_on).unwrap()
            })
            .collect();
        (0..30).for_each(|_| gmp::sleep(MS));
        assert_eq!(ran.load(Relaxed), 0);
        no_limit();
        while ran.load(Relaxed) < MANY {
            gmp::sleep(MS);
        }
        all.len()
    });
    println!("{}", finished.unwrap().value);
}

fn who_waits_for_a_stack_has_it_though_nobody_ends() {
    child("stacks_come_back").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("40\n");
}

/// Prints what `run` returns. The pressure ends a little later than `run` calls the function that it gets, by a thread that
/// is there already. On a busy machine that may be later than the runtime waits for; then `run` may be refused, and begins
/// anew.
fn under_short_pressure(run: impl Fn(Box<dyn FnOnce() + Send>) -> Result<Finished<u32>, RunError>) {
    loop {
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let ends = std::thread::spawn(move || {
            told.recv().unwrap();
            let began = Instant::now();
            std::thread::sleep(30 * MS);
            no_limit();
            began.elapsed() < 100 * MS
        });
        let finished = run(Box::new(move || tell.send(()).unwrap()));
        match (finished, ends.join().unwrap()) {
            (Ok(finished), _) => return println!("{}", finished.value),
            (Err(RunError::Os(_)), false) => {}
            (Err(error), _) => panic!("{error}"),
        }
    }
}

/// m0 leaves its P to a thread that cannot be made yet.
fn first_thread_comes_late() {
    under_short_pressure(|end_soon| {
        one_p().build().unwrap().run(|| {
            no_more_threads();
            end_soon();
            gmp::sleep(MS);
            gmp::go(|| 7).join().unwrap()
        })
    });
}

fn the_first_thread_may_be_refused_for_a_moment() {
    child("first_thread_comes_late").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("7\n");
}

/// Main and another goroutine have locked the only two Ms, and both wait for a third goroutine, which needs another.
fn another_thread_comes_late() {
    under_short_pressure(|end_soon| {
        one_p().lock_main(true).build().unwrap().run(|| {
            let (tell, told) = gmp::chan::<u32>(0);
            let (ready, is_ready) = gmp::chan(1);
            let other = gmp::go(move || {
                let _lock = gmp::lock_os_thread();
                ready.send(()).unwrap();
                let got = told.recv().unwrap();
                got + told.recv().unwrap()
            });
            is_ready.recv().unwrap();
            no_more_threads();
            end_soon();
            let sends = gmp::go(move || [3, 4].into_iter().for_each(|n| tell.send(n).unwrap()));
            sends.join().unwrap();
            other.join().unwrap()
        })
    });
}

fn a_thread_may_be_refused_for_a_moment() {
    child("another_thread_comes_late").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("7\n");
}

/// m0 runs the others while the only other thread blocks, and blocks without a word itself when that one has come back.
fn reserve_blocks() {
    let finished = one_p().max_threads(3).build().unwrap().run(|| {
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let blocks = gmp::go(move || gmp::blocking(|| wait.recv().is_err()));
        while gmp::stats().blocked == 0 {
            gmp::sleep(MS);
        }
        let (tell, told) = std::sync::mpsc::channel();
        let waits = gmp::go(move || {
            let sends = gmp::go(move || tell.send(7));
            drop(release);
            let got = told.recv();
            sends.join().unwrap().unwrap();
            got.unwrap()
        });
        assert!(blocks.join().unwrap());
        waits.join().unwrap()
    });
    println!("{}", finished.unwrap().value);
}

fn a_reserve_that_blocks_gives_way_to_a_thread_that_came_back() {
    child("reserve_blocks").run().code(0).prints("7\n");
}

/// Main sleeps, locked, and no thread can be made for its P, on which the timer is. Then the one M that is free comes back,
/// gives its P to a locked goroutine, which waits again at once, and sleeps as an idle M: it has never had main's P.
fn unwatched_timer() {
    loop {
        match sleep_without_a_thread() {
            Ok(finished) => return println!("{}", finished.value),
            // There was no free M yet, so that nobody could run on.
            Err(RunError::Os(_)) => no_limit(),
            Err(other) => panic!("{other}"),
        }
    }
}

fn sleep_without_a_thread() -> Result<Finished<u32>, RunError> {
    one_p().procs(2).lock_main(true).build().unwrap().run(|| {
        let (tell, told) = gmp::chan::<()>(0);
        let locks = gmp::go(move || {
            let _lock = gmp::lock_os_thread();
            (told.recv(), told.recv()).1.is_err()
        });
        while gmp::stats().waiting == 0 {
            std::thread::yield_now();
        }
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if begun.recv().is_ok() {
                std::thread::sleep(50 * MS);
            }
            drop(release);
        });
        // From here on there are main's M, the locked one, and one that is free.
        no_more_threads();
        let sends = gmp::go(move || {
            let _ = gmp::blocking(|| wait.recv());
            tell.send(()).unwrap();
            tell
        });
        while gmp::stats().blocked == 0 {
            std::thread::yield_now();
        }
        begin.send(()).unwrap();
        gmp::sleep(100 * MS);
        no_limit();
        drop(sends.join().unwrap());
        assert!(locks.join().unwrap());
        7
    })
}

fn a_timer_of_a_p_without_a_thread_goes_off() {
    child("unwatched_timer").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("7\n");
}
