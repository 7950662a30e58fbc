//! A runtime that never ran accepted goroutines and said that it was not closed, and whoever joined one of them waited
//! for ever. The kind: each state that a runtime can be in, against each call of its handles. Nothing hangs, and an
//! error says why.

use crate::harness::{child, named};
use gmp::{AtMainReturn, Handle, JoinError, JoinHandle, SpawnError, Unparker};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        not_run_yet_waits,
        running_serves,
        main_returned_serves_the_others,
        closing_refuses,
        closed_refuses,
        dropped_unrun_refuses,
        refused_as_nested_refuses,
        a_run_without_a_thread_refuses,
        closures_are_dropped_once,
    ],
    named![
        not_run_yet,
        running,
        main_returned,
        closing,
        closed,
        dropped_unrun,
        refused_as_nested,
        run_without_a_thread,
        dropped_closures,
    ],
);

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>())
}

/// What the calls of a handle result in, in one state.
#[derive(Debug, PartialEq)]
enum Go {
    /// It runs.
    Runs,
    Closed,
    NeverRan,
}

/// Makes every call that there is, from a plain thread. `earlier`: a goroutine from before the state, if it never ended.
fn calls(handle: &Handle, earlier: Option<JoinHandle<u32>>, unparker: Option<&Unparker>) -> Go {
    let joined = earlier.map(JoinHandle::join);
    assert!(matches!(joined, None | Some(Err(JoinError::Abandoned))), "{joined:?}");
    let gone = |error: SpawnError<_>| {
        assert!(error.to_string().contains("would never run"), "{error}");
        match error {
            SpawnError::Closed(_) => Go::Closed,
            SpawnError::NeverRan(_) => Go::NeverRan,
            other => panic!("{other}"),
        }
    };
    let other = gmp::spawn().name("other").go_on(handle, seven as fn() -> u32);
    let go = match handle.go(seven as fn() -> u32) {
        Ok(seven) => {
            assert!(seven.number() != 0);
            assert_eq!(seven.join().unwrap(), 7);
            Go::Runs
        }
        Err(error) => gone(error),
    };
    assert_eq!(go, other.map_or_else(gone, |seven| (assert_eq!(seven.join().unwrap(), 7), Go::Runs).1));
    assert_eq!(handle.is_closed(), go != Go::Runs);
    // What only looks is right in every state.
    let stats = handle.stats();
    assert!(go == Go::Runs || stats.runnable == 0, "{stats:?}");
    assert!(handle.num_goroutines() < 100 && handle.max_procs() == 2 && handle.policy() != "");
    assert!(!handle.trace(true));
    if let Some(unparker) = unparker {
        unparker.unpark();
        unparker.clone().unpark();
    }
    // A context's function belongs to the runtime that it was given in, a channel to none.
    let (sender, receiver) = gmp::chan(1);
    sender.send(7).unwrap();
    assert_eq!(receiver.recv(), Ok(7));
    go
}

fn seven() -> u32 {
    7
}

/// Before `run`, what is started waits for it.
fn not_run_yet() {
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    let early = handle.go(seven).unwrap();
    assert!(!handle.is_closed() && !early.is_finished() && handle.num_goroutines() == 1);
    let joiner = thread::spawn(move || early.join());
    let caller = {
        let handle = handle.clone();
        thread::spawn(move || calls(&handle, None, None))
    };
    thread::sleep(Duration::from_millis(10));
    let ran =
        runtime.run(move || gmp::blocking(|| (joiner.join().unwrap().unwrap(), caller.join().unwrap())));
    println!("{:?}", ran.unwrap().value);
}

fn not_run_yet_waits() {
    child("not_run_yet").run().code(0).prints("(7, Runs)\n");
}

fn running() {
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    let ran = runtime.run(move || {
        let unparker = gmp::current().unwrap().unparker();
        let caller = thread::spawn(move || calls(&handle, None, Some(&unparker)));
        let go = gmp::blocking(|| caller.join().unwrap());
        gmp::park();
        go
    });
    println!("{:?}", ran.unwrap().value);
}

fn running_serves() {
    child("running").run().code(0).prints("Runs\n");
}

fn main_returned() {
    let runtime = builder().procs(2).at_main_return(AtMainReturn::Wait).build().unwrap();
    let handle = runtime.handle();
    let (tell, told) = mpsc::channel();
    let done = Arc::new(AtomicBool::new(false));
    let over = done.clone();
    let caller = thread::spawn(move || {
        told.recv().unwrap();
        let go = calls(&handle, None, None);
        over.store(true, SeqCst);
        (go, handle)
    });
    runtime
        .run(move || {
            drop(gmp::go(move || {
                // Long after main.
                gmp::sleep(Duration::from_millis(20));
                tell.send(()).unwrap();
                while !done.load(SeqCst) {
                    gmp::sleep(Duration::from_millis(1));
                }
            }));
        })
        .unwrap();
    let (go, handle) = caller.join().unwrap();
    println!("{go:?}, then {:?}", calls(&handle, None, None));
}

fn main_returned_serves_the_others() {
    child("main_returned").run().code(0).prints("Runs, then Closed\n");
}

