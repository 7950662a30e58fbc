//! A goroutine's record is used again, and what one goroutine left in it must not come to the next: `docs/records.md`
//! says for each field what takes care of that. A goroutine that was abandoned with its thread locked once handed its
//! locks on.

use crate::harness::{child, named};
use gmp::{Builder, Wake};
use std::cell::Cell;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![the_next_goroutine_begins_anew, the_next_runtime_begins_anew],
    named![next_goroutine, next_runtime],
);

gmp::g_local! {
    static MINE: Cell<u32> = Cell::new(0);
}

fn builder() -> Builder<gmp::policy::Go> {
    crate::told::moving(Builder::new().policy::<gmp::policy::Go>())
}

/// How a goroutine ends that has left its mark on all that a record holds.
#[derive(Clone, Copy, PartialEq)]
enum Ends {
    Returns,
    Panics,
    Exits,
    /// With its thread, which it has locked for good.
    Locked,
    Unwanted,
    /// It does not end: its runtime abandons it.
    Sleeps,
}

/// Starts one and, unless it sleeps, waits for its end; its unparkers go on to be used.
fn start(ends: Ends) -> gmp::Unparker {
    let (told, tell) = gmp::chan(1);
    let spawn = gmp::spawn().name("marked").label("mark", "old").stack_size(128 << 10);
    let body = move || {
        MINE.set(7);
        let me = gmp::current().unwrap();
        assert_eq!(me.name.as_deref(), Some("marked"));
        let locks = [gmp::lock_os_thread(), gmp::lock_os_thread()];
        assert_eq!(gmp::park_timeout(Duration::from_micros(1)), Wake::TimedOut);
        told.send(me.unparker()).unwrap();
        match ends {
            Ends::Returns | Ends::Unwanted => {}
            Ends::Panics => std::panic::resume_unwind(Box::new(1)),
            Ends::Exits => gmp::exit(),
            Ends::Locked => core::mem::forget(locks),
            Ends::Sleeps => loop {
                gmp::sleep(Duration::from_secs(3600));
            },
        }
    };
    let handle = spawn.go(body).unwrap();
    let unparker = tell.recv().unwrap();
    match ends {
        Ends::Sleeps | Ends::Unwanted => drop(handle),
        _ => _ = handle.join(),
    }
    unparker.unpark();
    unparker
}

/// A plain goroutine finds nothing of another's.
fn is_new(parent: u64) {
    let me = gmp::current().unwrap();
    assert_eq!((me.name.as_deref(), me.labels.len(), me.parent, me.ancestors.len()), (None, 0, parent, 0));
    assert_eq!((gmp_core::goroutine::thread_locks(), MINE.get()), (0, 0));
    {
        let _lock = gmp::lock_os_thread();
        assert_eq!(gmp_core::goroutine::thread_locks(), 1);
    }
    assert_eq!(gmp_core::goroutine::thread_locks(), 0, "it is let go of by one unlock");
    assert_eq!(
        gmp::park_timeout(Duration::from_micros(1)),
        Wake::TimedOut,
        "a permit was left in the record"
    );
}

fn all_are_new(old: &[gmp::Unparker]) {
    let parent = gmp::current().unwrap().number;
    let all: Vec<_> = (0..300).map(|_| gmp::go(move || is_new(parent))).collect();
    old.iter().for_each(gmp::Unparker::unpark);
    all.into_iter().for_each(|one| one.join().unwrap());
    old.iter().for_each(gmp::Unparker::unpark);
}

fn next_goroutine() {
    let main = || {
        let mut old = Vec::new();
        for ends in [Ends::Returns, Ends::Panics, Ends::Exits, Ends::Locked, Ends::Unwanted] {
            old.push(start(ends));
            all_are_new(&old);
        }
    };
    builder().procs(1).build().unwrap().run(main).unwrap();
}

fn the_next_goroutine_begins_anew() {
    child("next_goroutine").run().code(0);
}

/// What a runtime abandons, another one's goroutines get.
fn next_runtime() {
    let leave = || (0..20).map(|_| start(Ends::Sleeps)).collect::<Vec<_>>();
    let old = builder().procs(2).build().unwrap().run(leave).unwrap().value;
    builder().procs(2).build().unwrap().run(move || all_are_new(&old)).unwrap();
}

fn the_next_runtime_begins_anew() {
    child("next_runtime").run().code(0);
}
