//! Threads that a burst of blocking calls had needed stayed for as long as the program ran, and at the limit of threads
//! nothing said which goroutines had them. The kind: whatever needs many threads for a moment, and what must not end
//! with them.

use super::undeclared_blocking::one_p;
use crate::harness::{child, named};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        idle_threads_end,
        idle_threads_end_beside_work,
        whoever_ends_and_is_needed_again_loses_nothing,
        a_thread_with_pinned_goroutines_stays,
        threads_stay_if_asked_to,
        a_deadlock_is_found_when_threads_have_ended,
        whoever_hands_its_p_to_a_locked_thread_is_counted_once,
        the_report_at_the_limit_says_who_has_the_threads,
    ],
    named![ends, ends_beside_work, churns, stays_pinned, stays_for_ever, deadlocks, hands_over, is_told],
);

const MS: Duration = Duration::from_millis(1);

/// This many goroutines sit in blocking calls at once.
fn burst(calls: usize) {
    let (all, blocked): (Vec<_>, Vec<_>) = (0..calls)
        .map(|_| {
            let (release, wait) = mpsc::channel::<()>();
            (release, gmp::go(move || gmp::blocking(|| wait.recv().is_err())))
        })
        .unzip();
    while gmp::stats().blocked < calls {
        gmp::sleep(MS);
    }
    drop(all);
    assert!(blocked.into_iter().all(|one| one.join().unwrap()));
}

/// sysmon, m0, one that runs, and as many idle ones as there are Ps: the others end.
fn wait_for_few(procs: usize) {
    while gmp::stats().threads > procs + 3 {
        gmp::sleep(MS);
    }
    while std::fs::read_dir("/proc/self/task").unwrap().count() > procs + 3 {
        gmp::sleep(MS);
    }
}

fn ends() {
    for procs in [1, 2] {
        one_p()
            .procs(procs)
            .thread_keep_alive(20 * MS)
            .build()
            .unwrap()
            .run(move || {
                for round in 1..=3 {
                    let before = gmp::stats();
                    burst(30);
                    wait_for_few(procs);
                    let retired = gmp::stats().retired_threads - before.retired_threads;
                    assert!(retired >= 20, "{retired} of round {round}");
                }
            })
            .unwrap();
    }
    println!("done");
}

fn idle_threads_end() {
    child("ends").run().code(0).prints("done\n");
}

/// Others run for a moment, many times in each keep-alive. Their threads come and go, but threads beyond the kept
/// number end.
fn ends_beside_work() {
    const PROCS: usize = 4;
    one_p()
        .procs(PROCS)
        .thread_keep_alive(50 * MS)
        .build()
        .unwrap()
        .run(|| {
            let stop = Arc::new(AtomicBool::new(false));
            let busy = {
                let stop = Arc::clone(&stop);
                gmp::go(move || {
                    while !stop.load(Relaxed) {
                        gmp::sleep(MS);
                        let all: Vec<_> = (0..8).map(|_| gmp::go(gmp::yield_now)).collect();
                        all.into_iter().for_each(|one| one.join().unwrap());
                    }
                })
            };
            burst(30);
            wait_for_few(PROCS);
            stop.store(true, Relaxed);
            busy.join().unwrap();
        })
        .unwrap();
    println!("done");
}

fn idle_threads_end_beside_work() {
    child("ends_beside_work").run().code(0).prints("done\n");
}

