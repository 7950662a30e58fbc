//! Goroutines with thread-locals of their own: the hazards of docs/thread-locals.md, their life, and what the system does.
//!
//! Each program runs in a process of its own, so that one that goes wrong spoils no other. Programs of safe code are in
//! files that forbid `unsafe`. Most of them also run with shared thread-locals, where some must go wrong: this shows
//! that they test something.

#[path = "../harness/mod.rs"]
mod harness;

mod hazards;
mod libraries;
mod life;
mod system;

use gmp::Builder;
use gmp::policy::{Go, Random};
use std::process::ExitCode;

/// The environment variable that makes children share their thread-locals.
const SHARED: &str = "GMP_TEST_SHARED";

/// A builder of the mode that the child is to run in.
fn builder() -> Builder {
    if std::env::var_os(SHARED).is_some() {
        // SAFETY: none of this holds, and that is what is shown: the child may do anything.
        unsafe { Builder::new().share_thread_locals() }
    } else {
        Builder::new().own_thread_locals()
    }
}

/// Runs `main` under two policies on two Ps: one is Go's, the other moves goroutines about.
fn under_both(main: fn()) {
    builder().policy::<Random>().procs(2).build().unwrap().run(main).unwrap();
    builder().policy::<Go>().procs(2).build().unwrap().run(main).unwrap();
}

/// Runs this many goroutines, and raises the panics of each as its own.
fn in_goroutines(count: u32, f: fn(u32)) {
    let handles: Vec<_> = (0..count).map(|number| gmp::go(move || f(number))).collect();
    for handle in handles {
        handle.join().unwrap();
    }
}

/// Lists of tests and their children.
macro_rules! all {
    ($($file:ident),*) => {
        ([$($file::TESTS),*].concat(), [$($file::CHILDREN),*].concat())
    };
}

fn main() -> ExitCode {
    let (tests, children) = all!(hazards, life, libraries, system);
    if std::env::var_os("GMP_CHILD").is_none()
        && let Err(why) = Builder::new().own_thread_locals().build()
    {
        println!("skipped: {why}");
        return ExitCode::SUCCESS;
    }
    harness::run(&tests, &children)
}
