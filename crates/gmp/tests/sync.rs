//! Mutexes and their kin: deadlines, plain threads beside goroutines, a runtime that closes, and order.

mod told;

use gmp::sync::{Barrier, Cond, Mutex, RwLock, Semaphore, WaitGroup};
use gmp::{AtMainReturn, Builder, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(5);

fn builder(procs: usize) -> Builder {
    told::moving(Builder::new()).procs(procs)
}

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    builder(procs).build().unwrap().run(main).unwrap().value
}

/// Runs six goroutines that do the same work, each with its number.
fn run_six<N: From<u8> + Send + 'static>(procs: usize, work: impl Fn(N) + Clone + Send + 'static) {
    run(procs, move || {
        let all: Vec<_> = (0..6_u8)
            .map(|i| {
                let work = work.clone();
                gmp::go(move || work(i.into()))
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Goroutines and plain threads add to one number, some with deadlines; all that came in time is there.
#[test]
fn goroutines_and_threads_share_a_mutex() {
    for procs in [1, 2, 4] {
        let (count, in_time) = (Arc::new(Mutex::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = {
            let (count, in_time) = (count.clone(), in_time.clone());
            move |i: usize| {
                for n in 0..500 {
                    let guard = match (i + n) % 3 {
                        0 => count.lock_timeout(Duration::from_micros(20)),
                        _ => Some(count.lock()),
                    };
                    let Some(mut guard) = guard else { continue };
                    *guard += 1;
                    in_time.fetch_add(1, SeqCst);
                    if n % 2 == 0 {
                        guard.unlock()
                    }
                }
            }
        };
        let threads: Vec<_> = (0..2)
            .map(|i| {
                let work = work.clone();
                thread::spawn(move || work(i))
            })
            .collect();
        run_six(procs, work);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(*count.lock(), in_time.load(SeqCst));
    }
}

/// Readers see what writers keep equal, even if some are threads and some give up.
#[test]
fn goroutines_and_threads_share_an_rw_lock() {
    for procs in [1, 2, 4] {
        let pair = Arc::new(RwLock::new((0_u64, 0_u64)));
        let work = {
            let pair = pair.clone();
            move |i: usize| {
                for n in 0..400 {
                    match (i + n) % 4 {
                        0 => {
                            let mut pair = pair.write();
                            pair.0 += 1;
                            pair.1 += 1;
                        }
                        1 => {
                            if let Some(mut pair) = pair.write_timeout(Duration::from_micros(20)) {
                                *pair = (pair.0 + 1, pair.1 + 1);
                            }
                        }
                        2 => {
                            if let Some(pair) = pair.read_timeout(Duration::from_micros(20)) {
                                assert_eq!(pair.0, pair.1);
                            }
                        }
                        _ => {
                            let pair = pair.read();
                            assert_eq!(pair.0, pair.1);
                        }
                    }
                }
            }
        };
        let other = work.clone();
        let thread = thread::spawn(move || other(1));
        run_six(procs, work);
        thread.join().unwrap();
        assert!(pair.try_write().is_some(), "free at the end");
    }
}

#[test]
fn deadlines_pass() {
    let waits = || {
        let mutex = Mutex::new(());
        let held = mutex.lock();
        assert!(mutex.lock_timeout(SHORT).is_none());
        drop(held);
        assert!(mutex.lock_timeout(SHORT).is_some());
        let lock = RwLock::new(());
        let reader = lock.read();
        assert!(lock.write_timeout(SHORT).is_none());
        assert!(lock.try_read().is_some(), "the writer that gave up keeps nobody out");
        drop(reader);
        let writer = lock.write();
        assert!(lock.read_timeout(SHORT).is_none());
        drop(writer);
        assert!(lock.try_write().is_some());
        let group = WaitGroup::new();
        group.add(1);
        assert!(!group.wait_timeout(SHORT));
        group.done();
        assert!(group.wait_timeout(SHORT));
        assert!(!Cond::new().wait_timeout(&mut mutex.lock(), SHORT));
        let semaphore = Semaphore::new(1);
        let permit = semaphore.acquire();
        assert!(semaphore.acquire_timeout(SHORT).is_none());
        drop(permit);
        assert!(semaphore.acquire_timeout(SHORT).is_some());
        assert!(Barrier::new(2).wait_timeout(SHORT).is_none());
    };
    waits();
    run(1, waits);
    run(2, waits);
}

/// One that asks for many is not passed by those who ask for few; when it gives up, they are served.
#[test]
fn a_semaphore_serves_in_order() {
    run(1, || {
        let semaphore = Arc::new(Semaphore::new(3));
        let (tell, order) = chan(8);
        let held = semaphore.acquire_many(2);
        for (turn, n) in [3, 2, 2].into_iter().enumerate() {
            let (semaphore, tell) = (semaphore.clone(), tell.clone());
            gmp::go(move || {
                let _permit = semaphore.acquire_many(n);
                tell.send(turn).unwrap();
            });
            gmp::yield_now();
        }
        assert!(semaphore.try_acquire().is_none(), "one is free, but others wait");
        drop(held);
        assert_eq!((0..3).map(|_| order.recv().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        let held = semaphore.acquire_many(2);
        let hasty = semaphore.clone();
        let hasty = gmp::go(move || hasty.acquire_many_timeout(3, SHORT).is_none());
        gmp::yield_now();
        let few = semaphore.clone();
        let few = gmp::go(move || few.acquire().count());
        assert!(hasty.join().unwrap());
        assert_eq!(few.join().unwrap(), 1);
        drop(held);
        assert_eq!(semaphore.available(), 3);
        semaphore.acquire().forget();
        semaphore.add_permits(2);
        assert_eq!(semaphore.available(), 4);
    });
}

#[test]
fn a_barrier_lets_all_go_round_after_round() {
    for procs in [1, 2, 4] {
        run(procs, || {
            let (barrier, came, leaders) =
                (Arc::new(Barrier::new(4)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let all: Vec<_> = (0..4)
                .map(|_| {
                    let (barrier, came, leaders) = (barrier.clone(), came.clone(), leaders.clone());
                    gmp::go(move || {
                        for round in 1..=200 {
                            came.fetch_add(1, SeqCst);
                            leaders.fetch_add(usize::from(barrier.wait().is_leader()), SeqCst);
                            assert!((4 * round..=4 * (round + 1)).contains(&came.load(SeqCst)));
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            assert_eq!(leaders.load(SeqCst), 200);
        });
    }
}

/// Locks, when dropped, a mutex that another goroutine holds, and tells that it had it.
struct LocksInDrop(Arc<Mutex<bool>>, Arc<AtomicBool>);

impl Drop for LocksInDrop {
    fn drop(&mut self) {
        let held_by_other = self.0.lock();
        assert!(!*held_by_other, "the other is through");
        self.1.store(true, SeqCst);
    }
}

/// A destructor that runs because the runtime closes gets the lock when the holder, which unwinds as well, lets go of
/// it.
#[test]
fn a_destructor_gets_its_lock_while_the_runtime_closes() {
    let mut clean = 0;
    for procs in [1, 2] {
        for _ in 0..50 {
            let (mutex, had) = (Arc::new(Mutex::new(false)), Arc::new(AtomicBool::new(false)));
            let runtime = builder(procs).at_main_return(AtMainReturn::Unwind).build().unwrap();
            let (shared, told) = (mutex.clone(), had.clone());
            let finished = runtime
                .run(move || {
                    let (started, starts) = chan(2);
                    let (holder, holds) = (shared.clone(), started.clone());
                    gmp::go(move || {
                        /// It is dropped before the guard that it points to.
                        struct Through<'a, 'b>(&'a mut gmp::sync::MutexGuard<'b, bool>);
                        impl Drop for Through<'_, '_> {
                            fn drop(&mut self) {
                                **self.0 = false;
                            }
                        }
                        let mut guard = holder.lock();
                        *guard = true;
                        let _through = Through(&mut guard);
                        holds.send(()).unwrap();
                        gmp::park();
                    });
                    starts.recv().unwrap();
                    gmp::go(move || {
                        let _locks = LocksInDrop(shared, told);
                        started.send(()).unwrap();
                        gmp::park();
                    });
                    starts.recv().unwrap();
                })
                .unwrap();
            // A closing runtime waits for those that run for 100 ms only, which a busy machine may not give them.
            if finished.left.is_clean() {
                assert!(had.load(SeqCst), "the destructor had the lock");
                assert!(mutex.try_lock().is_some());
                clean += 1;
            }
        }
    }
    assert!(clean >= 50, "of 100 destructors {clean} had their lock");
}

/// One that needs a lock that never comes free does not keep `run` from returning: its thread is left behind.
#[test]
fn a_lock_that_never_comes_free_does_not_keep_run() {
    for procs in [1, 2] {
        let (mutex, had) = (Arc::new(Mutex::new(false)), Arc::new(AtomicBool::new(false)));
        let held = mutex.lock();
        let (shared, told) = (mutex.clone(), had.clone());
        let runtime = builder(procs).at_main_return(AtMainReturn::Unwind).build().unwrap();
        let finished = runtime
            .run(move || {
                let (started, starts) = chan(1);
                gmp::go(move || {
                    let _locks = LocksInDrop(shared, told);
                    started.send(()).unwrap();
                    gmp::park();
                });
                starts.recv().unwrap();
            })
            .unwrap();
        assert_eq!(finished.left.running + finished.left.suspended, 1, "{:?}", finished.left);
        assert!(!had.load(SeqCst), "exclusion holds");
        drop(held);
    }
}

/// Goroutines that wait when the runtime closes unwind, and leave what they waited for as if they had never come.
#[test]
fn waiters_unwind_when_the_runtime_closes() {
    for procs in [1, 2] {
        let (mutex, lock) = (Arc::new(Mutex::new(())), Arc::new(RwLock::new(())));
        let (cond, group, semaphore) = (Arc::new(Cond::new()), WaitGroup::new(), Arc::new(Semaphore::new(0)));
        group.add(1);
        // Held by a plain thread, which no runtime unwinds.
        let (held, writing) = (mutex.lock(), lock.write());
        let free = Arc::new(Mutex::new(()));
        let runtime = builder(procs).at_main_return(AtMainReturn::Unwind).build().unwrap();
        let all = (mutex.clone(), lock.clone(), cond.clone(), group.clone(), semaphore.clone(), free.clone());
        let finished = runtime
            .run(move || {
                let (mutex, lock, cond, group, semaphore, free) = all;
                let also = lock.clone();
                gmp::go(move || drop(mutex.lock()));
                gmp::go(move || drop(lock.read()));
                gmp::go(move || drop(also.write()));
                gmp::go(move || cond.wait(&mut free.lock()));
                gmp::go(move || group.wait());
                gmp::go(move || drop(semaphore.acquire()));
                gmp::sleep(SHORT);
            })
            .unwrap();
        assert!(finished.left.is_clean(), "{:?}", finished.left);
        drop((held, writing));
        assert!(mutex.try_lock().is_some() && lock.try_write().is_some() && free.try_lock().is_some());
        assert_eq!(format!("{group:?}"), "WaitGroup { counter: 1, waiters: 0 }");
        semaphore.add_permits(1);
        assert!(semaphore.try_acquire().is_some());
    }
}

/// Goroutines that a runtime leaves behind suspended keep nobody from the lock that they waited for.
#[test]
fn waiters_left_behind_count_no_more() {
    let (mutex, lock) = (Arc::new(Mutex::new(())), Arc::new(RwLock::new(())));
    let (held, writing) = (mutex.lock(), lock.write());
    let shared = (mutex.clone(), lock.clone());
    let finished = builder(1)
        .build()
        .unwrap()
        .run(move || {
            let (mutex, lock) = shared;
            gmp::go(move || drop(mutex.lock()));
            gmp::go(move || drop(lock.read()));
            gmp::yield_now();
        })
        .unwrap();
    assert_eq!(finished.left.suspended, 2);
    drop((held, writing));
    assert!(mutex.try_lock().is_some());
    assert!(lock.try_write().is_some());
    drop((mutex.lock(), lock.write()));
}
