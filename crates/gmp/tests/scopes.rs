//! Scopes: borrows end before their owners do, whatever happens to closures, children and handles.

use borrowed::{Borrowed, Counted, TouchesLate, message};
use gmp::JoinError;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

mod borrowed;
mod modes;
mod told;

#[test]
fn children_borrow_and_are_waited_for() {
    modes::everywhere(4, || {
        let mut numbers = [0_u32; 64];
        gmp::scope(|s| {
            for (i, number) in numbers.iter_mut().enumerate() {
                s.go(move || {
                    gmp::yield_now();
                    *number = i as u32;
                });
            }
        });
        assert!(numbers.iter().enumerate().all(|(i, &number)| i as u32 == number));
    });
}

#[test]
fn handles_give_results_of_every_kind() {
    modes::everywhere(3, || {
        let text = String::from("goroutine");
        gmp::scope(|s| {
            let plain = s.go(|| text.len());
            let borrowed = s.go(|| &text[2..]);
            let owned = s.go(|| text.to_uppercase());
            let large = s.go(|| [text.len(); 40]);
            assert_eq!(plain.join().unwrap(), 9);
            assert_eq!(borrowed.join().unwrap(), "routine");
            assert_eq!(owned.join().unwrap(), "GOROUTINE");
            assert_eq!(large.join().unwrap(), [9; 40]);
        });
    });
}

#[test]
fn children_start_siblings_and_scopes_nest() {
    modes::everywhere(4, || {
        let borrowed = Borrowed::new();
        gmp::scope(|s| {
            s.go(|| {
                s.go(|| {
                    gmp::yield_now();
                    borrowed.touch();
                });
                let inner = Borrowed::new();
                gmp::scope(|t| {
                    for _ in 0..4 {
                        t.go(|| (inner.touch(), borrowed.touch()));
                    }
                    // Started in the outer scope by a child of the inner one.
                    t.go(|| s.go(|| borrowed.touch()));
                });
                assert_eq!(inner.uses.load(SeqCst), 4);
            });
        });
        assert_eq!(borrowed.uses.load(SeqCst), 6);
    });
}

#[test]
fn leaked_handles_change_nothing() {
    modes::everywhere(3, || {
        let borrowed = Borrowed::new();
        gmp::scope(|s| {
            for _ in 0..8 {
                std::mem::forget(s.go(|| {
                    gmp::sleep(Duration::from_micros(200));
                    borrowed.touch();
                }));
                // With a result that has a destructor, too: it is leaked with the handle.
                std::mem::forget(s.go(|| {
                    gmp::yield_now();
                    borrowed.touch();
                    Box::new(7)
                }));
            }
        });
        assert_eq!(borrowed.uses.load(SeqCst), 16);
    });
}

#[test]
fn results_that_nobody_takes_are_dropped_within_the_scope() {
    modes::everywhere(4, || {
        for round in 0..100 {
            let borrowed = Borrowed::new();
            gmp::scope(|s| {
                for i in 0..4 {
                    let handle = s.go(|| TouchesLate(&borrowed));
                    if (round + i) % 2 == 0 {
                        // Dropped before, while, or after the child ends.
                        gmp::yield_now();
                    }
                    drop(handle);
                }
                // One handle moves into another child.
                let handle = s.go(|| TouchesLate(&borrowed));
                s.go(move || drop(handle));
            });
            assert_eq!(borrowed.uses.load(SeqCst), 5);
        }
    });
}

#[test]
fn a_panicking_closure_waits_for_its_children() {
    modes::everywhere(3, || {
        let borrowed = Borrowed::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::scope(|s| {
                for _ in 0..4 {
                    s.go(|| {
                        gmp::sleep(Duration::from_millis(1));
                        borrowed.touch();
                    });
                }
                resume_unwind(Box::new("the closure's own"));
            })
        }));
        assert_eq!(message(caught.unwrap_err().as_ref()), "the closure's own");
        assert_eq!(borrowed.uses.load(SeqCst), 4);
    });
}

#[test]
fn a_childs_panic_is_the_scopes_unless_it_is_joined() {
    modes::everywhere(2, || {
        let borrowed = Borrowed::new();
        gmp::scope(|s| {
            let handle = s.go(|| -> u32 {
                borrowed.touch();
                resume_unwind(Box::new("a child's"))
            });
            match handle.join() {
                Err(JoinError::Panicked(payload)) => {
                    assert_eq!(message(payload.into_inner().as_ref()), "a child's")
                }
                other => panic!("{other:?}"),
            }
        });
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::scope(|s| {
                s.go(|| resume_unwind(Box::new(())));
                s.go(|| {
                    gmp::sleep(Duration::from_millis(1));
                    borrowed.touch();
                });
            })
        }));
        assert!(message(caught.unwrap_err().as_ref()).contains("its panic was not joined"));
        assert_eq!(borrowed.uses.load(SeqCst), 2);
    });
}

