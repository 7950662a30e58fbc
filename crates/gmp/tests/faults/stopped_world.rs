//! Once, a P that went out of use while the world was being stopped got onto the idle list, where the stopper had looked
//! already, and the stopper waited for it for ever. The kind: everything that takes a P out of use during a stop.
//!
//! And once, sysmon slept while the world was being stopped, so nobody ended the slice of a goroutine that looped over
//! calls which need not wait: it kept its P for ever. The kind: what sysmon does for goroutines goes on during a stop.

use crate::harness::{child, named};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub(crate) const FAULT: crate::Fault = (
    named![
        a_stop_of_the_world_gets_every_p,
        a_loop_of_calls_gives_its_p_to_a_stop,
        timers_go_off_while_a_stop_waits,
    ],
    named![refused_threads, retaken_ps, hungry_ms, ending_threads, calls_in_a_loop, timer_beside_a_stop],
);

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>())
}

/// Changes the number of Ps again and again while `others` are at work, and tells them when it is done.
fn resize(builder: gmp::Builder<gmp::policy::Go>, times: usize, others: &[fn(&AtomicBool)]) {
    static DONE: AtomicBool = AtomicBool::new(false);
    let others = others.to_vec();
    let ran = builder.build().unwrap().run(move || {
        let all: Vec<_> = others.into_iter().map(|other| gmp::go(move || other(&DONE))).collect();
        for i in 0..times {
            gmp::set_max_procs(4 + i % 2);
            gmp::yield_now();
        }
        DONE.store(true, Relaxed);
        all.into_iter().for_each(|one| one.join().unwrap());
    });
    println!("{}", ran.is_ok());
}

fn spawn_locked(done: &AtomicBool) {
    let _lock = gmp::lock_os_thread();
    while !done.load(Relaxed) {
        (0..20).for_each(|_| drop(gmp::go(|| ())));
        gmp::yield_now();
    }
}

fn keep_busy(done: &AtomicBool) {
    while !done.load(Relaxed) {
        (0..1000).for_each(|_| std::hint::spin_loop());
        gmp::yield_now();
    }
}

fn block(done: &AtomicBool) {
    while !done.load(Relaxed) {
        gmp::blocking(|| std::thread::sleep(std::time::Duration::from_micros(100)));
    }
}

fn end_locked(done: &AtomicBool) {
    while !done.load(Relaxed) {
        gmp::go(|| std::mem::forget(gmp::lock_os_thread())).join().unwrap();
    }
}

fn wake_pinned(done: &AtomicBool) {
    let (send, receive) = gmp::chan::<()>(0);
    let pinned = gmp::go_pinned(move || while receive.recv().is_ok() {});
    while !done.load(Relaxed) {
        send.send(()).unwrap();
        gmp::yield_now();
    }
    drop(send);
    pinned.join().unwrap();
}

/// sysmon is to make a thread for what a locked thread has woken, and may not: the P is out of use.
fn refused_threads() {
    resize(builder().procs(5).max_threads(4), 2000, &[spawn_locked, keep_busy, keep_busy]);
}

fn retaken_ps() {
    resize(builder().procs(5), 500, &[block, block, block, keep_busy]);
}

fn hungry_ms() {
    resize(builder().procs(5), 500, &[wake_pinned, wake_pinned, wake_pinned, keep_busy]);
}

fn ending_threads() {
    resize(builder().procs(5).max_threads(5), 500, &[end_locked, spawn_locked, block, keep_busy]);
}

/// Calls that never need to wait, each kind in a loop of its own.
fn calls_in_a_loop() {
    let others: &[fn(&AtomicBool)] = &[
        |done| {
            while !done.load(Relaxed) {
                gmp::num_goroutines();
            }
        },
        |done| {
            let lock = gmp::sync::Mutex::new(0);
            while !done.load(Relaxed) {
                *lock.lock() += 1;
            }
        },
        |done| {
            let (send, receive) = gmp::chan(1);
            while !done.load(Relaxed) {
                send.send(()).unwrap();
                receive.recv().unwrap();
            }
        },
        |done| {
            let (_send, receive) = gmp::chan::<()>(0);
            while !done.load(Relaxed) {
                gmp::select! {
                    recv(receive) -> _ => unreachable!("nobody sends"),
                    default => {}
                }
            }
        },
        |done| {
            let context = gmp::context::Context::background();
            while !done.load(Relaxed) {
                assert!(context.err().is_none() && gmp::current().is_some());
            }
        },
    ];
    resize(builder().procs(4), 50, others);
}

fn a_loop_of_calls_gives_its_p_to_a_stop() {
    child("calls_in_a_loop").run().code(0).prints("true\n");
}

/// A goroutine that computes keeps the world from being stopped until a timer has gone off beside it.
fn timer_beside_a_stop() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let ran = builder().procs(2).build().unwrap().run(|| {
        let (tell, told) = std::sync::mpsc::channel();
        let hog = gmp::go(move || {
            // A timer of this P, which nobody else runs.
            let timer = gmp::time::after(std::time::Duration::from_millis(30));
            tell.send(timer).unwrap();
            while !OVER.load(Relaxed) {
                std::hint::spin_loop();
            }
        });
        let timer = gmp::blocking(|| told.recv().unwrap());
        let plain = std::thread::spawn(move || {
            let came = timer.recv().is_ok();
            OVER.store(true, Relaxed);
            came
        });
        gmp::set_max_procs(1);
        hog.join().unwrap();
        gmp::blocking(|| plain.join().unwrap())
    });
    println!("{}", ran.unwrap().value);
}

fn timers_go_off_while_a_stop_waits() {
    child("timer_beside_a_stop").run().code(0).prints("true\n");
}

fn a_stop_of_the_world_gets_every_p() {
    for name in ["refused_threads", "retaken_ps", "hungry_ms", "ending_threads"] {
        child(name).run().code(0).prints("true\n");
    }
}
