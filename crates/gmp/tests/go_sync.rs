//! Go's tests of `sync`, ported: mutexes, wait groups, and what is done once. Those of `Cond` are in `go_cond.rs`.
//!
//! Ported from mutex_test.go, rwmutex_test.go, waitgroup_test.go, once_test.go and oncefunc_test.go of Go 1.27; see
//! LICENSE-THIRD-PARTY. Each is named after Go's. Left out: what guards and types make impossible (unlocking what is not
//! locked, copies, alignment, `RLocker`).

mod told;

use gmp::sync::{Lazy, Mutex, Once, OnceCell, RwLock, Semaphore, WaitGroup};
use gmp::{Builder, chan};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

/// Calls `f` in this many goroutines, and waits for them.
fn in_each_of(goroutines: usize, f: impl Fn(usize) + Send + Sync + 'static) {
    let f = Arc::new(f);
    let all = (0..goroutines).map(|i| {
        let f = f.clone();
        gmp::go(move || f(i))
    });
    for one in all.collect::<Vec<_>>() {
        one.join().unwrap();
    }
}

#[test]
fn test_semaphore() {
    for procs in [1, 4] {
        run(procs, || {
            let (semaphore, inside) = (Semaphore::new(1), AtomicUsize::new(0));
            in_each_of(10, move |_| {
                for _ in 0..1000 {
                    let permit = semaphore.acquire();
                    assert_eq!(inside.fetch_add(1, Relaxed), 0);
                    inside.fetch_sub(1, Relaxed);
                    drop(permit);
                }
            });
        });
    }
}

#[test]
fn test_mutex() {
    for procs in [1, 2, 4] {
        let total = run(procs, || {
            let mutex = Arc::new(Mutex::new(0_u64));
            let held = mutex.lock();
            assert!(mutex.try_lock().is_none());
            held.unlock();
            drop(mutex.try_lock().expect("it is free"));
            let tried = Arc::new(AtomicUsize::new(0));
            let (shared, hits) = (mutex.clone(), tried.clone());
            in_each_of(10, move |_| {
                for i in 0..1000 {
                    if i % 3 != 0 {
                        let mut value = shared.lock();
                        *value += 1;
                        value.unlock();
                    } else if let Some(mut value) = shared.try_lock() {
                        *value += 1;
                        hits.fetch_add(1, Relaxed);
                    }
                }
            });
            *mutex.lock() - tried.load(Relaxed) as u64
        });
        assert_eq!(total, 6660);
    }
}

/// A goroutine that always has the mutex lets another one have it ten times within ten seconds.
#[test]
fn test_mutex_fairness() {
    for procs in [1, 2, 4] {
        let in_time = run(procs, || {
            let mutex = Arc::new(Mutex::new(()));
            let (stop, stopped) = chan::<()>(0);
            let hog = gmp::go({
                let mutex = mutex.clone();
                move || {
                    loop {
                        let held = mutex.lock();
                        gmp::sleep(Duration::from_micros(100));
                        held.unlock();
                        if stopped.is_closed() {
                            return;
                        }
                    }
                }
            });
            let (done, is_done) = chan(1);
            gmp::go(move || {
                for _ in 0..10 {
                    gmp::sleep(Duration::from_micros(100));
                    drop(mutex.lock());
                }
                done.send(()).unwrap();
            });
            let in_time = is_done.recv_timeout(Duration::from_secs(10)).is_ok();
            stop.close();
            hog.join().unwrap();
            in_time
        });
        assert!(in_time, "the mutex could not be had in 10 s on {procs} Ps");
    }
}

#[test]
fn test_parallel_readers() {
    for (readers, procs) in [(1, 4), (3, 4), (4, 2)] {
        run(procs, move || {
            let lock = Arc::new(RwLock::new(()));
            let ((locked, is_locked), (unlock, may_unlock)) = (chan(0), chan(0));
            let all: Vec<_> = (0..readers)
                .map(|_| {
                    let (lock, locked, may_unlock) = (lock.clone(), locked.clone(), may_unlock.clone());
                    gmp::go(move || {
                        let guard = lock.read();
                        locked.send(()).unwrap();
                        may_unlock.recv().unwrap();
                        drop(guard);
                    })
                })
                .collect();
            // They all read at the same time, or this waits for ever.
            (0..readers).for_each(|_| is_locked.recv().unwrap());
            (0..readers).for_each(|_| unlock.send(()).unwrap());
            all.into_iter().for_each(|one| one.join().unwrap());
            assert!(lock.try_write().is_some());
        });
    }
}

fn hammer_rw_lock(procs: usize, readers: usize, times: usize) {
    run(procs, move || {
        // Readers, and writers ten thousandfold.
        let (lock, activity) = (RwLock::new(()), AtomicI32::new(0));
        in_each_of(readers + 2, move |i| {
            let writes = i == 0 || i == readers / 2 + 1;
            for _ in 0..times {
                if writes {
                    let guard = lock.write();
                    assert_eq!(activity.fetch_add(10_000, Relaxed), 0);
                    (0..100).for_each(|_| std::hint::spin_loop());
                    activity.fetch_sub(10_000, Relaxed);
                    guard.unlock();
                } else {
                    let _guard = lock.read();
                    assert!((0..9_999).contains(&activity.fetch_add(1, Relaxed)));
                    (0..100).for_each(|_| std::hint::spin_loop());
                    activity.fetch_sub(1, Relaxed);
                }
            }
        });
    });
}

