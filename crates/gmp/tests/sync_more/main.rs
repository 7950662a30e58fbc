//! What is built from channels and locks: oneshot, errgroup, watch and broadcast. Each is tried with ends that are
//! dropped while others wait, with plain threads beside goroutines, in a runtime that closes, and with values, closures
//! and destructors that call back.

#[path = "../told/mod.rs"]
mod told;

mod broadcast;
mod errgroup;
mod oneshot;
mod watch;

use gmp::{AtMainReturn, Builder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn builder(procs: usize) -> Builder {
    told::moving(Builder::new()).procs(procs)
}

/// Runs it with one P, with several, and with goroutines that are threads.
fn everywhere(main: fn()) {
    for procs in [1, 3] {
        builder(procs).build().unwrap().run(main).unwrap();
    }
    Builder::new().procs(2).one_thread_each().build().unwrap().run(main).unwrap();
}

/// Runs it in a runtime that unwinds what is left when main returns.
fn closing(main: fn()) {
    for procs in [1, 3] {
        builder(procs).at_main_return(AtMainReturn::Unwind).build().unwrap().run(main).unwrap();
    }
}

/// Yields until this many goroutines wait.
fn until_waiting(goroutines: usize) {
    while gmp::stats().waiting < goroutines {
        gmp::yield_now();
    }
}

/// Counts itself among the living.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>, u32);

impl Counted {
    fn new(living: &Arc<AtomicUsize>, value: u32) -> Self {
        living.fetch_add(1, SeqCst);
        Self(living.clone(), value)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0, self.1)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        // A destructor may suspend where its owner may.
        if gmp::current().is_some() && !std::thread::panicking() {
            gmp::yield_now();
        }
        self.0.fetch_sub(1, SeqCst);
    }
}
