//! Once, everything came to a stop at the limit of threads: the M that slept until the next timer could not be taken,
//! and with every other thread in a blocking call or locked, nobody ran timers, main or new goroutines. The kind:
//! whatever needs no thread of its own goes on, and the limit is kept.

use crate::harness::{child, named};
use gmp::context::Context;
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (
    named![
        a_sleeper_is_taken_at_the_limit,
        blocked_threads_leave_one_that_runs,
        locked_threads_leave_one_that_runs,
        a_timer_goes_off_where_no_thread_is_left_for_it,
        a_thread_that_ends_makes_room_for_those_who_wait_for_one,
        a_locked_main_leaves_one_that_runs,
        a_blocked_main_leaves_one_that_runs,
        a_locked_reserve_leaves_one_that_runs,
        a_reserve_runs_what_is_pinned_to_it,
        a_locked_goroutine_unwinds_at_the_limit,
        who_waits_for_a_thread_gets_one_after_a_stop,
    ],
    named![
        spawned_beside_a_timer,
        blocked_one_p,
        blocked_two_ps,
        blocked_random,
        blocked_and_returning,
        locked_and_waiting,
        looping_and_locked,
        blocked_beside_ending_threads,
        blocked_beside_a_locked_main,
        blocked_beside_a_blocked_main,
        blocked_beside_a_locked_reserve,
        pinned_to_the_reserve,
        unwinds_beside_a_lock,
        stops_beside_waiters,
    ],
);

/// Longer than a child may take: a wait for this long hangs.
const NEVER: Duration = Duration::from_secs(3600);

fn builder(procs: usize, threads: usize) -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).procs(procs).max_threads(threads)
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// No more threads than that. One beyond the limit is allowed while main keeps m0 in a blocking call, and on a loaded
/// machine any call of main's is one: sysmon then takes its P. That thread is gone when main goes on.
fn keeps(limit: usize) {
    let seen = threads();
    assert!(seen <= limit + 1, "{seen} threads");
    wait_for_threads(limit);
}

/// The one thread beyond the limit is gone when the others are back.
fn wait_for_threads(limit: usize) {
    while threads() > limit {
        gmp::sleep(Duration::from_millis(1));
    }
}

/// What needs no thread of its own: a timer, a new goroutine, a channel, a yield.
fn go_on() {
    for _ in 0..10 {
        gmp::sleep(Duration::from_millis(1));
        assert_eq!(gmp::go(|| 7).join().unwrap(), 7);
        let (send, receive) = gmp::chan(0);
        gmp::go(move || send.send(1).unwrap());
        assert_eq!(receive.recv(), Ok(1));
        gmp::yield_now();
    }
}

/// A plain thread spawns while an M sleeps until a timer that is an hour away, and no other M can be made.
fn spawned_beside_a_timer() {
    let runtime = builder(2, 3).build().unwrap();
    let handle = runtime.handle();
    let plain = std::thread::spawn(move || {
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(5));
            handle.go(|| ()).unwrap().join().unwrap();
        }
        handle
    });
    let (done, wait) = gmp::chan::<()>(0);
    let watch = std::thread::spawn(move || {
        let handle = plain.join().unwrap();
        handle.go(move || drop(done)).unwrap().join().unwrap();
    });
    runtime.run(move || wait.recv_timeout(NEVER).unwrap_err()).unwrap();
    watch.join().unwrap();
    println!("done");
}

fn a_sleeper_is_taken_at_the_limit() {
    child("spawned_beside_a_timer").run().code(0).prints("done\n");
}

/// Goroutines that block until they are told not to: more of them than there are threads.
fn block_many(limit: usize) -> (Vec<mpsc::Sender<()>>, Vec<gmp::JoinHandle<bool>>) {
    (0..2 * limit)
        .map(|_| {
            let (release, wait) = mpsc::channel::<()>();
            (release, gmp::go(move || gmp::blocking(|| wait.recv().is_err())))
        })
        .unzip()
}

/// They block until main has gone on for a while.
fn block_all<P: gmp::contract::Policy>(builder: gmp::Builder<P>, limit: usize) {
    builder
        .build()
        .unwrap()
        .run(move || {
            let (release, blocked) = block_many(limit);
            // All but sysmon and the one that goes on.
            while gmp::stats().blocked < limit - 2 {
                go_on();
            }
            keeps(limit);
            drop(release);
            assert!(blocked.into_iter().all(|one| one.join().unwrap()));
            go_on();
            keeps(limit);
        })
        .unwrap();
    println!("done");
}

fn blocked_one_p() {
    block_all(builder(1, 3), 3);
}

fn blocked_two_ps() {
    block_all(builder(2, 5), 5);
}

fn blocked_random() {
    block_all(builder(3, 4).policy::<gmp::policy::Random>(), 4);
}