/// A goroutine in user code, which cannot be stopped, while `run` has returned.
fn closing() {
    static STAY: AtomicBool = AtomicBool::new(true);
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    let (tell, told) = mpsc::channel();
    let left = runtime.run(move || {
        let parked = gmp::go(|| {
            gmp::park();
            7
        });
        let (started, starts) = gmp::chan(1);
        let stays = gmp::go(move || {
            gmp::blocking(|| {
                started.send(gmp::current().unwrap().unparker()).unwrap();
                while STAY.load(SeqCst) {
                    thread::sleep(Duration::from_millis(1));
                }
                // In a runtime that has closed: it never runs, and nobody is told before its starter comes back.
                gmp::go(seven)
            })
        });
        tell.send((parked, stays, starts.recv().unwrap())).unwrap();
        while gmp::stats().waiting == 0 {
            gmp::yield_now();
        }
    });
    let (parked, stays, unparker) = told.recv().unwrap();
    assert_eq!(left.unwrap().left.running, 1);
    println!("{:?}", calls(&handle, Some(parked), Some(&unparker)));
    STAY.store(false, SeqCst);
    // It comes back from its call, and its runtime is gone: it may get to its end, or not.
    println!("{}", matches!(stays.join(), Ok(_) | Err(JoinError::Abandoned)));
}

fn closing_refuses() {
    child("closing").run().code(0).prints("Closed\ntrue\n");
}

fn closed() {
    for at_main_return in [AtMainReturn::Leak, AtMainReturn::Wait, AtMainReturn::Unwind] {
        let runtime = builder().procs(2).at_main_return(at_main_return).build().unwrap();
        let handle = runtime.handle();
        let unparker = runtime.run(|| gmp::current().unwrap().unparker()).unwrap().value;
        println!("{:?}", calls(&handle, None, Some(&unparker)));
    }
}

fn closed_refuses() {
    child("closed").run().code(0).prints("Closed\nClosed\nClosed\n");
}

/// Goroutines from before, with somebody who waits for one of them.
fn unrun(handle: &Handle) -> (JoinHandle<u32>, thread::JoinHandle<Result<u32, JoinError>>) {
    let (waited, joined) = (handle.go(seven).unwrap(), handle.go(seven).unwrap());
    let waits = thread::spawn(move || waited.join());
    thread::sleep(Duration::from_millis(10));
    (joined, waits)
}

fn dropped_unrun() {
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    let (joined, waits) = unrun(&handle);
    drop(runtime);
    println!("{:?}", calls(&handle, Some(joined), None));
    println!("{:?}", waits.join().unwrap());
}

fn dropped_unrun_refuses() {
    child("dropped_unrun").run().code(0).prints("NeverRan\nErr(Abandoned)\n");
}

fn refused_as_nested() {
    let ran = builder().build().unwrap().run(|| {
        let runtime = builder().procs(2).build().unwrap();
        let handle = runtime.handle();
        let (joined, waits) = unrun(&handle);
        let refused = runtime.run(|| ()).map(drop);
        assert!(matches!(refused, Err(gmp::RunError::Nested)));
        // Goroutines of another runtime wait as goroutines.
        let other = gmp::go(move || joined.join());
        assert!(matches!(other.join().unwrap(), Err(JoinError::Abandoned)));
        (gmp::blocking(|| calls(&handle, None, None)), waits.join().unwrap())
    });
    println!("{:?}", ran.unwrap().value);
}

fn refused_as_nested_refuses() {
    child("refused_as_nested").run().code(0).prints("(NeverRan, Err(Abandoned))\n");
}

/// The system gives no thread for sysmon.
fn run_without_a_thread() {
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    let (joined, waits) = unrun(&handle);
    let none = libc::rlimit { rlim_cur: 0, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: sets a limit of this process, which ends in a moment.
    let limited = unsafe { libc::setrlimit(libc::RLIMIT_NPROC, &none) } == 0;
    let refused = limited && thread::Builder::new().spawn(|| ()).is_err();
    if !refused {
        // Whoever has the system's own rights has no such limit.
        println!("NeverRan\nErr(Abandoned)");
        drop(runtime);
        let _ = waits.join();
        return;
    }
    assert!(matches!(runtime.run(|| ()).map(drop), Err(gmp::RunError::Os(_))));
    println!("{:?}", calls(&handle, Some(joined), None));
    println!("{:?}", waits.join().unwrap());
}

fn a_run_without_a_thread_refuses() {
    child("run_without_a_thread").run().code(0).prints("NeverRan\nErr(Abandoned)\n");
}

/// What a closure holds is dropped when the runtime is, also if its destructor panics or starts another.
fn dropped_closures() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counts(Handle, u32);
    impl Drop for Counts {
        fn drop(&mut self) {
            DROPS.fetch_add(1, SeqCst);
            assert!(matches!(self.0.go(seven), Err(SpawnError::NeverRan(_))));
            assert!(self.1 != 3, "a destructor's");
        }
    }
    let runtime = builder().procs(2).build().unwrap();
    let handle = runtime.handle();
    for n in 0..200 {
        let counts = Counts(handle.clone(), n);
        drop(handle.go(move || drop(counts)).unwrap());
    }
    drop(runtime);
    println!("{}, {}", DROPS.load(SeqCst), handle.num_goroutines());
}

fn closures_are_dropped_once() {
    child("dropped_closures").run().code(0).prints("200, 0\n");
}
