//! Sleeping, exiting, locking, blocking and ending.

use crate::prelude::*;
use std::io::{Read, Write};
use std::time::Duration;

/// Sleepers of distinct durations wake in the order of their durations.
pub(crate) fn sleep_distinct() {
    let group = Group::of(5);
    for ms in [200, 50, 150, 100, 250] {
        let group = group.clone();
        go(move || {
            let _done = group.defer();
            gmp::sleep(Duration::from_millis(ms));
            evn("s", ms);
        });
    }
    group.wait();
    ev("main");
}

/// A sleep of zero returns at once, without a yield. Go's negative one has no counterpart in `Duration`: it is a second
/// zero.
pub(crate) fn sleep_zero() {
    go(|| ev("g"));
    ev("a");
    gmp::sleep(Duration::ZERO);
    ev("b");
    gmp::sleep(Duration::ZERO);
    ev("c");
    gmp::yield_now();
    ev("main");
}

/// `exit` runs destructors innermost first, and others go on. Go's `recover() == nil` is here: the thread does panic
/// (it unwinds), but no panic hook has run.
pub(crate) fn goexit_defers() {
    let group = Group::of(2);
    let exits = group.clone();
    go(move || {
        let _done = exits.defer();
        let _recover = defer(|| ev("nil"));
        let _d1 = defer(|| ev("d1"));
        exit_in_a_call();
    });
    let other = group.clone();
    go(move || {
        let _done = other.defer();
        ev("o1");
        gmp::yield_now();
        ev("o2");
    });
    group.wait();
    ev("main");
}

/// A frame of its own, with a deferred call of its own.
fn exit_in_a_call() {
    let _d2 = defer(|| ev("d2"));
    gmp::yield_now();
    ev("exit");
    gmp::exit();
}

/// Main exits: the others finish, and when none is left, that is a deadlock of its own kind.
pub(crate) fn main_goexit_deadlock() {
    for i in 1..=3 {
        go(move || {
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

/// Main waits for what nobody sends; another waits for ever, a third has ended.
pub(crate) fn deadlock_chan() {
    go(|| ev("a"));
    go(|| {
        ev("b");
        gmp::park();
    });
    gmp::yield_now();
    ev("main-blocks");
    flush();
    gmp::park();
    ev("never");
}

/// A pending timer keeps a program from being called deadlocked. Go's AfterFunc is a goroutine that sleeps here.
pub(crate) fn no_deadlock_while_timer() {
    let chan = Chan::new();
    let sender = chan.clone();
    go(move || {
        gmp::sleep(Duration::from_millis(30));
        sender.send(1);
    });
    evn("got", chan.recv());
}

/// When main returns, runnable and blocked goroutines never run again, and their destructors do not run.
pub(crate) fn main_exit_kills() {
    for i in 1..=3 {
        go(move || {
            let _never = defer(|| {
                evn("never", i);
                flush();
            });
            evn("g", i);
            if i == 2 {
                gmp::park();
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
    let (a, b, done) = (Chan::new(), Chan::new(), Chan::new());
    {
        let (a, b, done) = (a.clone(), b.clone(), done.clone());
        go(move || {
            let outer = gmp::lock_os_thread();
            let inner = gmp::lock_os_thread();
            for i in 0..5 {
                evn("L", a.recv());
                b.send(i);
            }
            drop(inner);
            gmp::yield_now();
            ev("half");
            drop(outer);
            gmp::yield_now();
            ev("free");
            done.send(());
        });
    }
    {
        let done = done.clone();
        go(move || {
            for i in 0..5 {
                a.send(i);
                evn("U", b.recv());
            }
            done.send(());
        });
    }
    go(|| ev("x"));
    done.recv();
    ev("m");
    done.recv();
    ev("main");
}

/// Setting the number of Ps to what it is, and reading it, leave the queues and the running goroutine alone.
pub(crate) fn gomaxprocs_noop() {
    let group = Group::of(4);
    for i in 1..=4 {
        let group = group.clone();
        go(move || {
            let _done = group.defer();
            evn("g", i);
        });
    }
    evn("was", gmp::set_max_procs(1));
    evn("is", gmp::max_procs());
    ev("still-main");
    group.wait();
    ev("main");
}

/// A goroutine blocked in a system call loses the P: the others go on with the only one.
pub(crate) fn syscall_handoff() {
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let done = Chan::new();
    let tell = done.clone();
    go(move || {
        let mut byte = [0];
        ev("read");
        let n = gmp::blocking(|| reader.read(&mut byte).unwrap());
        evn("got", n as i64);
        tell.send(());
    });
    for i in 1..=3 {
        go(move || evn("g", i));
    }
    go(move || {
        gmp::sleep(Duration::from_millis(50));
        ev("write");
        gmp::blocking(|| writer.write_all(&[1]).unwrap());
    });
    done.recv();
    ev("main");
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
    go(move || {
        let _never = never();
        ev("g");
        flush();
        std::process::exit(3);
    });
    gmp::park();
}
