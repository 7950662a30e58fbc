//! Scopes in a runtime that closes under them: no frame goes while somebody borrows from it.

use borrowed::{Borrowed, Counted, TouchesLate};
use gmp::{AtMainReturn, Builder, DeadlockRule, RunError};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

mod borrowed;
mod told;

fn closing(at_main_return: AtMainReturn, procs: usize, seed: u64) -> gmp::Runtime {
    let builder = told::moving(Builder::new());
    let builder = builder.procs(procs).seed(seed).deadlock(DeadlockRule::Never);
    builder.at_main_return(at_main_return).build().unwrap()
}

/// Waits for what `run` leaves running: a goroutine that is on its way out.
#[track_caller]
fn soon(holds: impl Fn() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "never came");
        std::thread::yield_now();
    }
}

/// A tree of scopes and joins whose children are suspended, computing, or not started yet when main returns.
fn tree(depth: u32, log: &Borrowed) {
    let here = Borrowed::new();
    gmp::scope(|s| {
        for i in 0..3 {
            let late = TouchesLate(&here);
            s.go(move || {
                let late = late;
                match i {
                    0 if depth > 0 => tree(depth - 1, log),
                    1 if depth > 0 => drop(gmp::join(|| tree(depth - 1, late.0), || late.0.touch())),
                    _ => gmp::sleep(Duration::from_micros(300)),
                }
                late.0.touch();
                log.touch();
            });
        }
        gmp::yield_now();
    });
    here.touch();
}

/// A closing runtime frees no frame from which somebody still borrows; what unwinds does so from the leaves up.
/// Touching a frame that is gone ends the process.
#[test]
fn scopes_in_a_closing_runtime() {
    for round in 0..300_u64 {
        let unwinds = round.is_multiple_of(2);
        let at = if unwinds { AtMainReturn::Unwind } else { AtMainReturn::Leak };
        let log = Arc::new(Borrowed::new());
        let runtime = closing(at, 1 + round as usize % 3, round);
        runtime
            .run(move || {
                for _ in 0..4 {
                    let log = log.clone();
                    gmp::go(move || {
                        for _ in 0..20 {
                            tree(2, &log);
                        }
                    });
                }
                gmp::sleep(Duration::from_micros(1 + round * 61 % 1500));
            })
            .unwrap();
    }
}

/// The goroutine at the end of a scope is not unwound before its child, even if that computes on for a while.
#[test]
fn unwinding_waits_for_running_children() {
    static ENDED: Mutex<Vec<&str>> = Mutex::new(Vec::new());
    let runtime = closing(AtMainReturn::Unwind, 2, 1);
    let finished = runtime
        .run(|| {
            let (started, seen) = (Arc::new(AtomicBool::new(false)), ());
            let flag = started.clone();
            gmp::go(move || {
                let here = Borrowed::new();
                gmp::scope(|s| {
                    s.go(|| {
                        flag.store(true, SeqCst);
                        gmp::blocking(|| std::thread::sleep(Duration::from_millis(60)));
                        here.touch();
                        ENDED.lock().unwrap().push("child");
                    });
                });
                here.touch();
                ENDED.lock().unwrap().push("scope");
            });
            while !started.load(SeqCst) {
                gmp::sleep(Duration::from_millis(1));
            }
            seen
        })
        .unwrap();
    soon(|| ENDED.lock().unwrap().len() == 2);
    assert_eq!(*ENDED.lock().unwrap(), ["child", "scope"]);
    assert_eq!(finished.left.suspended, 0, "{:?}", finished.left);
}

/// A child that never starts: its closure is dropped before the scope is left, by an unwind as well.
#[test]
fn children_that_never_start_are_dropped_within_the_scope() {
    for procs in [1, 2] {
        let (borrows, count) = (Arc::new(Borrowed::new()), Arc::new(AtomicUsize::new(0)));
        let (theirs, counted) = (borrows.clone(), count.clone());
        let runtime = closing(AtMainReturn::Unwind, procs, 3);
        let finished = runtime.run(move || {
            let ready = Arc::new(AtomicBool::new(false));
            let flag = ready.clone();
            gmp::go(move || {
                let here = Borrowed::new();
                gmp::scope(|s| {
                    flag.store(true, SeqCst);
                    // Returns when the runtime closes, by unwinding.
                    let _late = Started {
                        run: || {
                            (0..50).for_each(|_| {
                                let late =
                                    (TouchesOnDrop(&here), TouchesOnDrop(&theirs), Counted::new(&counted));
                                s.go(move || drop(late));
                            })
                        },
                    };
                    gmp::park();
                });
            });
            while !ready.load(SeqCst) {
                gmp::yield_now();
            }
        });
        finished.unwrap();
        soon(|| borrows.uses.load(SeqCst) == 50 && count.load(SeqCst) == 0);
    }

    /// Touches what it borrows, without suspending, so that any stack will do.
    struct TouchesOnDrop<'a>(&'a Borrowed);
    impl Drop for TouchesOnDrop<'_> {
        fn drop(&mut self) {
            self.0.touch();
        }
    }

    /// Runs something when it is dropped.
    struct Started<F: Fn()> {
        run: F,
    }
    impl<F: Fn()> Drop for Started<F> {
        fn drop(&mut self) {
            (self.run)();
        }
    }
}

/// All asleep, some of them in a scope: the runtime says so and leaves their stacks alone.
#[test]
fn a_scope_can_be_part_of_a_deadlock() {
    let builder = told::moving(Builder::new());
    let runtime = builder.procs(2).deadlock(DeadlockRule::Always).build().unwrap();
    let error = runtime
        .run(|| {
            let here = Cell::new(1);
            gmp::scope(|s| {
                s.go(gmp::park);
                here.set(2);
            });
            here.get()
        })
        .unwrap_err();
    let RunError::Deadlock(report) = error else { panic!("{error}") };
    assert!(report.to_string().contains("scope"), "{report}");
    assert_eq!(report.waiting.len(), 2);
}
