//! Exiting, locking, blocking and ending.

use crate::prelude::*;
use gmp::chan;
use gmp::sync::WaitGroup;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

/// `exit` runs destructors innermost first, and others go on. Go's `recover() == nil` is here: the thread does panic
/// (it unwinds), but no panic hook has run.
pub(crate) fn goexit_defers() {
    let wg = WaitGroup::new();
    wg.add(2);
    go!(wg, || {
        let _done = done_at_end(&wg);
        let _recover = defer(|| ev("nil"));
        let _d1 = defer(|| ev("d1"));
        exit_in_a_call();
    });
    go!(wg, || {
        let _done = done_at_end(&wg);
        ev("o1");
        gmp::yield_now();
        ev("o2");
    });
    wg.wait();
    ev("main");
}

/// A frame of its own, with a deferred call of its own.
fn exit_in_a_call() {
    let _d2 = defer(|| ev("d2"));
    gmp::yield_now();
    ev("exit");
    gmp::exit();
}

/// A destructor in ping-pong through run_next, in a goroutine that returns, exits and panics: it inherits its slices, so
/// no tick comes, and a goroutine in the shared queue has to wait.
pub(crate) fn x_defer_ticks() {
    for how in 0..3 {
        align_tick();
        let ((a_tx, a), (b_tx, b), (tell, done)) = (chan(0), chan(0), chan(0));
        let rounds = Arc::new(AtomicI64::new(0));
        go!(rounds, tell, || {
            gmp::yield_now();
            evn("global-after", rounds.load(Relaxed));
            tell.send(true).unwrap();
        });
        go!(rounds, a, b_tx, tell, || {
            let _recover = defer(|| tell.send(true).unwrap());
            let end = || {
                let _ping_pong = defer(|| {
                    for i in 0..100 {
                        a.recv().unwrap();
                        rounds.fetch_add(1, Relaxed);
                        b_tx.send(i).unwrap();
                    }
                });
                match how {
                    1 => gmp::exit(),
                    // It calls no hook: Go prints nothing of a panic that is recovered.
                    2 => std::panic::resume_unwind(Box::new("x")),
                    _ => {}
                }
            };
            match how {
                2 => drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(end))),
                _ => end(),
            }
        });
        go!(a_tx, b, tell, || {
            for i in 0..100 {
                a_tx.send(i).unwrap();
                b.recv().unwrap();
            }
            tell.send(true).unwrap();
        });
        for _ in 0..3 {
            done.recv().unwrap();
        }
        evn("rounds", rounds.load(Relaxed));
    }
}

/// Main exits: the others finish, and when none is left, that is a deadlock of its own kind.
pub(crate) fn main_goexit_deadlock() {
    for i in 1..=3 {
        go!(|| {
            evn("g", i);
            gmp::yield_now();
            evn("G", i);
            if i == 2 {
                flush();
            }
        });
    }
    let _deferred = defer(|| ev("deferred"));
    gmp::exit();
}

/// Main waits for a value that nobody sends; another goroutine waits for ever, and a third has ended.
pub(crate) fn deadlock_chan() {
    let (_tx, c) = chan::<i64>(0);
    go!(|| ev("a"));
    go!(|| {
        ev("b");
        gmp::block_forever();
    });
    gmp::yield_now();
    ev("main-blocks");
    flush();
    c.recv().unwrap();
    ev("never");
}

/// When main returns, runnable and blocked goroutines never run again, and their destructors do not run.
pub(crate) fn main_exit_kills() {
    let (_tx, c) = chan::<i64>(0);
    for i in 1..=3 {
        go!(c, || {
            let _never = defer(|| {
                evn("never", i);
                flush();
            });
            evn("g", i);
            if i == 2 {
                c.recv().unwrap();
            }
            loop {
                gmp::yield_now();
            }
        });
    }
    gmp::yield_now();
    gmp::yield_now();
    ev("main");
}

/// A goroutine locked to its thread in ping-pong with others: threads only carry the order.
pub(crate) fn lockosthread_roundtrip() {
    let ((a_tx, a), (b_tx, b), (tell, done)) = (chan(0), chan(0), chan(0));
    go!(a, b_tx, tell, || {
        let outer = gmp::lock_os_thread();
        let inner = gmp::lock_os_thread();
        for i in 0..5 {
            evn("L", a.recv().unwrap());
            b_tx.send(i).unwrap();
        }
        drop(inner);
        gmp::yield_now();
        ev("half");
        drop(outer);
        gmp::yield_now();
        ev("free");
        tell.send(true).unwrap();
    });
    go!(a_tx, b, tell, || {
        for i in 0..5 {
            a_tx.send(i).unwrap();
            evn("U", b.recv().unwrap());
        }
        tell.send(true).unwrap();
    });
    go!(|| ev("x"));
    done.recv().unwrap();
    ev("m");
    done.recv().unwrap();
    ev("main");
}

/// Setting the number of Ps to what it is, and reading it, leave the queues and the running goroutine alone.
pub(crate) fn gomaxprocs_noop() {
    let wg = WaitGroup::new();
    for i in 1..=4 {
        wg.add(1);
        go!(wg, || {
            let _done = done_at_end(&wg);
            evn("g", i);
        });
    }
    evn("was", gmp::set_max_procs(1));
    evn("is", gmp::max_procs());
    ev("still-main");
    wg.wait();
    ev("main");
}

/// A goroutine blocked in a system call loses the P: the others go on with the only one.
pub(crate) fn syscall_handoff() {
    until_timely(|stretch, lateness| {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let (tell, done) = chan(0);
        go!(tell, || {
            let mut byte = [0];
            ev("read");
            let n = gmp::blocking(|| reader.read(&mut byte).unwrap());
            evn("got", n);
            tell.send(true).unwrap();
        });
        for i in 1..=3 {
            go!(lateness, || {
                lateness.of(Duration::ZERO);
                evn("g", i);
            });
        }
        go!(|| {
            gmp::sleep(Duration::from_millis(50) * stretch);
            ev("write");
            gmp::blocking(|| writer.write_all(&[1]).unwrap());
        });
        done.recv().unwrap();
        ev("main");
    });
}

/// The process exits with a code from a goroutine while main waits: no destructor runs.
pub(crate) fn os_exit_from_goroutine() {
    let never = || {
        defer(|| {
            ev("never");
            flush();
        })
    };
    let _never = never();
    let (_tx, c) = chan::<i64>(0);
    go!(|| {
        let _never = never();
        ev("g");
        flush();
        std::process::exit(3);
    });
    c.recv().unwrap();
}