/// Calls that come back all the time, more of them than there are threads.
fn blocked_and_returning() {
    builder(2, 4)
        .build()
        .unwrap()
        .run(|| {
            let all: Vec<_> = (0..20)
                .map(|i| {
                    gmp::go(move || {
                        for j in 0..30 {
                            gmp::blocking(|| std::thread::sleep(Duration::from_micros(50 * (i + j) % 400)));
                        }
                    })
                })
                .collect();
            go_on();
            all.into_iter().for_each(|one| one.join().unwrap());
            keeps(4);
        })
        .unwrap();
    println!("done");
}

fn blocked_threads_leave_one_that_runs() {
    // Main goes on without the P of the others only once nobody was found for it.
    child("blocked_one_p").run().code(0).prints("done\n").says("thread exhaustion");
    for name in ["blocked_two_ps", "blocked_random", "blocked_and_returning"] {
        child(name).run().code(0).prints("done\n");
    }
}

/// Every thread but m0 is locked to a goroutine that waits for main.
fn locked_and_waiting() {
    builder(2, 5)
        .build()
        .unwrap()
        .run(|| {
            let (release, wait) = gmp::chan::<()>(0);
            let locked: Vec<_> = (0..3)
                .map(|_| {
                    let wait = wait.clone();
                    gmp::go(move || {
                        let _lock = gmp::lock_os_thread();
                        wait.recv().unwrap_err();
                    })
                })
                .collect();
            while gmp::stats().waiting < 3 {
                gmp::sleep(Duration::from_millis(1));
            }
            go_on();
            keeps(5);
            drop(release);
            locked.into_iter().for_each(|one| one.join().unwrap());
        })
        .unwrap();
    println!("done");
}

fn locked_threads_leave_one_that_runs() {
    child("locked_and_waiting").run().code(0).prints("done\n");
}

/// m0 sleeps for main, which is locked to it, and the only other thread is in the hands of a goroutine that has stepped
/// aside: none is left to sleep until the timer of the idle P.
fn looping_and_locked() {
    let late = builder(2, 3).lock_main(true).build().unwrap().run(|| {
        let looping = gmp::go(|| {
            let began = Instant::now();
            let (timed, _cancel) = Context::background().with_timeout(Duration::from_millis(60));
            while timed.err().is_none() {
                gmp::num_goroutines();
                if began.elapsed() > Duration::from_secs(60) {
                    return true;
                }
            }
            false
        });
        looping.join().unwrap()
    });
    assert!(!late.unwrap().value, "the timer has not gone off");
    println!("done");
}

fn a_timer_goes_off_where_no_thread_is_left_for_it() {
    child("looping_and_locked").run().code(0).prints("done\n");
}

/// Goroutines on the reserve wait for a thread to block on, while the only other thread ends with a leaked lock.
fn blocked_beside_ending_threads() {
    for procs in [1, 2] {
        builder(procs, 3)
            .build()
            .unwrap()
            .run(|| {
                for _ in 0..200 {
                    let ending = gmp::go(|| {
                        std::mem::forget(gmp::lock_os_thread());
                        gmp::blocking(|| std::thread::sleep(Duration::from_micros(200)));
                    });
                    let blocked: Vec<_> = (0..3)
                        .map(|_| {
                            gmp::go(|| {
                                gmp::yield_now();
                                gmp::blocking(|| std::thread::sleep(Duration::from_micros(50)));
                            })
                        })
                        .collect();
                    ending.join().unwrap();
                    blocked.into_iter().for_each(|one| one.join().unwrap());
                }
            })
            .unwrap();
    }
    println!("done");
}

fn a_thread_that_ends_makes_room_for_those_who_wait_for_one() {
    child("blocked_beside_ending_threads").run().code(0).prints("done\n");
}

/// m0 sleeps for main, which is locked to it, and every other thread blocks.
fn blocked_beside_a_locked_main() {
    for (procs, limit) in [(1, 3), (2, 4), (3, 3)] {
        builder(procs, limit)
            .lock_main(true)
            .build()
            .unwrap()
            .run(move || {
                let (release, blocked) = block_many(limit);
                let going_on = gmp::go(move || {
                    go_on();
                    assert!(threads() <= limit + 1, "{} threads", threads());
                    drop(release);
                });
                going_on.join().unwrap();
                assert!(blocked.into_iter().all(|one| one.join().unwrap()));
                gmp::go(move || wait_for_threads(limit)).join().unwrap();
            })
            .unwrap();
    }
    println!("done");
}

fn a_locked_main_leaves_one_that_runs() {
    child("blocked_beside_a_locked_main").run().code(0).prints("done\n").says("thread exhaustion");
}

