//! Goroutines that break in the middle of something: panics and exits with locks held, in scopes, in destructors;
//! handles, guards and scopes that are leaked; a runtime that is built, run or dropped inside a goroutine. The kind:
//! the other goroutines find what they share as it was left, and go on.

use super::undeclared_blocking::one_p;
use crate::harness::{child, named};
use gmp::sync::{Mutex, RwLock, Semaphore, WaitGroup};
use gmp::{JoinError, chan, go};
use std::mem::forget;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_panic_gives_up_what_its_goroutine_held,
        an_exit_gives_up_what_its_goroutine_held,
        a_panic_in_a_destructor_is_its_goroutines,
        an_exit_inside_nested_scopes_waits_for_all,
        what_is_leaked_hangs_nobody_else,
        a_runtime_inside_a_goroutine_ends,
    ],
    named![panics_holding, exits_holding, panics_in_drop, exits_in_scopes, leaks_handles, nested_runtimes],
);

const MS: Duration = Duration::from_millis(1);

fn run(main: fn()) {
    for procs in [1, 2] {
        one_p().procs(procs).build().unwrap().run(main).unwrap();
    }
    println!("done");
}

/// A goroutine that ends by `end` holds two locks, a permit, both ends of a channel and a scope with children.
fn ends_holding(end: fn()) {
    let (mutex, lock) = (Arc::new(Mutex::new(0)), Arc::new(RwLock::new(0)));
    let permits = Arc::new(Semaphore::new(1));
    let (send, receive) = chan::<u32>(2);
    let ran = Arc::new(AtomicUsize::new(0));
    let (m, l, p, r, s) = (mutex.clone(), lock.clone(), permits.clone(), ran.clone(), send.clone());
    let broken = go(move || {
        let _permit = p.acquire();
        let mut mutex = m.lock();
        let mut lock = l.write();
        (*mutex, *lock) = (1, 1);
        s.send(7).unwrap();
        gmp::scope(|scope| {
            for _ in 0..3 {
                scope.go(|| {
                    gmp::sleep(MS);
                    r.fetch_add(1, Relaxed);
                });
            }
            end();
        });
    });
    // Some wait for what it holds already.
    let waits = {
        let (mutex, lock, permits) = (mutex.clone(), lock.clone(), permits.clone());
        go(move || {
            let _permit = permits.acquire();
            *mutex.lock() + *lock.read()
        })
    };
    drop(send);
    assert!(broken.join().is_err());
    // The scope's children have ended before it.
    assert_eq!(ran.load(Relaxed), 3);
    let sum = waits.join().unwrap();
    assert!(sum == 2 || sum == 0, "{sum}");
    assert_eq!((*mutex.lock(), *lock.read()), (1, 1));
    // What it sent is there, and its end of the channel is closed.
    assert_eq!(receive.into_iter().collect::<Vec<_>>(), [7]);
}

fn panics_holding() {
    run(|| ends_holding(|| std::panic::resume_unwind(Box::new(7))));
}

fn a_panic_gives_up_what_its_goroutine_held() {
    child("panics_holding").run().code(0).prints("done\n");
}

fn exits_holding() {
    run(|| ends_holding(|| gmp::exit()));
}

fn an_exit_gives_up_what_its_goroutine_held() {
    child("exits_holding").run().code(0).prints("done\n");
}

struct Breaks;

impl Drop for Breaks {
    fn drop(&mut self) {
        std::panic::resume_unwind(Box::new("a destructor"));
    }
}

fn is_panic<T>(result: Result<T, JoinError>) -> bool {
    matches!(result, Err(JoinError::Panicked(_)))
}

