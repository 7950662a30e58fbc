//! The fault: a runtime that had ended kept the memory of its stacks for ever, since each of its Ps kept a few of them,
//! which counted as in use. The soak found it by looking at the size of the process.
//!
//! The kind: what is left of a runtime that has ended.

use super::refusals::in_use;
use super::undeclared_blocking::one_p;
use crate::harness::{child, named};

pub(crate) const FAULT: crate::Fault = (named![an_ended_runtime_keeps_no_memory], named![many_runtimes]);

fn some_runtimes() {
    for procs in [1, 2, 4].into_iter().cycle().take(90) {
        let finished = one_p().procs(procs).build().unwrap().run(|| {
            gmp::set_max_procs(2);
            let all: Vec<_> = (0..50).map(|_| gmp::go(gmp::yield_now)).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        });
        assert!(finished.unwrap().left.is_clean());
    }
}

fn many_runtimes() {
    some_runtimes();
    let before = in_use();
    some_runtimes();
    let grown = in_use().saturating_sub(before) >> 20;
    // Each kept 15 and more.
    println!("{}", if grown < 300 { "flat".to_owned() } else { format!("{grown} MiB more") });
}

fn an_ended_runtime_keeps_no_memory() {
    child("many_runtimes").env("MALLOC_ARENA_MAX", "1").run().code(0).prints("flat\n");
}
