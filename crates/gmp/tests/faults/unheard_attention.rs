//! Once, an M whose runtime unwound kept the only P, asking for ever what was left to unwind, and heard no request to
//! stop the world. The kind: loops of the scheduler that come round without a look at the attention word.

use crate::harness::{child, named};
use gmp::AtMainReturn;
use gmp_core::WaitReason;
use gmp_core::park::{Commit, park};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![m0_leaves_what_others_unwind, parks_called_off_do_not_keep_the_world_going],
    named![pinned_scope, pinned_join, parks_called_off],
);

fn pinned() -> gmp::Builder<gmp::policy::Go> {
    // SAFETY: no child holds a borrow of a thread-local across a suspension.
    unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().pinned() }
        .procs(1)
        .at_main_return(AtMainReturn::Unwind)
}

/// Main waits until so many others do.
fn wait_for(others: usize) {
    gmp::sleep(Duration::from_millis(100));
    while gmp::stats().waiting < others {
        gmp::sleep(Duration::from_millis(1));
    }
}

/// A goroutine is pinned to m0 and waits at the end of its scope, for a child that is pinned to another M.
fn pinned_scope() {
    let finished = pinned().build().unwrap().run(|| {
        let started = gmp::go(|| {
            gmp::scope(|scope| {
                scope.go(gmp::park);
                gmp::blocking(|| std::thread::sleep(Duration::from_millis(50)));
            });
        });
        wait_for(2);
        drop(started);
    });
    println!("{}", finished.unwrap().left.is_clean());
}

/// The same with `join`, whose other half has gone to another M, and twice over.
fn pinned_join() {
    let finished = pinned().build().unwrap().run(|| {
        for _ in 0..2 {
            gmp::go(|| {
                gmp::join(
                    || gmp::blocking(|| std::thread::sleep(Duration::from_millis(50))),
                    || {
                        gmp::blocking(|| std::thread::sleep(Duration::from_millis(20)));
                        gmp::park();
                    },
                );
            });
        }
        wait_for(4);
    });
    println!("{}", finished.unwrap().left.is_clean());
}

fn m0_leaves_what_others_unwind() {
    child("pinned_scope").run().code(0).prints("true\n");
    child("pinned_join").run().code(0).prints("true\n");
}

/// One goroutine's parks are all called off, so that it comes to g0 and goes on at once. The world stops all the same.
fn parks_called_off() {
    static DONE: AtomicBool = AtomicBool::new(false);
    let builder = crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>());
    let finished = builder.procs(2).build().unwrap().run(|| {
        let restless = gmp::go(|| {
            while !DONE.load(Relaxed) {
                // SAFETY: the commit borrows nothing.
                unsafe { park(WaitReason::Park, None, Commit::Resume) };
            }
        });
        for i in 0..20 {
            gmp::set_max_procs(2 + i % 2);
        }
        DONE.store(true, Relaxed);
        restless.join().unwrap();
    });
    println!("{}", finished.is_ok());
}

fn parks_called_off_do_not_keep_the_world_going() {
    child("parks_called_off").run().code(0).prints("true\n");
}