/// It panics on its stack, in its closure, in a value on its way through a channel, and beside a guard.
fn panics_in_drop() {
    run(|| {
        assert!(is_panic(go(|| drop(Breaks)).join()));
        let captured = Breaks;
        assert!(is_panic(go(move || drop(captured)).join()));
        let mutex = Arc::new(Mutex::new(()));
        let held = Arc::clone(&mutex);
        let beside = go(move || {
            let _guard = held.lock();
            let _breaks = Breaks;
        });
        assert!(is_panic(beside.join()));
        drop(mutex.lock());
        let (send, receive) = chan(1);
        send.send(Breaks).unwrap();
        drop(send);
        assert!(is_panic(go(move || drop(receive.recv())).join()));
        // A result that nobody takes: whoever drops the handle goes on.
        let done = go(|| Breaks);
        while !done.is_finished() {
            gmp::yield_now();
        }
        go(move || drop(done)).join().unwrap_or(());
        gmp::sleep(MS);
    });
}

fn a_panic_in_a_destructor_is_its_goroutines() {
    child("panics_in_drop").run().code(0).prints("done\n");
}

fn exits_in_scopes() {
    run(|| {
        let ended = Arc::new(AtomicUsize::new(0));
        let counts = Arc::clone(&ended);
        let exits = go(move || {
            let ended = &*counts;
            gmp::scope(|outer| {
                outer.go(|| {
                    gmp::sleep(2 * MS);
                    ended.fetch_add(1, Relaxed);
                });
                gmp::scope(|middle| {
                    middle.go(|| {
                        gmp::yield_now();
                        ended.fetch_add(1, Relaxed);
                    });
                    gmp::scope(|inner| {
                        inner.go(|| {
                            gmp::sleep(MS);
                            ended.fetch_add(1, Relaxed);
                            gmp::exit();
                        });
                        gmp::exit();
                    });
                });
            });
            unreachable!("exit passes all three scopes");
        });
        assert!(matches!(exits.join(), Err(JoinError::Exited)));
        assert_eq!(ended.load(Relaxed), 3);
    });
}

fn an_exit_inside_nested_scopes_waits_for_all() {
    child("exits_in_scopes").run().code(0).prints("done\n");
}

/// A leaked guard keeps its lock, and everything else goes on.
fn leaks_handles() {
    run(|| {
        let mutex = Arc::new(Mutex::new(0));
        let leaked = Arc::clone(&mutex);
        go(move || forget(leaked.lock())).join().unwrap();
        assert!(mutex.try_lock().is_none());
        assert!(mutex.lock_timeout(MS).is_none());
        forget(go(|| 7));
        let ran = AtomicUsize::new(0);
        gmp::scope(|scope| {
            for _ in 0..3 {
                forget(scope.go(|| ran.fetch_add(1, Relaxed)));
            }
        });
        assert_eq!(ran.load(Relaxed), 3);
        let (send, receive) = chan::<u32>(0);
        forget(send.clone());
        drop(send);
        // A leaked sender keeps its channel open.
        assert!(receive.recv_timeout(MS).is_err());
        // A leaked lock of a thread: the thread ends with its goroutine.
        go(|| forget(gmp::lock_os_thread())).join().unwrap();
        let group = WaitGroup::new();
        group.add(1);
        assert!(!group.wait_timeout(MS));
        go(gmp::yield_now).join().unwrap();
    });
}

fn what_is_leaked_hangs_nobody_else() {
    child("leaks_handles").run().code(0).prints("done\n");
}

/// Built and dropped there, or run there: that is an error, or a runtime of its own on a thread of its own.
fn nested_runtimes() {
    run(|| {
        drop(one_p().build().unwrap());
        let unrun = one_p().build().unwrap();
        let handle = unrun.handle();
        let waits = handle.go(|| 7).unwrap();
        drop(unrun);
        assert!(matches!(waits.join(), Err(JoinError::Abandoned)));
        assert!(handle.go(|| ()).is_err());
        assert!(one_p().build().unwrap().run(|| ()).is_err());
        let inner = || one_p().procs(2).build().unwrap().run(|| go(|| 7).join().unwrap()).unwrap().value;
        assert_eq!(gmp::blocking(|| std::thread::spawn(inner).join().unwrap()), 7);
        go(gmp::yield_now).join().unwrap();
    });
}

fn a_runtime_inside_a_goroutine_ends() {
    child("nested_runtimes").run().code(0).prints("done\n");
}