/// Main has not left m0 yet when it blocks there, like everybody else.
fn blocked_beside_a_blocked_main() {
    for (procs, limit) in [(1, 3), (2, 4), (3, 3)] {
        builder(procs, limit)
            .build()
            .unwrap()
            .run(move || {
                let (release, blocked) = block_many(limit);
                let (told, hears) = mpsc::channel();
                gmp::go(move || {
                    go_on();
                    assert!(threads() <= limit + 1, "{} threads", threads());
                    told.send(()).unwrap();
                    drop(release);
                });
                gmp::blocking(|| hears.recv()).unwrap();
                assert!(blocked.into_iter().all(|one| one.join().unwrap()));
                wait_for_threads(limit);
            })
            .unwrap();
    }
    println!("done");
}

fn a_blocked_main_leaves_one_that_runs() {
    child("blocked_beside_a_blocked_main").run().code(0).prints("done\n").says("thread exhaustion");
}

/// The M that runs the others beyond the limit is locked by one of them, which waits.
fn blocked_beside_a_locked_reserve() {
    for procs in [1, 2] {
        builder(procs, 3)
            .lock_main(true)
            .build()
            .unwrap()
            .run(|| {
                let (release, blocked) = block_many(3);
                let (unlock, locks) = gmp::chan::<()>(0);
                let going_on = gmp::go(move || {
                    // By then this goroutine runs on the reserve.
                    gmp::sleep(Duration::from_millis(30));
                    let locked = gmp::go(move || {
                        let _lock = gmp::lock_os_thread();
                        locks.recv().unwrap_err();
                    });
                    gmp::sleep(Duration::from_millis(30));
                    go_on();
                    drop(unlock);
                    locked.join().unwrap();
                    go_on();
                    drop(release);
                });
                going_on.join().unwrap();
                assert!(blocked.into_iter().all(|one| one.join().unwrap()));
                gmp::go(|| wait_for_threads(3)).join().unwrap();
            })
            .unwrap();
    }
    println!("done");
}

fn a_locked_reserve_leaves_one_that_runs() {
    child("blocked_beside_a_locked_reserve").run().code(0).prints("done\n").says("thread exhaustion");
}

/// While one blocks on the only other thread, m0 runs the rest, and something is pinned to it.
fn pinned_to_the_reserve() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    for procs in [1, 2] {
        builder(procs, 3)
            .build()
            .unwrap()
            .run(|| {
                let (release, blocked) = block_many(1);
                while gmp::stats().blocked == 0 {
                    gmp::sleep(Duration::from_millis(1));
                }
                let over = Arc::new(AtomicBool::new(false));
                let told = over.clone();
                let pinned = gmp::go_pinned(move || {
                    while !told.load(Relaxed) {
                        gmp::yield_now();
                    }
                });
                gmp::sleep(Duration::from_millis(5));
                drop(release);
                assert!(blocked.into_iter().all(|one| one.join().unwrap()));
                // Nor does what is pinned keep the P from those who want a thread.
                for _ in 0..20 {
                    gmp::yield_now();
                    gmp::go(|| gmp::blocking(|| ())).join().unwrap();
                }
                over.store(true, Relaxed);
                pinned.join().unwrap();
            })
            .unwrap();
    }
    println!("done");
}

/// The reserve gave its P to an idle thread, which gave it back for the pinned goroutine, for ever.
fn a_reserve_runs_what_is_pinned_to_it() {
    child("pinned_to_the_reserve").run().code(0).prints("done\n");
}

/// Main returns while the only other thread sleeps for the goroutine that has locked it.
fn unwinds_beside_a_lock() {
    let runtime = builder(1, 3).at_main_return(gmp::AtMainReturn::Unwind).build().unwrap();
    let finished = runtime.run(|| {
        let (tell, told) = gmp::chan(1);
        drop(gmp::go(move || {
            let _lock = gmp::lock_os_thread();
            tell.send(()).unwrap();
            gmp::park();
        }));
        told.recv().unwrap();
        gmp::sleep(Duration::from_millis(5));
    });
    println!("{}", finished.unwrap().left.is_clean());
}

fn a_locked_goroutine_unwinds_at_the_limit() {
    child("unwinds_beside_a_lock").run().code(0).prints("true\n");
}

/// The world stops again and again while goroutines wait for a thread.
fn stops_beside_waiters() {
    for limit in [3, 4, 5] {
        builder(2, limit)
            .build()
            .unwrap()
            .run(move || {
                let block_now_and_then = || {
                    for _ in 0..200 {
                        gmp::blocking(|| std::thread::sleep(Duration::from_micros(50)));
                        gmp::yield_now();
                    }
                };
                let all: Vec<_> = (0..2 * limit).map(|_| gmp::go(block_now_and_then)).collect();
                for round in 0..500 {
                    gmp::set_max_procs(1 + round % 4);
                    gmp::sleep(Duration::from_micros(20));
                }
                all.into_iter().for_each(|one| one.join().unwrap());
            })
            .unwrap();
    }
    println!("done");
}

/// A P that went out of use could go idle beside an idle thread, and the goroutine waiting for a thread did not run.
fn who_waits_for_a_thread_gets_one_after_a_stop() {
    child("stops_beside_waiters").run().code(0).prints("done\n");
}
