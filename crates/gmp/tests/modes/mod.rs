//! The ways to run a goroutine: tests whose subject holds in all of them run in all of them.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use gmp::contract::Policy;
use gmp::policy::{Go, Random};
use gmp::{Builder, Runtime};

/// A builder whose goroutines move between threads.
pub(crate) fn builder() -> Builder {
    crate::told::moving(Builder::new())
}

/// Runs `main` on Go's policy with this many Ps.
#[track_caller]
pub(crate) fn on_go<T: Send + 'static>(procs: usize, main: impl FnOnce() -> T + Send + 'static) -> T {
    run(builder().policy::<Go>().procs(procs).build().unwrap(), main)
}

/// Runs `main` under both policies, on moving and pinned goroutines, and on goroutines that are threads.
#[track_caller]
pub(crate) fn everywhere(procs: usize, main: fn()) {
    on_stacks(procs, main);
    run(Builder::new().one_thread_each().policy::<Go>().procs(procs).build().unwrap(), main);
}

/// The same without pinned goroutines: a pinned main would wait for good behind a neighbour that keeps its thread.
#[track_caller]
pub(crate) fn unpinned(procs: usize, main: fn()) {
    moving(procs, main);
    run(Builder::new().one_thread_each().policy::<Go>().procs(procs).build().unwrap(), main);
}

/// The same without goroutines that are threads.
#[track_caller]
pub(crate) fn on_stacks(procs: usize, main: fn()) {
    moving(procs, main);
    // SAFETY: no test holds a borrow of a thread-local across a suspension.
    run(unsafe { Builder::new().pinned() }.policy::<Go>().procs(procs).build().unwrap(), main);
}

/// The same with moving goroutines only.
#[track_caller]
pub(crate) fn moving(procs: usize, main: fn()) {
    on_go(procs, main);
    run(builder().policy::<Random>().procs(procs).build().unwrap(), main);
}

#[track_caller]
fn run<P: Policy, T: Send + 'static>(runtime: Runtime<P>, main: impl FnOnce() -> T + Send + 'static) -> T {
    runtime.run(main).unwrap().value
}
