//! The fault: `run` hung where the system refused the first worker thread, aborted where it refused a signal stack, and
//! the warning named the runtime's own limit, whatever had refused.
//!
//! The kind: each thing that the system can refuse, at each step of a runtime's life. Either an error names what was
//! refused, or the goroutines that need it wait until it can be had. Here a limit on address space refuses; where the
//! number of a process's threads is limited (`ulimit -u`, a cgroup's `pids.max`) the same calls fail.

use crate::harness::{child, let_threads_begin, named};
use gmp::{BuildError, Builder, RunError};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        without_a_worker_run_is_an_error,
        a_refused_worker_is_not_missed_while_others_work,
        every_limit_of_memory_ends_in_a_result_or_an_error,
        a_mode_that_was_refused_once_is_there_when_the_pressure_is_over,
        a_run_without_sysmon_leaves_no_thread,
    ],
    named![
        main_waits_without_a_worker,
        second_worker_is_refused,
        at_each_limit,
        a_look_is_refused,
        sysmon_is_refused,
    ],
);

fn builder() -> Builder<gmp::policy::Go> {
    crate::told::moving(Builder::new().policy::<gmp::policy::Go>())
}

/// Address space in use, in bytes.
pub(crate) fn in_use() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

pub(crate) fn limit_to(bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the pointer is valid; a limit changes no memory.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

pub(crate) fn no_limit() {
    limit_to(libc::RLIM_INFINITY);
}

/// From here on the system gives neither threads nor large stacks any more: a thread wants 2 MiB.
pub(crate) fn no_more_threads() {
    let_threads_begin();
    limit_to(in_use() + (1 << 20));
}

/// `run`, from a thread that sysmon and m0 have been made for already.
fn main_waits_without_a_worker() {
    let result = builder().procs(1).build().unwrap().run(|| {
        no_more_threads();
        gmp::sleep(Duration::from_millis(1));
    });
    match result {
        Err(RunError::Os(error)) => {
            println!("{}", error.to_string().starts_with("a thread for goroutines: "))
        }
        other => println!("{other:?}"),
    }
    no_limit();
    assert_eq!(builder().build().unwrap().run(|| gmp::go(|| 3).join().unwrap()).unwrap().value, 3);
}

fn second_worker_is_refused() {
    let result = builder().procs(2).build().unwrap().run(|| {
        gmp::go(|| ()).join().unwrap();
        no_more_threads();
        let all: Vec<_> = (0..100).map(|i| gmp::go(move || i)).collect();
        let sum: i32 = all.into_iter().map(|each| each.join().unwrap()).sum();
        // The P of this call is wanted by another thread, which cannot be had.
        gmp::blocking(|| std::thread::sleep(Duration::from_millis(30)));
        no_limit();
        sum
    });
    assert_eq!(result.unwrap().value, 4950);
}

/// The first look at what thread-locals of one's own need comes to nothing for want of memory.
fn a_look_is_refused() {
    // Its stack is kept for the thread of the next check. What that thread's signal stack needs is left.
    std::thread::spawn(|| ()).join().unwrap();
    limit_to(in_use() + (128 << 10));
    let refused = Builder::new().build().map(drop);
    no_limit();
    match (Builder::new().build(), refused) {
        (Ok(runtime), Err(BuildError::Refused(why))) if why.to_string().contains("look at a new thread") => {
            println!("{}", runtime.run(|| gmp::go(|| 3).join().unwrap()).unwrap().value)
        }
        // There is no such mode here.
        (Err(BuildError::OwnThreadLocals(_)), _) => println!("3"),
        (_, refused) => println!("{refused:?}"),
    }
}

/// One program under limits from hopeless to enough.
fn at_each_limit() {
    let extra: u64 = std::env::var("GMP_TEST_EXTRA").unwrap().parse().unwrap();
    limit_to(in_use() + extra);
    let runtime = match builder().procs(4).build() {
        Ok(runtime) => runtime,
        Err(error) => return println!("{error}"),
    };
    let result = runtime.run(|| {
        let all: Vec<_> = (0..50)
            .map(|i| {
                gmp::go(move || {
                    gmp::yield_now();
                    gmp::blocking(|| std::thread::sleep(Duration::from_millis(1)));
                    i
                })
            })
            .collect();
        all.into_iter().filter_map(|each| each.join().ok()).count()
    });
    match result {
        Ok(finished) => println!("{} of 50", finished.value),
        Err(error) => println!("{error}"),
    }
}

fn without_a_worker_run_is_an_error() {
    let done = child("main_waits_without_a_worker").env("MALLOC_ARENA_MAX", "1").run();
    done.code(0).prints("true\n").says("the operating system refused a thread for goroutines: ");
    done.never_says("thread limit").never_says("10000");
}

fn a_refused_worker_is_not_missed_while_others_work() {
    child("second_worker_is_refused").env("MALLOC_ARENA_MAX", "1").run().code(0);
}

/// The refusal was kept, and refused the default mode for as long as the process lived.
fn a_mode_that_was_refused_once_is_there_when_the_pressure_is_over() {
    child("a_look_is_refused").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("3\n");
}

/// Memory for the program's own values is std's business, and so is a thread's signal stack, if others have taken the
/// memory since we asked for it: std aborts with a message of its own.
fn every_limit_of_memory_ends_in_a_result_or_an_error() {
    for mib in [0, 1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 128] {
        let extra = ((mib << 20) + (200 << 10)).to_string();
        let done = child("at_each_limit").env("MALLOC_ARENA_MAX", "1").env("GMP_TEST_EXTRA", extra).run();
        let of_std = ["memory allocation of", "failed to allocate an alternative stack"];
        if of_std.iter().any(|message| done.stderr.contains(message)) {
            continue;
        }
        let told = done.stdout == "50 of 50\n" || done.stdout.starts_with("the operating system refused ");
        done.code(0).check(told, "comes to a result or names what was refused");
    }
}

/// There is memory for one thread more, and a plain thread starts goroutines as `run` begins: if a worker takes it,
/// sysmon goes without. How often that comes to pass is up to the system, so it is tried for a while.
fn sysmon_is_refused() {
    let mut refused = 0;
    for _ in 0..300 {
        let runtime = builder().procs(2).build().unwrap();
        let handle = runtime.handle();
        let (began, begin) = std::sync::mpsc::channel();
        let submitter = std::thread::spawn(move || {
            while handle.go(|| ()).is_ok() {
                let _ = began.send(());
                // Now and then the worker finds nothing to do.
                (0..1000).for_each(|_| std::hint::spin_loop());
            }
        });
        begin.recv().unwrap();
        limit_to(in_use() + (5 << 19));
        let result = runtime.run(|| 3);
        no_limit();
        submitter.join().unwrap();
        refused += u32::from(result.is_err_and(|error| error.to_string().contains("a thread for sysmon")));
        if refused == 5 {
            break;
        }
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while threads() > 1 && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{} thread", threads());
}

fn a_run_without_sysmon_leaves_no_thread() {
    child("sysmon_is_refused").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("1 thread\n");
}
