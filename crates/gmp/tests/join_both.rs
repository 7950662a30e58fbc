//! `gmp::join`: both results, both ends, and no work of others on the caller's stack.

use borrowed::{Borrowed, TouchesLate, message};
use gmp::JoinError;
use gmp::sync::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
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
/// which wants the lock. Here who waits does nothing else, and others wait for the lock on stacks of their own.
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
