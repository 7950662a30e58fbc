//! `gmp::join`: both results, both ends, and no work of others on the caller's stack.

use borrowed::{Borrowed, TouchesLate, message};
use gmp::JoinError;
use gmp::sync::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::Duration;

mod borrowed;
mod modes;
mod told;

#[test]
fn join_gives_both_results() {
    modes::everywhere(4, || {
        fn fib(n: u32) -> u32 {
            if n < 2 {
                return n;
            }
            let (a, b) = gmp::join(|| fib(n - 1), || fib(n - 2));
            a + b
        }
        assert_eq!(fib(9), 34);
        let text = String::from("ab");
        assert_eq!(gmp::join(|| &text[..1], || text[1..].to_owned()), ("a", "b".to_owned()));
    });
}

#[test]
fn join_waits_for_both_before_a_panic_goes_on() {
    modes::everywhere(3, || {
        for both in [false, true] {
            let borrowed = Borrowed::new();
            let caught = catch_unwind(AssertUnwindSafe(|| {
                gmp::join(
                    || -> () { resume_unwind(Box::new("a")) },
                    || {
                        gmp::sleep(Duration::from_millis(1));
                        borrowed.touch();
                        if both {
                            resume_unwind(Box::new("b"));
                        }
                        TouchesLate(&borrowed)
                    },
                );
            }));
            assert_eq!(message(caught.unwrap_err().as_ref()), "a");
            assert_eq!(borrowed.uses.load(SeqCst), if both { 1 } else { 2 });
        }
        let borrowed = Borrowed::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::join(|| TouchesLate(&borrowed), || -> () { resume_unwind(Box::new("b")) });
        }));
        assert_eq!(message(caught.unwrap_err().as_ref()), "b");
        assert_eq!(borrowed.uses.load(SeqCst), 1);
        let exits = gmp::go(|| gmp::join(|| (), || -> u32 { gmp::exit() }));
        assert!(matches!(exits.join(), Err(JoinError::Exited)));
    });
}

/// rayon#592: a lock is held across a parallel call, and the thread that waits inside the call takes up other work,
/// which wants the lock. Here a goroutine that waits does nothing else, and others wait for the lock on stacks of their
/// own.
#[test]
fn a_lock_held_across_join_is_no_deadlock() {
    modes::everywhere(2, || {
        let done = Mutex::new(0);
        gmp::scope(|s| {
            for _ in 0..40 {
                s.go(|| {
                    let mut done = done.lock();
                    let (a, b) = gmp::join(
                        || (0..50).inspect(|_| gmp::yield_now()).sum::<u32>(),
                        || (50..100).inspect(|_| gmp::yield_now()).sum::<u32>(),
                    );
                    assert_eq!(a + b, 4950);
                    *done += 1;
                });
            }
        });
        assert_eq!(done.into_inner(), 40);
    });
}

fn me() -> u64 {
    gmp::current().unwrap().number
}

/// Without a thief and without a suspension both halves are calls, the first one first.
#[test]
fn halves_that_nobody_takes_are_called_here() {
    modes::everywhere(1, || {
        let before = gmp::stats().spawned;
        let order = AtomicUsize::new(0);
        let (a, b) = gmp::join(|| (me(), order.fetch_add(1, SeqCst)), || (me(), order.fetch_add(1, SeqCst)));
        assert_eq!((a, b), ((me(), 0), (me(), 1)));
        assert_eq!(gmp::stats().spawned, before);
    });
}

/// The first half waits for what the second one does, so that has to run meanwhile, however deep it lies.
#[test]
fn a_half_that_suspends_leaves_goroutines_behind() {
    modes::everywhere(1, || {
        let (sender, receiver) = gmp::chan::<u64>(0);
        let (outer, inner) = (sender.clone(), sender);
        let ((sum, _), _) = gmp::join(
            || {
                gmp::join(
                    || receiver.recv().unwrap() + receiver.recv().unwrap(),
                    || inner.send(me()).unwrap(),
                )
            },
            || outer.send(me()).unwrap(),
        );
        // Two goroutines, neither of them the caller.
        assert!(sum > 2 * me() + 2, "{sum}");
    });
}

/// The names of the ways to suspend, each in the first half.
#[test]
fn every_way_to_suspend_leaves_goroutines_behind() {
    modes::everywhere(1, || {
        let ways: [fn(&AtomicBool); 5] = [
            |done| {
                while !done.load(SeqCst) {
                    gmp::yield_now();
                }
            },
            |_| gmp::sleep(Duration::from_millis(1)),
            |_| gmp::blocking(|| std::thread::sleep(Duration::from_millis(1))),
            |done| {
                gmp::blocking(|| {
                    while !done.load(SeqCst) {
                        std::thread::yield_now();
                    }
                })
            },
            |_| drop(gmp::go(|| ()).join()),
        ];
        for way in ways {
            let done = AtomicBool::new(false);
            let (_, second) = gmp::join(
                || way(&done),
                || {
                    done.store(true, SeqCst);
                    me()
                },
            );
            assert!(done.load(SeqCst));
            assert_ne!(second, me());
        }
    });
}

/// Inside `blocking` there is no P whose thieves could look: the second half is spawned.
#[test]
fn join_inside_blocking() {
    modes::everywhere(2, || {
        let (a, b) = gmp::blocking(|| gmp::join(|| fib(8), || fib(9)));
        assert_eq!((a, b), (21, 34));
    });
}