/// Threads end at once, and are made again all the time: below the limit, at the limit, and as threads of goroutines.
fn churns() {
    let work = |handle: Option<gmp::Handle>| {
        let plain = std::thread::spawn(move || {
            for _ in 0..200 {
                let Some(handle) = &handle else { return };
                handle.go(|| gmp::blocking(|| std::thread::sleep(MS / 20))).unwrap().join().unwrap();
            }
        });
        let all: Vec<_> = (0..12)
            .map(|i| {
                gmp::go(move || {
                    for k in 0..60 {
                        match (i + k) % 4 {
                            0 => gmp::blocking(|| std::thread::sleep(MS / 5)),
                            1 => std::thread::sleep(MS / 3),
                            2 => gmp::sleep(MS / 4),
                            _ => gmp::go(gmp::yield_now).join().unwrap(),
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        gmp::blocking(|| plain.join().unwrap());
    };
    let runs = |builder: gmp::Builder<gmp::policy::Go>| {
        let runtime = builder.thread_keep_alive(Duration::ZERO).build().unwrap();
        let handle = runtime.handle();
        runtime.run(move || work(Some(handle))).unwrap();
    };
    for (procs, limit) in [(1, 4), (2, 5), (2, 100), (4, 100)] {
        runs(one_p().procs(procs).max_threads(limit));
    }
    runs(one_p().procs(2).one_thread_each());
    // SAFETY: nothing here holds a borrow of a thread-local, or a guard, across a call that suspends.
    runs(unsafe { one_p().procs(2).pinned() });
    println!("done");
}

fn whoever_ends_and_is_needed_again_loses_nothing() {
    child("churns").run().code(0).prints("done\n");
}

/// Goroutines that have locked their threads are woken by others, whose threads then have nothing to do.
fn hands_over() {
    one_p()
        .procs(2)
        .thread_keep_alive(Duration::ZERO)
        .build()
        .unwrap()
        .run(|| {
            let all: Vec<_> = (0..6)
                .map(|_| {
                    let (there, locked) = gmp::chan::<u32>(0);
                    let (echo, back) = gmp::chan::<u32>(0);
                    gmp::go(move || {
                        let _lock = gmp::lock_os_thread();
                        locked.iter().for_each(|value| echo.send(value).unwrap());
                    });
                    gmp::go(move || {
                        for value in 0..300 {
                            there.send(value).unwrap();
                            assert_eq!(back.recv(), Ok(value));
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        })
        .unwrap();
    println!("done");
}

/// A thread that had handed its P to a locked goroutine's thread left the list of idle ones, and lived on.
fn whoever_hands_its_p_to_a_locked_thread_is_counted_once() {
    child("hands_over").run().code(0).prints("done\n");
}

/// More goroutines are pinned to threads than threads are kept, and each comes back to its own.
fn stays_pinned() {
    one_p()
        .procs(2)
        .thread_keep_alive(MS)
        .build()
        .unwrap()
        .run(|| {
            let pinned: Vec<_> = (0..12)
                .map(|i| {
                    gmp::go_pinned(move || {
                        let here = std::thread::current().id();
                        // Each blocks, so that the next one gets another thread.
                        gmp::blocking(|| std::thread::sleep(3 * MS));
                        for _ in 0..5 {
                            gmp::sleep(MS * (i % 4 + 2));
                            assert_eq!(std::thread::current().id(), here);
                        }
                    })
                })
                .collect();
            pinned.into_iter().for_each(|one| one.join().unwrap());
            wait_for_few(2);
        })
        .unwrap();
    println!("done");
}

fn a_thread_with_pinned_goroutines_stays() {
    child("stays_pinned").run().code(0).prints("done\n");
}

fn stays_for_ever() {
    let finished = one_p().thread_keep_alive(Duration::MAX).build().unwrap().run(|| {
        burst(10);
        gmp::sleep(50 * MS);
        let stats = gmp::stats();
        assert!(stats.threads >= 11, "{stats:?}");
        stats.retired_threads
    });
    println!("{}", finished.unwrap().value);
}

fn threads_stay_if_asked_to() {
    child("stays_for_ever").run().code(0).prints("0\n");
}

/// The last thread that could have looked for a deadlock has ended.
fn deadlocks() {
    for wait in [0, 5, 30] {
        let finished = one_p().procs(2).thread_keep_alive(10 * MS).build().unwrap().run(move || {
            burst(10);
            gmp::sleep(wait * MS);
            gmp::park();
        });
        println!("{}", finished.unwrap_err());
    }
}

fn a_deadlock_is_found_when_threads_have_ended() {
    let done = child("deadlocks").run();
    let told = done.stdout.matches("all goroutines are asleep - deadlock!").count();
    done.code(0).check(told == 3, "finds each deadlock");
}

/// One that has locked its thread, one in a declared call, one that blocks without a word, and one too many.
fn is_told() {
    one_p()
        .max_threads(6)
        .build()
        .unwrap()
        .run(|| {
            let (release, waits): (Vec<_>, Vec<_>) = (0..8).map(|_| mpsc::channel::<()>()).unzip();
            let mut waits = waits.into_iter();
            let mut wait = || waits.next().unwrap();
            let (unlock, locked) = gmp::chan::<()>(0);
            let locked = gmp::spawn().name("locks").go(move || {
                let _lock = gmp::lock_os_thread();
                locked.recv().is_err()
            });
            let locked = locked.unwrap();
            gmp::sleep(MS);
            let declared = wait();
            let declared =
                gmp::spawn().name("declares").go(move || gmp::blocking(|| declared.recv().is_err())).unwrap();
            let undeclared = wait();
            let undeclared =
                gmp::spawn().name("says nothing").go(move || undeclared.recv().is_err()).unwrap();
            while gmp::stats().blocked < 2 {
                gmp::sleep(MS);
            }
            gmp::sleep(15 * MS);
            let more: Vec<_> = (0..4)
                .map(|_| {
                    let wait = wait();
                    gmp::go(move || gmp::blocking(|| wait.recv().is_err()))
                })
                .collect();
            (0..20).for_each(|_| gmp::sleep(MS));
            drop(release);
            drop(unlock);
            assert!([locked, declared, undeclared].into_iter().all(|one| one.join().unwrap()));
            assert!(more.into_iter().all(|one| one.join().unwrap()));
        })
        .unwrap();
    println!("done");
}

fn the_report_at_the_limit_says_who_has_the_threads() {
    let done = child("is_told").run();
    done.code(0)
        .prints("done\n")
        .says("[locks] [has locked its thread]: created at ")
        .says("bounded_threads.rs");
    done.says("[declares] [blocking call, ").says("[says nothing] [blocked without saying so, ");
}