/// A panic of a result's destructor on the child's stack is the child's panic.
#[test]
fn a_lost_result_that_panics_in_its_destructor_is_reported() {
    struct Bad;
    impl Drop for Bad {
        fn drop(&mut self) {
            resume_unwind(Box::new("dropped badly"));
        }
    }
    modes::everywhere(2, || {
        let go_on = AtomicBool::new(false);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::scope(|s| {
                drop(s.go(|| {
                    while !go_on.load(SeqCst) {
                        gmp::sleep(Duration::from_micros(100));
                    }
                    Bad
                }));
                go_on.store(true, SeqCst);
            })
        }));
        assert!(message(caught.unwrap_err().as_ref()).contains("its panic was not joined"));
    });
}

#[test]
fn exit_in_closure_and_children() {
    modes::everywhere(3, || {
        let borrowed = Arc::new(Borrowed::new());
        let inner = borrowed.clone();
        let exits = gmp::go(move || {
            let here = Borrowed::new();
            gmp::scope(|s| {
                s.go(|| {
                    gmp::sleep(Duration::from_millis(1));
                    here.touch();
                    inner.touch();
                });
                gmp::exit()
            })
        });
        assert!(matches!(exits.join(), Err(JoinError::Exited)));
        assert_eq!(borrowed.uses.load(SeqCst), 1);
        gmp::scope(|s| {
            let child = s.go(|| -> u32 { gmp::exit() });
            assert!(matches!(child.join(), Err(JoinError::Exited)));
            s.go(|| -> u32 { gmp::exit() });
        });
    });
}

/// Work that was not done is not passed over in silence.
#[test]
fn a_child_that_gets_no_stack() {
    modes::on_stacks(2, || {
        let impossible = || gmp::spawn().stack_size(1 << 50);
        let borrowed = Borrowed::new();
        gmp::scope(|s| {
            let child = impossible().go_in(s, || borrowed.touch());
            assert!(matches!(child.join(), Err(JoinError::OutOfStacks)));
        });
        let caught = catch_unwind(AssertUnwindSafe(|| {
            gmp::scope(|s| {
                impossible().go_in(s, || borrowed.touch());
            })
        }));
        assert!(message(caught.unwrap_err().as_ref()).contains("never ran"));
        assert_eq!(borrowed.uses.load(SeqCst), 0);
    });
}

#[test]
fn names_and_labels_in_scopes() {
    modes::on_go(2, || {
        let expected = String::from("worker");
        gmp::scope(|s| {
            let child = gmp::spawn().name("worker").go_in(s, || {
                assert_eq!(gmp::current().unwrap().name.as_deref(), Some(&*expected));
            });
            child.join().unwrap();
        });
    });
}

#[test]
#[should_panic(expected = "gmp::scope was called outside a goroutine")]
fn plain_threads_have_no_scopes() {
    gmp::scope(|_| ());
}

/// A plain thread may join a child; it may not start one, for nobody would wait for what it starts.
#[test]
fn plain_threads_inside_a_scope() {
    modes::on_go(2, || {
        gmp::scope(|s| {
            let child = s.go(|| 7);
            gmp::blocking(|| {
                std::thread::scope(|threads| {
                    let joined = threads.spawn(|| child.join().unwrap());
                    assert_eq!(joined.join().unwrap(), 7);
                    let refused = threads.spawn(|| catch_unwind(AssertUnwindSafe(|| s.go(|| ()))).is_err());
                    assert!(refused.join().unwrap());
                });
            });
        });
    });
}

#[test]
fn everything_is_dropped_once() {
    modes::everywhere(4, || {
        let count = Arc::new(AtomicUsize::new(0));
        gmp::scope(|s| {
            for i in 0..60_u32 {
                let (captured, result) = (Counted::new(&count), Counted::new(&count));
                let handle = s.go(move || {
                    let _captured = captured;
                    if i.is_multiple_of(5) {
                        gmp::exit();
                    }
                    if i.is_multiple_of(7) {
                        gmp::yield_now();
                    }
                    result
                });
                if i.is_multiple_of(3) {
                    drop(handle.join());
                }
            }
        });
        assert_eq!(count.load(SeqCst), 0);
    });
}
