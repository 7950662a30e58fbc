//! `errgroup`: the first error of several goroutines, and what becomes of the others.

use super::{Counted, closing, everywhere, until_waiting};
use gmp::context::{Context, ContextError};
use gmp::sync::errgroup::Group;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// What a panic of `wait` says.
fn panic_of<E>(group: &Group<E>) -> String {
    let payload = catch_unwind(AssertUnwindSafe(|| _ = group.wait())).unwrap_err();
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload.downcast_ref::<&str>().unwrap().to_string(),
    }
}

/// An error that cannot say what it is.
struct Speechless;

impl std::fmt::Display for Speechless {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words for it")
    }
}

/// A context's cause is made of the error's text. `wait` once said that all had gone well.
#[test]
fn an_error_whose_text_panics_is_no_success() {
    everywhere(|| {
        let (group, context) = Group::with_context(&Context::background());
        group.go(|| Err(Speechless));
        assert_eq!(panic_of(&group), "no words for it");
        assert_eq!(context.err(), Some(ContextError::Canceled));
    });
}

#[test]
fn the_first_error_is_the_groups() {
    everywhere(|| {
        for _ in 0..50 {
            let (group, ended) = (Group::new(), Arc::new(AtomicUsize::new(0)));
            assert_eq!(group.wait(), Ok(()));
            let (first, waits) = gmp::chan::<()>(0);
            for n in 1..=4 {
                let (waits, ended) = (waits.clone(), ended.clone());
                group.go(move || {
                    let _ = waits.recv();
                    ended.fetch_add(1, SeqCst);
                    if n == 2 { Ok(()) } else { Err(n) }
                });
            }
            let ended_first = ended.clone();
            group.go(move || {
                ended_first.fetch_add(1, SeqCst);
                // What comes after it is what the others wait for.
                let _first = first;
                Err(0)
            });
            let error = group.wait().unwrap_err();
            assert!([0, 1, 3, 4].contains(&error), "{error}");
            assert_eq!(ended.load(SeqCst), 5);
            // It was taken, and the group begins anew.
            assert_eq!(group.wait(), Ok(()));
            group.go(|| Err(7));
            assert_eq!(group.wait(), Err(7));
        }
    });
}

#[test]
fn the_first_error_cancels_and_is_the_cause() {
    everywhere(|| {
        for round in 0..50 {
            let (group, context) = Group::with_context(&Context::background());
            for _ in 0..3 {
                let context = context.clone();
                group.go(move || {
                    context.done().recv().unwrap_err();
                    Err("cancelled".to_owned())
                });
            }
            if round % 2 == 0 {
                until_waiting(3);
            }
            group.go(|| Err("the first".to_owned()));
            assert_eq!(group.wait(), Err("the first".to_owned()));
            assert_eq!(context.cause().unwrap().to_string(), "the first");
        }
        // Without an error the end of `wait` cancels; and so does the group's end.
        let (group, context) = Group::<String>::with_context(&Context::background());
        group.go(|| Ok(()));
        group.wait().unwrap();
        assert_eq!(context.err(), Some(ContextError::Canceled));
        let (group, context) = Group::<String>::with_context(&Context::background());
        drop(group);
        assert!(context.err().is_some());
    });
}

#[test]
fn a_panic_goes_on_in_wait() {
    everywhere(|| {
        for round in 0..50 {
            let (group, context) = Group::with_context(&Context::background());
            let ended = Arc::new(AtomicUsize::new(0));
            for _ in 0..3 {
                let (ended, context) = (ended.clone(), context.clone());
                group.go(move || {
                    context.done().recv().unwrap_err();
                    ended.fetch_add(1, SeqCst);
                    Err("an error")
                });
            }
            if round % 2 == 0 {
                until_waiting(3);
            }
            // There are two of them: one goes on in `wait`, the other is reported by its note.
            (0..2).for_each(|_| group.go(|| resume_unwind(Box::new("oh"))));
            assert_eq!(panic_of(&group), "oh");
            assert_eq!(ended.load(SeqCst), 3);
            assert!(context.err().is_some());
            assert_eq!(group.wait(), Ok(()));
        }
    });
}

#[test]
fn a_goroutine_that_exits_leaves_no_error() {
    everywhere(|| {
        let (group, context) = Group::<String>::with_context(&Context::background());
        group.go(|| gmp::exit());
        assert_eq!(group.wait(), Ok(()));
        assert!(context.err().is_some());
    });
}

