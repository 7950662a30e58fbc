//! A runtime that closes while goroutines of every kind are on their way: each handle that a plain thread holds gets an
//! answer, and `run` returns.

mod told;

use gmp::{AtMainReturn, Builder, DeadlockRule, JoinError, JoinHandle};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

fn runtime(round: u64, at_main_return: AtMainReturn) -> gmp::Runtime {
    let builder = told::moving(Builder::new());
    let builder = builder.procs(1 + round as usize % 3).seed(round).deadlock(DeadlockRule::Never);
    builder.at_main_return(at_main_return).build().unwrap()
}

/// Runs `work` many times over in a runtime that closes after a moment that differs from round to round, and waits for
/// each from a plain thread.
fn each_handle_gets_an_answer(rounds: u64, work: fn(u64)) {
    for round in 0..rounds {
        let leaks = round.is_multiple_of(2);
        let runtime = runtime(round, if leaks { AtMainReturn::Leak } else { AtMainReturn::Unwind });
        let handle = runtime.handle();
        let spawned: Vec<JoinHandle<()>> =
            (0..16).map(|i| handle.go(move || (0..50).for_each(|_| work(i))).unwrap()).collect();
        runtime.run(move || gmp::sleep(Duration::from_micros(1 + round * 37 % 700))).unwrap();
        for goroutine in spawned {
            assert!(matches!(goroutine.join(), Ok(()) | Err(JoinError::Abandoned | JoinError::Exited)));
        }
    }
}

/// A locked goroutine was found runnable by another M at the moment at which its own M ended: the P and the goroutine
/// that were handed over were lost, and whoever waited for the goroutine waited for ever.
#[test]
fn locked_goroutines_are_not_lost() {
    each_handle_gets_an_answer(400, |_| {
        let _lock = gmp::lock_os_thread();
        gmp::yield_now();
    });
}

/// A closing runtime does not stop its world any more: whoever asked for that asked for ever, and `run` did not return.
#[test]
fn a_resize_does_not_ask_for_ever() {
    each_handle_gets_an_answer(400, |i| {
        gmp::set_max_procs(1 + i as usize % 4);
        gmp::blocking(|| gmp::yield_now());
    });
}

/// Counts its drops; a drop suspends first.
struct Slow(Arc<AtomicUsize>);

impl Drop for Slow {
    fn drop(&mut self) {
        gmp::yield_now();
        self.0.fetch_add(1, Relaxed);
    }
}

/// A goroutine whose result nobody wants has ended before its destructor runs. A `run` that looked in between, from
/// another M, saw nobody left, and returned too early.
#[test]
fn waiting_covers_the_destructors_of_unwanted_results() {
    for round in 0..600 {
        let dropped = Arc::new(AtomicUsize::new(0));
        let counted = dropped.clone();
        let main = move || {
            for _ in 0..8 {
                let result = Slow(counted.clone());
                drop(gmp::go(move || result));
            }
        };
        let left = runtime(round, AtMainReturn::Wait).run(main).unwrap().left;
        assert_eq!((left, dropped.load(Relaxed)), (gmp::Leftover::default(), 8));
    }
}
