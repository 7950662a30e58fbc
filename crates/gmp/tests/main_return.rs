//! What `run` leaves behind when main returns: goroutines running, suspended and never started, by `AtMainReturn`.

mod harness;
mod told;

use gmp::{AtMainReturn, Builder, Finished, Runtime};
use harness::{child, named};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

static RUNNING: AtomicBool = AtomicBool::new(false);
static STOP: AtomicBool = AtomicBool::new(false);
static UNWOUND: AtomicUsize = AtomicUsize::new(0);
static DROPPED: AtomicUsize = AtomicUsize::new(0);
static RAN: AtomicUsize = AtomicUsize::new(0);

/// Counts its drops.
struct Count(&'static AtomicUsize);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn runtime(what: AtMainReturn, procs: usize) -> Runtime {
    let builder = Builder::new().procs(procs).at_main_return(what);
    let builder = match std::env::var("GMP_MODE").as_deref() {
        Ok("threads") => builder.one_thread_each(),
        // SAFETY: no goroutine here holds a borrow of a thread-local across a suspension.
        Ok("pinned") => unsafe { builder.pinned() },
        _ => told::moving(builder),
    };
    builder.build().unwrap()
}

/// One that suspends with something on its stack.
fn suspended() {
    drop(gmp::go(|| {
        let _on_stack = Count(&UNWOUND);
        gmp::park();
    }));
}

/// One that is queued when main returns, with something in its closure.
fn never_started() {
    let in_closure = Count(&DROPPED);
    drop(gmp::go(move || {
        let _in_closure = in_closure;
        RAN.fetch_add(1, SeqCst);
    }));
}

fn show<T>(done: &Finished<T>) {
    let left = done.left;
    println!(
        "running {} suspended {} never started {}; unwound {} dropped {} ran {}",
        left.running,
        left.suspended,
        left.never_started,
        UNWOUND.load(SeqCst),
        DROPPED.load(SeqCst),
        RAN.load(SeqCst)
    );
}

/// Main leaves one of each; the running one computes until the process ends.
fn leak_all() {
    let done = runtime(AtMainReturn::Leak, 2).run(|| {
        drop(gmp::go(|| {
            RUNNING.store(true, SeqCst);
            while !STOP.load(SeqCst) {
                std::hint::spin_loop();
            }
        }));
        while !RUNNING.load(SeqCst) {
            gmp::yield_now();
        }
        suspended();
        while gmp::stats().waiting == 0 {
            gmp::yield_now();
        }
        never_started();
    });
    let done = done.unwrap();
    show(&done);
    STOP.store(true, SeqCst);
}

/// Those that suspend do so for ever; those that are queued never run, and their closures are dropped; those that run go
/// on until they next call the runtime.
fn leak_is_gos_way() {
    // In pinned mode main could wait for ever behind the one that computes on its thread.
    for mode in ["stacks", "threads"] {
        let done = child("leak_all").env("GMP_MODE", mode).run();
        done.code(0).prints("running 1 suspended 1 never started 1; unwound 0 dropped 1 ran 0\n");
    }
}

fn leak_queued() {
    let done = runtime(AtMainReturn::Leak, 1).run(|| (0..300).for_each(|_| never_started()));
    show(&done.unwrap());
}

/// With one P nobody runs after main, as in Go, whose main exits the process itself.
fn nobody_runs_after_main_has_returned() {
    for _ in 0..5 {
        let done = child("leak_queued").run();
        done.code(0).prints("running 0 suspended 0 never started 300; unwound 0 dropped 300 ran 0\n");
    }
}

fn wait_for_all() {
    let done = runtime(AtMainReturn::Wait, 2).run(|| {
        for i in 0..20 {
            drop(gmp::go(move || {
                let _unwound = Count(&UNWOUND);
                gmp::sleep(Duration::from_millis(i));
                never_started();
                gmp::blocking(|| std::thread::sleep(Duration::from_millis(1)));
            }));
        }
    });
    show(&done.unwrap());
}