#[test]
fn no_more_goroutines_than_the_limit() {
    everywhere(|| {
        let (group, now, most) = (Group::<String>::new(), Arc::new(AtomicUsize::new(0)), 3);
        group.set_limit(Some(most));
        for n in 0..60 {
            let now = now.clone();
            let work = move || {
                assert!(now.fetch_add(1, SeqCst) < most);
                gmp::yield_now();
                now.fetch_sub(1, SeqCst);
                // One that panics gives its place back, too.
                if n % 20 == 19 { resume_unwind(Box::new(format!("{n}"))) } else { Ok(()) }
            };
            if n % 3 != 0 {
                group.go(work);
            } else if let Err(work) = group.try_go(work) {
                // There are as many as may be.
                group.go(work);
            }
        }
        assert!(["19", "39", "59"].contains(&&*panic_of(&group)));
        group.set_limit(None);

        group.set_limit(Some(1));
        let (go_on, waits) = gmp::chan::<()>(0);
        group.go(move || waits.recv().map_err(|error| error.to_string()));
        assert!(group.try_go(|| Ok(())).is_err());
        let set = catch_unwind(AssertUnwindSafe(|| group.set_limit(None))).unwrap_err();
        assert!(set.downcast_ref::<String>().unwrap().contains("1 goroutines of the group have not ended"));
        go_on.send(()).unwrap();
        group.wait().unwrap();
        group.set_limit(Some(0));
        assert!(group.try_go(|| Ok(())).is_err());
    });
}

#[test]
fn goroutines_of_a_group_start_others() {
    everywhere(|| {
        fn tree(group: &Group<u32>, depth: u32, leaves: &Arc<AtomicUsize>) {
            if depth == 0 {
                leaves.fetch_add(1, SeqCst);
                return;
            }
            for _ in 0..2 {
                let (theirs, leaves) = (group.clone(), leaves.clone());
                group.go(move || {
                    tree(&theirs, depth - 1, &leaves);
                    Ok(())
                });
            }
        }
        let (group, leaves) = (Group::new(), Arc::new(AtomicUsize::new(0)));
        tree(&group, 6, &leaves);
        group.wait().unwrap();
        assert_eq!(leaves.load(SeqCst), 64);
    });
}

#[test]
fn errors_that_nobody_takes_are_dropped_where_one_may_wait() {
    everywhere(|| {
        let living = Arc::new(AtomicUsize::new(0));
        for _ in 0..50 {
            let group = Group::new();
            for n in 0..4 {
                let living = living.clone();
                group.go(move || Err(Counted::new(&living, n)));
            }
            assert!(group.wait().unwrap_err().1 < 4);
        }
        assert_eq!(living.load(SeqCst), 0);
    });
}

#[test]
fn plain_threads_wait_and_start_none() {
    everywhere(|| {
        let group = Group::new();
        let (go_on, waits) = gmp::chan::<()>(0);
        group.go(move || waits.recv().map_err(|_| "closed"));
        let theirs = group.clone();
        let thread = std::thread::spawn(move || {
            // That is a call that only a goroutine may make; it leaves nothing to wait for.
            assert!(catch_unwind(AssertUnwindSafe(|| theirs.go(|| Ok(())))).is_err());
            theirs.wait()
        });
        drop(go_on);
        assert_eq!(thread.join().unwrap(), Err("closed"));
    });
}

#[test]
fn a_runtime_that_closes_ends_groups() {
    closing(|| {
        let (group, context) = Group::<String>::with_context(&Context::background());
        group.set_limit(Some(2));
        let (kept, waits) = gmp::chan::<()>(0);
        for _ in 0..2 {
            let (waits, group) = (waits.clone(), group.clone());
            group.clone().go(move || {
                let _ = waits.recv();
                drop(group);
                Ok(())
            });
        }
        let starts = group.clone();
        gmp::go(move || starts.go(|| Ok(())));
        let ends = group.clone();
        gmp::go(move || ends.wait());
        until_waiting(4);
        std::mem::forget((kept, context));
    });
}

#[test]
fn a_wait_that_times_out_takes_nothing() {
    everywhere(|| {
        let (group, context) = Group::with_context(&Context::background());
        let (go_on, waits) = gmp::chan::<()>(0);
        for n in 0..3 {
            let waits = waits.clone();
            group.go(move || match waits.recv() {
                Ok(()) => Ok(()),
                Err(_) => Err(format!("{n}")),
            });
        }
        assert_eq!(group.wait_timeout(Duration::from_millis(1)), None);
        assert_eq!(group.wait_deadline(Instant::now()), None);
        assert!(context.err().is_none(), "those who work on are not cancelled");
        drop(go_on);
        let error = group.wait_timeout(Duration::from_secs(60)).unwrap().unwrap_err();
        assert!(["0", "1", "2"].contains(&error.as_str()), "{error}");
        assert_eq!(context.err(), Some(ContextError::Canceled));
        assert_eq!(group.wait_timeout(Duration::ZERO), Some(Ok(())));
        group.go(|| resume_unwind(Box::new("oh")));
        let far = Instant::now() + Duration::from_secs(60);
        assert!(catch_unwind(AssertUnwindSafe(|| group.wait_deadline(far))).is_err());
    });
}