fn fib(n: u32) -> u32 {
    if n < 2 {
        return n;
    }
    let (a, b) = gmp::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// An idle P takes the second half while the first one computes, and inherits what a goroutine inherits.
#[test]
fn an_idle_p_takes_the_second_half() {
    modes::everywhere(2, || {
        let labelled = gmp::spawn().name("divider").label("tree", "left").go(|| {
            let taken = AtomicBool::new(false);
            let (first, second) = gmp::join(
                || {
                    while !taken.load(SeqCst) {
                        std::hint::spin_loop();
                    }
                    me()
                },
                || {
                    taken.store(true, SeqCst);
                    let second = gmp::current().unwrap();
                    (second.number, second.parent, second.labels, second.name)
                },
            );
            assert_ne!(first, second.0);
            assert_eq!(first, second.1);
            assert_eq!(second.2[..], [("tree".to_owned(), "left".to_owned())]);
            assert_eq!(second.3, None);
        });
        labelled.unwrap().join().unwrap();
    });
}

/// Deeper than there is room for jobs: the rest is spawned.
#[test]
fn joins_nested_deeper_than_there_is_room() {
    modes::everywhere(2, || {
        fn down(n: u32) -> u32 {
            if n == 0 {
                return 0;
            }
            let (a, b) = gmp::join(|| down(n - 1), || 1);
            a + b
        }
        assert_eq!(down(300), 300);
        let (slept, one) = gmp::join(
            || {
                gmp::sleep(Duration::from_millis(1));
                down(100)
            },
            || 1,
        );
        assert_eq!(slept + one, 101);
    });
}

/// A panic, or an exit, of the first half while the second one is still to be called, and of a second one called here.
#[test]
fn panics_and_exits_of_halves_called_here() {
    modes::everywhere(1, || {
        let calls = AtomicUsize::new(0);
        let count = || calls.fetch_add(1, SeqCst);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::join(|| -> () { resume_unwind(Box::new("a")) }, count);
        }));
        assert_eq!(message(caught.unwrap_err().as_ref()), "a");
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::join(
                || -> () { resume_unwind(Box::new("a")) },
                || -> () {
                    count();
                    resume_unwind(Box::new("b"))
                },
            );
        }));
        assert_eq!(message(caught.unwrap_err().as_ref()), "a");
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::join(count, || -> () { resume_unwind(Box::new("b")) });
        }));
        assert_eq!(message(caught.unwrap_err().as_ref()), "b");
        assert_eq!(calls.load(SeqCst), 3);
        let exits = gmp::go(|| gmp::join(|| -> u32 { gmp::exit() }, || ()));
        assert!(matches!(exits.join(), Err(JoinError::Exited)));
        let exits = gmp::go(|| gmp::join(|| (), || -> u32 { gmp::exit() }));
        assert!(matches!(exits.join(), Err(JoinError::Exited)));
    });
}

/// A runtime that closes unwinds a first half that waits; the second one is dropped, or has run, but is not lost.
#[test]
fn a_closing_runtime_ends_joins() {
    for _ in 0..20 {
        let finished = modes::builder().procs(2).build().unwrap().run(|| {
            for _ in 0..8 {
                drop(gmp::go(|| gmp::join(gmp::park, gmp::park)));
                drop(gmp::go(|| gmp::join(|| fib(12), gmp::park)));
            }
            gmp::sleep(Duration::from_millis(1));
        });
        assert!(finished.is_ok());
    }
}

/// What one node of a random tree does beside its halves.
fn act(random: u64, done: &AtomicU64) {
    match random % 16 {
        0 => gmp::yield_now(),
        1 => gmp::blocking(std::thread::yield_now),
        2 => drop(gmp::go(|| ()).join()),
        3 => gmp::sleep(Duration::from_micros(50)),
        4 => _ = catch_unwind(|| gmp::join(|| -> () { resume_unwind(Box::new("a")) }, || ())),
        _ => {}
    }
    done.fetch_add(1, SeqCst);
}

fn grow(depth: u32, mut random: u64, done: &AtomicU64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    act(random, done);
    if depth == 0 {
        return 1;
    }
    let skewed = depth - 1 - u32::from(random & 64 != 0 && depth > 1);
    let (a, b) = gmp::join(|| grow(depth - 1, random, done), || grow(skewed, !random, done));
    act(random >> 8, done);
    a + b
}

/// Random trees whose nodes suspend, block, spawn and panic, on several goroutines at once: each half is called once.
#[test]
fn trees_of_joins_that_do_everything() {
    modes::everywhere(4, || {
        for seed in 1..6u64 {
            let done = AtomicU64::new(0);
            let trees: u64 = gmp::scope(|s| {
                let trees: Vec<_> = (0..4)
                    .map(|at| {
                        s.go({
                            let done = &done;
                            move || grow(7, seed << 32 | (at * 7 + 1), done)
                        })
                    })
                    .collect();
                trees.into_iter().map(|tree| tree.join().unwrap()).sum()
            });
            // A node with halves acts twice, a leaf once.
            assert_eq!(done.load(SeqCst), trees + 2 * (trees - 4));
        }
    });
}
