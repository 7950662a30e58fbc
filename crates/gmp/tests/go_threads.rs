//! Go's own tests of goroutines and OS threads (`runtime/proc_test.go`, `crash_test.go`, `semasleep_test.go`), each in a
//! process of its own.

mod harness;
mod told;

use harness::{child, named};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

fn builder(procs: usize) -> gmp::Builder {
    told::moving(gmp::Builder::new()).procs(procs)
}

/// The kernel's number of the calling thread.
fn tid() -> i32 {
    nix::unistd::gettid().as_raw()
}

fn lock_nesting() {
    use gmp_core::goroutine::thread_locks;
    let counts = builder(2).build().unwrap().run(|| {
        gmp::go(|| {
            let outer = gmp::lock_os_thread();
            let inner = gmp::lock_os_thread();
            let two = thread_locks();
            drop(inner);
            let one = thread_locks();
            drop(outer);
            [two, one, thread_locks()]
        })
        .join()
        .unwrap()
    });
    println!("{:?}", counts.unwrap().value);
}

/// Go: TestLockOSThreadNesting.
fn locks_nest() {
    child("lock_nesting").run().code(0).prints("[2, 1, 0]\n");
}

fn ends_locked() {
    let reused = builder(2).build().unwrap().run(|| {
        let locked = gmp::go(|| {
            std::mem::forget(gmp::lock_os_thread());
            tid()
        });
        let ended = locked.join().unwrap();
        let task = format!("/proc/self/task/{ended}");
        while std::path::Path::new(&task).exists() {
            gmp::sleep(Duration::from_millis(1));
        }
        (0..1000).map(|_| gmp::go(tid)).map(|one| one.join().unwrap()).filter(|&tid| tid == ended).count()
    });
    println!("{}", reused.unwrap().value);
}

/// Go: TestLockOSThreadExit. A goroutine that ends locked takes its thread along, and TestMexitSTW beside it: the
/// world is stopped while threads end.
fn a_goroutine_that_ends_locked_ends_its_thread() {
    child("ends_locked").run().code(0).prints("0\n");
    child("threads_end_while_the_world_stops").run().code(0).prints("300\n");
}

fn threads_end_while_the_world_stops() {
    let ended = builder(4).build().unwrap().run(|| {
        let stops = gmp::go(|| {
            for i in 0..100 {
                gmp::set_max_procs(3 + i % 2);
                gmp::yield_now();
            }
        });
        let locked: Vec<_> = (0..300).map(|_| gmp::go(|| std::mem::forget(gmp::lock_os_thread()))).collect();
        let ended = locked.into_iter().map(|one| one.join().unwrap()).count();
        stops.join().unwrap();
        ended
    });
    println!("{}", ended.unwrap().value);
}

fn thread_exhaustion() {
    let ran = builder(2).max_threads(10).build().unwrap().run(|| {
        let may_end = Arc::new(AtomicBool::new(false));
        let locked: Vec<_> = (0..100)
            .map(|_| {
                let may_end = may_end.clone();
                gmp::go(move || {
                    let _lock = gmp::lock_os_thread();
                    gmp::sleep(Duration::from_millis(5));
                    while !may_end.load(Relaxed) {
                        gmp::sleep(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        // Nobody's thread comes back before there are as many as allowed, and somebody has asked for one more.
        while gmp::stats().threads < 10 {
            gmp::sleep(Duration::from_millis(1));
        }
        (0..20).for_each(|_| gmp::sleep(Duration::from_millis(1)));
        may_end.store(true, Relaxed);
        locked.into_iter().map(|one| one.join().unwrap()).count()
    });
    println!("{}", ran.unwrap().value);
}

/// Go: TestThreadExhaustion. Go's words are printed at the limit; gmp does not end there, and all goroutines run in the
/// end.
fn the_limit_of_threads_is_told_and_kept() {
    child("thread_exhaustion")
        .run()
        .code(0)
        .prints("100\n")
        .says("program exceeds 10-thread limit")
        .says("thread exhaustion");
}

fn signals_at_sleeping_threads() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    extern "C" fn nothing(_: i32) {}
    // SAFETY: the handler does nothing.
    unsafe { signal(Signal::SIGURG, SigHandler::Handler(nothing)) }.unwrap();
    let slept = builder(2).build().unwrap().run(|| {
        let start = std::time::Instant::now();
        let sleeper = gmp::go(|| gmp::sleep(Duration::from_millis(100)));
        let process = std::process::id();
        let shots = std::thread::spawn(move || {
            for _ in 0..50 {
                for task in std::fs::read_dir("/proc/self/task").unwrap().flatten() {
                    let tid: i32 = task.file_name().to_str().unwrap().parse().unwrap();
                    // SAFETY: a signal with a handler, to a thread of our own; one that has ended is an error.
                    unsafe { libc::syscall(libc::SYS_tgkill, process, tid, libc::SIGURG) };
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        sleeper.join().unwrap();
        let slept = start.elapsed();
        shots.join().unwrap();
        slept
    });
    println!("{}", slept.unwrap().value >= Duration::from_millis(100));
}

/// Go: TestSpuriousWakeupsNeverHangSemasleep. Signals neither wake a sleeping thread for good nor keep it asleep.
fn signals_do_not_disturb_a_sleep() {
    child("signals_at_sleeping_threads").run().code(0).prints("true\n");
}

fn main() -> ExitCode {
    harness::run(
        named![
            locks_nest,
            a_goroutine_that_ends_locked_ends_its_thread,
            the_limit_of_threads_is_told_and_kept,
            signals_do_not_disturb_a_sleep,
        ],
        named![
            lock_nesting,
            ends_locked,
            threads_end_while_the_world_stops,
            thread_exhaustion,
            signals_at_sleeping_threads,
        ],
    )
}