#[test]
fn test_rw_mutex() {
    let lock = RwLock::new(());
    let writer = lock.write();
    assert!(lock.try_write().is_none());
    assert!(lock.try_read().is_none());
    drop(writer);
    drop(lock.try_write().expect("it is free"));
    let readers = [lock.try_read(), lock.try_read()].map(|reader| reader.expect("nobody writes"));
    assert!(lock.try_write().is_none());
    drop(readers);
    assert!(lock.try_write().is_some());
    for procs in [1, 4, 10] {
        for readers in [1, 3, 10] {
            hammer_rw_lock(procs, readers, 300);
        }
    }
    hammer_rw_lock(10, 5, 300);
}

fn wait_group(first: &WaitGroup, second: &WaitGroup) {
    const N: usize = 16;
    first.add(N);
    second.add(N);
    let (exited, exits) = chan(N);
    for _ in 0..N {
        let (first, second, exited) = (first.clone(), second.clone(), exited.clone());
        gmp::go(move || {
            first.done();
            second.wait();
            exited.send(()).unwrap();
        });
    }
    first.wait();
    for _ in 0..N {
        assert!(exits.try_recv().is_err(), "released too soon");
        second.done();
    }
    (0..N).for_each(|_| exits.recv().unwrap());
}

#[test]
fn test_wait_group() {
    for procs in [1, 4] {
        run(procs, || {
            let (first, second) = (WaitGroup::new(), WaitGroup::new());
            (0..8).for_each(|_| wait_group(&first, &second));
        });
    }
}

#[test]
#[should_panic(expected = "negative counter")]
fn test_wait_group_misuse() {
    let group = WaitGroup::new();
    group.add(1);
    group.done();
    group.done();
}

#[test]
fn test_wait_group_race() {
    run(4, || {
        for _ in 0..1000 {
            let (group, n) = (WaitGroup::new(), Arc::new(AtomicI32::new(0)));
            for _ in 0..2 {
                let n = n.clone();
                group.add(1);
                let group = group.clone();
                gmp::go(move || {
                    n.fetch_add(1, Relaxed);
                    group.done();
                });
            }
            group.wait();
            assert_eq!(n.load(Relaxed), 2, "woken too soon");
        }
    });
}

#[test]
fn test_wait_group_go() {
    run(2, || {
        let (group, n) = (WaitGroup::new(), Arc::new(Mutex::new(0)));
        let shared = n.clone();
        group.go(move || *shared.lock() += 1);
        group.wait();
        assert_eq!(*n.lock(), 1);
    });
}

#[test]
fn test_once() {
    for procs in [1, 4] {
        run(procs, || {
            let (once, times) = (Arc::new(Once::new()), Arc::new(Mutex::new(0)));
            let shared = (once.clone(), times.clone());
            in_each_of(10, move |_| {
                let (once, times) = &shared;
                once.call_once(|| *times.lock() += 1);
                assert_eq!(*times.lock(), 1);
            });
            assert!(once.is_completed());
            assert_eq!(*times.lock(), 1);
        });
    }
}

#[test]
fn test_once_panic() {
    let once = Once::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("failed"))));
    assert!(panicked.is_err());
    once.call_once(|| panic!("called twice"));
}

#[test]
fn test_once_value() {
    run(2, || {
        let made = Arc::new(AtomicUsize::new(0));
        let count = made.clone();
        let value = Lazy::new(move || {
            gmp::yield_now();
            count.fetch_add(1, Relaxed) + 1
        });
        in_each_of(10, move |_| assert_eq!(*value, 1));
        assert_eq!(made.load(Relaxed), 1);
    });
}

/// A panic reaches the caller that made it, and everybody who asks later.
#[test]
fn test_once_value_panic() {
    let made = AtomicUsize::new(0);
    let value: Lazy<(), _> = Lazy::new(|| {
        made.fetch_add(1, Relaxed);
        panic!("x")
    });
    for _ in 0..5 {
        assert!(catch_unwind(AssertUnwindSafe(|| *value)).is_err());
    }
    assert_eq!(made.load(Relaxed), 1);
}

/// Unlike Go's: a cell whose maker panicked is empty, and the next one makes the value.
#[test]
fn a_cell_whose_maker_panicked_is_empty() {
    let cell = OnceCell::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| *cell.get_or_init(|| panic!("x"))));
    assert!(panicked.is_err());
    assert_eq!(cell.get(), None);
    assert_eq!(*cell.get_or_init(|| 7), 7);
}

/// `exit` in the function counts as done, and ends the goroutine only.
#[test]
fn test_once_func_goexit() {
    run(1, || {
        let once = Arc::new(Once::new());
        let shared = once.clone();
        let ended = gmp::go(move || shared.call_once(|| gmp::exit())).join();
        assert!(matches!(ended, Err(gmp::JoinError::Exited)));
        assert!(once.is_completed());
    });
}
