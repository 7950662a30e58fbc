//! Calls from where there is no P: inside `blocking`, and into runtimes that never run.

use crate::account::{ACCOUNT, Ticket};
use crate::work::micros;
use fastrand::Rng;
use gmp::context::Context;
use gmp::{BuildError, JoinError, SpawnError};
use std::time::Duration;

/// Calls that never suspend, inside `blocking`, while others take the P: all of them on one thread.
pub(crate) fn without_a_p(rng: &mut Rng) {
    let (pause, ticket) = (micros(rng, 300), Ticket::new());
    let (to, from) = gmp::chan(1);
    let lock = rng.bool().then(gmp::lock_os_thread);
    let word = rng.u64(..);
    let (child, timer) = gmp::blocking(|| {
        std::thread::sleep(pause);
        let thread = std::thread::current().id();
        let child = gmp::go(move || {
            let _ticket = ticket;
            to.send(word).is_ok()
        });
        let timer = gmp::time::after(pause);
        // None with a deadline: the runtime may start a goroutine for its timer, which the account does not know.
        let (_context, cancel) = Context::background().with_cancel();
        match word % 6 {
            0 => drop(lock),
            1 => assert_eq!(gmp::on_system_stack(|| word), word),
            2 => assert!(gmp::stats().procs != 0 && gmp::num_goroutines() != 0),
            3 => drop(gmp::lock_os_thread()),
            4 => gmp::current().unwrap().unparker().unpark(),
            _ => cancel.cancel(),
        }
        if std::thread::current().id() != thread {
            ACCOUNT.complain(String::from("a call that never suspends came back on another thread"));
        }
        (child, timer)
    });
    if from.recv() != Ok(word) || !child.join().unwrap() || timer.recv().is_err() {
        ACCOUNT.complain(String::from("what was started inside a blocking call went wrong"));
    }
    // A permit that may have been left.
    gmp::park_timeout(Duration::ZERO);
}

/// A runtime that is dropped, or refused as nested, with a goroutine in it that somebody waits for.
pub(crate) fn never_runs(rng: &mut Rng, faults: bool) {
    // SAFETY: its goroutines never run.
    let built = unsafe { gmp::Builder::new().share_thread_locals() }.procs(1).build();
    let runtime = match built {
        // The system gives no thread to check it with.
        Err(BuildError::Refused(_)) if faults => return,
        built => built.unwrap(),
    };
    let handle = runtime.handle();
    let early = handle.go(|| 7).unwrap();
    let ticket = Ticket::new();
    let joiner = gmp::go(move || {
        let _ticket = ticket;
        early.join()
    });
    if rng.bool() {
        gmp::yield_now();
    }
    if rng.bool() {
        drop(runtime);
    } else {
        assert!(runtime.run(|| ()).is_err());
    }
    let refused = matches!(handle.go(|| 7), Err(SpawnError::NeverRan(_)));
    if !refused || !matches!(joiner.join().unwrap(), Err(JoinError::Abandoned)) {
        ACCOUNT.complain(String::from("a runtime that never ran has run, or kept somebody waiting"));
    }
}
