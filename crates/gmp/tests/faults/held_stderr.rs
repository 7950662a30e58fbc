//! The scheduler reported under its lock, and waited for std's lock of standard error: a goroutine that held that and
//! waited for the scheduler waited for ever. The kind: what the runtime prints.

use crate::harness::{child, named};
use gmp::Builder;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault =
    (named![the_limit_of_threads_is_told_past_the_lock_of_standard_error], named![holds_stderr]);

fn holds_stderr() {
    let builder = Builder::new().policy::<gmp::policy::Go>().procs(2).max_threads(3);
    let finished = builder.build().unwrap().run(|| {
        let held = std::io::stderr().lock();
        let blocked = || gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(20))));
        let all: Vec<_> = (0..6).map(|_| blocked()).collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        drop(held);
    });
    finished.unwrap();
}

fn the_limit_of_threads_is_told_past_the_lock_of_standard_error() {
    // Where goroutines share thread-locals, such a lock must not be held over a wait.
    if gmp_arch_amd64::own_thread_locals_available().is_ok() {
        child("holds_stderr").run().code(0).says("runtime: program exceeds 3-thread limit");
    }
}
