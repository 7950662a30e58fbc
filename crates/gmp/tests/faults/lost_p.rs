//! A goroutine whose P sysmon has taken, because it had blocked its thread without declaring it, goes on without one.
//! The kind: everything that it may do then, where it may be, and what may happen to its runtime meanwhile.

use super::undeclared_blocking::{moving, one_p};
use crate::harness::{child, named};
use gmp::{AtMainReturn, chan, go};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        whoever_lost_its_p_goes_on,
        it_stays_on_its_thread,
        the_world_stops_beside_a_sleeper,
        main_returns_beside_a_sleeper,
        channels_keep_their_values_with_one_p,
        without_retake_it_keeps_its_p,
    ],
    named![goes_on, stays, stops, returns, bias, keeps],
);

const MS: Duration = Duration::from_millis(1);

/// Runs in all modes in which goroutines share threads.
pub(super) fn in_every_mode(main: fn()) {
    moving(main);
    // SAFETY: nothing here holds a borrow of a thread-local, or a guard, across a call that suspends.
    unsafe { one_p().pinned() }.build().unwrap().run(main).unwrap();
}

/// Waits in the kernel until the P has been taken, which another goroutine's running shows.
fn lose_the_p() {
    let (tell, hear) = mpsc::channel();
    go(move || tell.send(()).unwrap());
    hear.recv().unwrap();
}

/// After this call has cost it its P, it spawns, sets timers, uses channels, blocks, unwinds and ends, at first without
/// a P.
pub(super) fn goes_on_after(loses_p: fn()) {
    go(loses_p).join().unwrap();
    let spawned = go(move || {
        loses_p();
        go(|| 7)
    });
    assert_eq!(spawned.join().unwrap().join().unwrap(), 7);
    let timer = go(move || {
        loses_p();
        gmp::time::after(MS)
    });
    timer.join().unwrap().recv().unwrap();
    let (send, receive) = chan(1);
    go(move || {
        loses_p();
        send.try_send(7).unwrap();
    });
    assert_eq!(receive.recv().unwrap(), 7);
    let blocks = go(move || {
        loses_p();
        gmp::blocking(|| thread::sleep(MS));
        loses_p();
        thread::sleep(MS);
        gmp::checkpoint();
        gmp::yield_now();
    });
    blocks.join().unwrap();
    let panics = go(move || {
        loses_p();
        std::panic::resume_unwind(Box::new(7));
    });
    panics.join().unwrap_err();
    let exits = go(move || {
        loses_p();
        gmp::exit();
    });
    exits.join().unwrap_err();
    assert!(gmp::scope(|scope| scope.go(loses_p).join().is_ok()));
    // A handle of a goroutine that has ended gives its record back.
    let ended = go(|| Box::new(1));
    gmp::yield_now();
    go(move || {
        loses_p();
        drop(ended);
    })
    .join()
    .unwrap();
}

fn goes_on() {
    in_every_mode(|| goes_on_after(lose_the_p));
    println!("done");
}

fn whoever_lost_its_p_goes_on() {
    child("goes_on").run().code(0).prints("done\n");
}

/// Locked or pinned it comes back on its own thread; any other at least stays there until it next suspends.
pub(super) fn stays_after(loses_p: fn()) {
    // SAFETY: it only asks.
    let here = || unsafe { libc::syscall(libc::SYS_gettid) };
    go(move || {
        let before = here();
        loses_p();
        assert_eq!(before, here());
    })
    .join()
    .unwrap();
    let stays = move || {
        let before = here();
        for _ in 0..5 {
            loses_p();
            gmp::yield_now();
            assert_eq!(before, here());
        }
    };
    go(move || {
        let _lock = gmp::lock_os_thread();
        stays();
    })
    .join()
    .unwrap();
    gmp::go_pinned(stays).join().unwrap();
}

fn stays() {
    in_every_mode(|| stays_after(lose_the_p));
    println!("done");
}

fn it_stays_on_its_thread() {
    child("stays").run().code(0).prints("done\n");
}

fn stops() {
    one_p()
        .procs(2)
        .build()
        .unwrap()
        .run(|| {
            let (tell, hear) = mpsc::channel();
            let sleeper = go(move || hear.recv().unwrap());
            gmp::sleep(MS);
            for procs in [1, 3, 2] {
                gmp::set_max_procs(procs);
            }
            tell.send(()).unwrap();
            sleeper.join().unwrap();
        })
        .unwrap();
    println!("done");
}

fn the_world_stops_beside_a_sleeper() {
    child("stops").run().code(0).prints("done\n");
}

fn returns() {
    let run = |at_return| {
        let (tell, hear) = mpsc::channel::<()>();
        let finished = one_p().at_main_return(at_return).build().unwrap().run(move || {
            let (started, is_started) = chan(1);
            go(move || {
                started.send(()).unwrap();
                hear.recv().unwrap();
                gmp::yield_now();
            });
            is_started.recv().unwrap();
            gmp::sleep(2 * MS);
            tell
        });
        finished.unwrap()
    };
    let left = run(AtMainReturn::Leak);
    assert_eq!(left.left.running, 1);
    drop(left.value);
    let left = run(AtMainReturn::Unwind);
    assert_eq!(left.left.running, 1);
    drop(left.value);
    println!("done");
}

fn main_returns_beside_a_sleeper() {
    child("returns").run().code(0).prints("done\n");
}

/// The locks of channels are biased to the holder of the only P: whoever loses it must not be taken for the holder.
fn bias() {
    let main = || {
        let (send, receive) = chan::<u64>(4);
        let sum = Arc::new(AtomicU64::new(0));
        let senders: Vec<_> = (0..8)
            .map(|i| {
                let send = send.clone();
                go(move || {
                    for k in 0..300 {
                        if (k + i) % 16 == 0 {
                            thread::sleep(MS / 10);
                        }
                        send.send(k).unwrap();
                    }
                })
            })
            .collect();
        drop(send);
        let receivers: Vec<_> = (0..4)
            .map(|i| {
                let (receive, sum) = (receive.clone(), Arc::clone(&sum));
                go(move || {
                    for (k, value) in receive.into_iter().enumerate() {
                        if (k + i) % 16 == 0 {
                            thread::sleep(MS / 10);
                        }
                        sum.fetch_add(value, SeqCst);
                    }
                })
            })
            .collect();
        senders.into_iter().chain(receivers).for_each(|one| one.join().unwrap());
        assert_eq!(sum.load(SeqCst), 8 * (299 * 300 / 2));
    };
    one_p().build().unwrap().run(main).unwrap();
    println!("done");
}

fn channels_keep_their_values_with_one_p() {
    child("bias").run().code(0).prints("done\n");
}

fn keeps() {
    let finished = one_p().retake(false).build().unwrap().run(|| {
        let ran = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&ran);
        let other = go(move || other.store(true, SeqCst));
        thread::sleep(50 * MS);
        let early = ran.load(SeqCst);
        other.join().unwrap();
        early
    });
    println!("{}", finished.unwrap().value);
}

fn without_retake_it_keeps_its_p() {
    child("keeps").run().code(0).prints("false\n");
}