/// `run` returns when all have ended, those that others start meanwhile too.
fn wait_waits_for_all() {
    for mode in ["stacks", "threads", "pinned"] {
        let done = child("wait_for_all").env("GMP_MODE", mode).run();
        done.code(0).prints("running 0 suspended 0 never started 0; unwound 20 dropped 20 ran 20\n");
    }
}

fn unwind_all() {
    let done = runtime(AtMainReturn::Unwind, 1).run(|| {
        suspended();
        drop(gmp::go(|| {
            let _on_stack = Count(&UNWOUND);
            gmp::sleep(Duration::from_secs(1000));
        }));
        drop(gmp::go(|| {
            let _on_stack = Count(&UNWOUND);
            // A destructor that suspends while it is unwound is waited for.
            struct Late;
            impl Drop for Late {
                fn drop(&mut self) {
                    gmp::sleep(Duration::from_millis(1));
                    UNWOUND.fetch_add(10, SeqCst);
                }
            }
            let _late = Late;
            gmp::park();
        }));
        drop(gmp::go(|| {
            let never = gmp::go(gmp::park);
            // It exited, or was abandoned by this join: who unwinds first is open.
            never.join().unwrap_err();
            UNWOUND.fetch_add(100, SeqCst);
        }));
        while gmp::stats().waiting < 5 {
            gmp::yield_now();
        }
        (0..3).for_each(|_| never_started());
    });
    let mut done = done.unwrap();
    // The last ones may be in their destructors still: they count as running then, and are not waited for.
    done.left.running = 0;
    while UNWOUND.load(SeqCst) < 113 {
        std::thread::yield_now();
    }
    show(&done);
}

/// Those that wait are woken and unwind, and those that never started are dropped.
fn unwind_unwinds_all() {
    for mode in ["stacks", "threads", "pinned"] {
        let done = child("unwind_all").env("GMP_MODE", mode).run();
        done.code(0).prints("running 0 suspended 0 never started 0; unwound 113 dropped 3 ran 0\n");
    }
}

fn unwind_running() {
    let done = runtime(AtMainReturn::Unwind, 2).run(|| {
        drop(gmp::go(|| {
            let _on_stack = Count(&UNWOUND);
            RUNNING.store(true, SeqCst);
            loop {
                gmp::yield_now();
            }
        }));
        while !RUNNING.load(SeqCst) {
            gmp::yield_now();
        }
    });
    done.unwrap();
    // One that was running is not waited for, so it is seen unwound a moment later.
    while UNWOUND.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
}

/// A goroutine that runs unwinds at its next suspension.
fn unwind_reaches_those_that_run() {
    child("unwind_running").run().code(0);
}

fn joined_from_outside() {
    let runtime = runtime(AtMainReturn::Leak, 1);
    let handle = runtime.handle();
    let (tell, hear) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let suspended = handle.go(gmp::park).unwrap();
        tell.send(()).unwrap();
        let error = suspended.join().unwrap_err();
        let closed = handle.go(|| {}).is_err();
        format!("{error:?} {closed} {}", handle.is_closed())
    });
    hear.recv().unwrap();
    runtime.run(gmp::yield_now).unwrap();
    println!("{}", thread.join().unwrap());
}

/// A plain thread that joins what was left is told so, and one that spawns then gets its closure back.
fn plain_threads_are_told_that_the_runtime_closed() {
    child("joined_from_outside").run().code(0).prints("Abandoned true true\n");
}

fn main() -> ExitCode {
    harness::run(
        named![
            leak_is_gos_way,
            nobody_runs_after_main_has_returned,
            wait_waits_for_all,
            unwind_unwinds_all,
            unwind_reaches_those_that_run,
            plain_threads_are_told_that_the_runtime_closed,
        ],
        named![leak_all, leak_queued, wait_for_all, unwind_all, unwind_running, joined_from_outside,],
    )
}
