//! Go's tests of `sync.Cond`, ported.
//!
//! Ported from cond_test.go of Go 1.27; see LICENSE-THIRD-PARTY. Each is named after Go's. Left out: copies, which moves
//! make impossible.

mod told;

use gmp::sync::{Cond, Mutex};
use gmp::{Builder, Receiver, Sender, chan};
use std::sync::Arc;

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

/// A mutex, its condition, and channels that tell who runs and who is awake.
struct Stage<T> {
    mutex: Mutex<T>,
    cond: Cond,
    running: (Sender<usize>, Receiver<usize>),
    awake: (Sender<usize>, Receiver<usize>),
}

impl<T> Stage<T> {
    fn new(capacity: usize, value: T) -> Arc<Self> {
        let (mutex, cond) = (Mutex::new(value), Cond::new());
        Arc::new(Self { mutex, cond, running: chan(capacity), awake: chan(capacity) })
    }

    /// Says that it runs, waits once, says that it is awake.
    fn wait_once(&self, me: usize) {
        let mut guard = self.mutex.lock();
        self.running.0.send(me).unwrap();
        self.cond.wait(&mut guard);
        self.awake.0.send(me).unwrap();
    }

    fn signal(&self) {
        let guard = self.mutex.lock();
        self.cond.notify_one();
        guard.unlock();
    }

    fn nobody_is_awake(&self) {
        assert!(self.awake.1.try_recv().is_err(), "a goroutine is awake");
    }
}

#[test]
fn test_cond_signal() {
    for procs in [1, 4] {
        run(procs, || {
            let stage = Stage::new(2, ());
            for i in 0..2 {
                let stage = stage.clone();
                gmp::go(move || stage.wait_once(i));
            }
            (0..2).for_each(|_| assert!(stage.running.1.recv().is_ok()));
            for _ in 0..2 {
                stage.nobody_is_awake();
                stage.signal();
                stage.awake.1.recv().unwrap();
                stage.nobody_is_awake();
            }
            stage.cond.notify_one();
        });
    }
}

#[test]
fn test_cond_signal_generations() {
    for procs in [1, 4] {
        run(procs, || {
            let stage = Stage::new(100, ());
            for i in 0..100 {
                let other = stage.clone();
                gmp::go(move || other.wait_once(i));
                if i > 0 {
                    assert_eq!(stage.awake.1.recv(), Ok(i - 1), "the wrong goroutine woke up");
                }
                stage.running.1.recv().unwrap();
                stage.signal();
            }
        });
    }
}

#[test]
fn test_cond_broadcast() {
    const N: usize = 100;
    for procs in [1, 4] {
        run(procs, || {
            let stage = Stage::new(N, false);
            for i in 0..N {
                let stage = stage.clone();
                gmp::go(move || {
                    let mut exit = stage.mutex.lock();
                    while !*exit {
                        stage.running.0.send(i).unwrap();
                        stage.cond.wait(&mut exit);
                        stage.awake.0.send(i).unwrap();
                    }
                });
            }
            for round in 0..N {
                // Waits for ever unless all run.
                (0..N).for_each(|_| assert!(stage.running.1.recv().is_ok()));
                if round == N - 1 {
                    *stage.mutex.lock() = true;
                }
                stage.nobody_is_awake();
                let guard = stage.mutex.lock();
                stage.cond.notify_all();
                guard.unlock();
                let mut seen = [false; N];
                for _ in 0..N {
                    let i = stage.awake.1.recv().unwrap();
                    assert!(!std::mem::replace(&mut seen[i], true), "a goroutine woke up twice");
                }
            }
            assert!(stage.running.1.try_recv().is_err(), "a goroutine has not ended");
            stage.cond.notify_all();
        });
    }
}

#[test]
fn test_race() {
    for procs in [1, 4] {
        run(procs, || {
            let stage = Stage::new(0, 0);
            let first = stage.clone();
            let first = gmp::go(move || {
                let mut x = first.mutex.lock();
                *x = 1;
                first.cond.wait(&mut x);
                assert_eq!(*x, 2);
                *x = 3;
                first.cond.notify_one();
            });
            let second = stage.clone();
            let second = gmp::go(move || {
                loop {
                    let mut x = second.mutex.lock();
                    if *x == 1 {
                        *x = 2;
                        return second.cond.notify_one();
                    }
                    x.unlock();
                    gmp::yield_now();
                }
            });
            let third = gmp::go(move || {
                loop {
                    let mut x = stage.mutex.lock();
                    if *x == 2 {
                        stage.cond.wait(&mut x);
                        return assert_eq!(*x, 3);
                    }
                    if *x == 3 {
                        return;
                    }
                    x.unlock();
                    gmp::yield_now();
                }
            });
            [first, second, third].into_iter().for_each(|one| one.join().unwrap());
        });
    }
}

/// A new waiter does not get the wake-up of one that waited when it was given.
#[test]
fn test_cond_signal_stealing() {
    for procs in [1, 4] {
        run(procs, || {
            for _ in 0..500 {
                let stage = Stage::new(0, false);
                let (tell, told) = chan(0);
                let waiter = stage.clone();
                gmp::go(move || {
                    let mut guard = waiter.mutex.lock();
                    tell.send(()).unwrap();
                    waiter.cond.wait(&mut guard);
                    guard.unlock();
                    tell.send(()).unwrap();
                });
                told.recv().unwrap();
                // Had after the waiter: so it waits.
                drop(stage.mutex.lock());
                let broadcaster = stage.clone();
                gmp::go(move || broadcaster.cond.notify_all());
                let thief = stage.clone();
                let thief = gmp::go(move || {
                    let mut done = thief.mutex.lock();
                    thief.cond.wait_while(&mut done, |done| !*done);
                });
                told.recv().unwrap();
                *stage.mutex.lock() = true;
                stage.cond.notify_all();
                thief.join().unwrap();
            }
        });
    }
}
