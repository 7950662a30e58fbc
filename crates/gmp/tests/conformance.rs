//! With one P and policy Go, goroutines run in exactly the order in which Go runs them.
//!
//! Each scenario is a Rust port of a program that real Go ran (1.27, GOMAXPROCS=1); what Go printed stands in
//! `conformance/golden/`, with its exit code and the first line of its standard error where they are not 0 and empty.
//! Each runs in a process of its own. `GMP_REPEAT=200 cargo test --test conformance` runs each 200 times.

#[path = "conformance/life.rs"]
mod life;
#[path = "conformance/prelude.rs"]
mod prelude;
#[path = "conformance/queues.rs"]
mod queues;

mod harness;

use gmp::Builder;
use gmp::policy::Go;
use harness::{Named, child};
use prelude::{flush, setup, twice};
use std::process::ExitCode;

/// Lists scenarios: for each a child that runs it, and a test of the same name that looks at what the child did.
macro_rules! scenarios {
    ($($module:ident :: $name:ident $($again:ident)?),* $(,)?) => {
        /// Each scenario as a child.
        mod children {
            $(pub(crate) fn $name() {
                super::run(scenarios!(@body $module $name $($again)?));
            })*
        }
        /// Each scenario's test, goroutines on stacks of their own.
        mod tests {
            $(pub(crate) fn $name() {
                super::matches_go(stringify!($name), "stacks");
            })*
        }
        /// The same with each goroutine an OS thread: another `Switch` below the same scheduler.
        mod one_thread_each {
            $(pub(crate) fn $name() {
                if !super::TOO_SLOW_IN_THREADS.contains(&stringify!($name)) {
                    super::matches_go(stringify!($name), "threads");
                }
            })*
        }
        const CHILDREN: &[Named] = &[$(Named { name: stringify!($name), call: children::$name }),*];
        const TESTS: &[Named] = &[
            $(Named { name: stringify!($name), call: tests::$name },)*
            $(Named { name: concat!("one_thread_each::", stringify!($name)), call: one_thread_each::$name },)*
        ];
    };
    (@body $module:ident $name:ident) => { crate::$module::$name };
    (@body $module:ident $name:ident twice) => { || crate::twice(crate::$module::$name) };
}

/// A chain of 300 spawns is to fit in one slice of 10 ms, and 300 threads cannot be started in that.
const TOO_SLOW_IN_THREADS: &[&str] = &["spawn_chain_starves_queue"];

scenarios! {
    queues::spawn_10,
    queues::spawn_256,
    queues::spawn_258,
    queues::spawn_386,
    queues::spawn_1000,
    queues::tick_align_probe,
    queues::gosched_global_batch,
    queues::gosched_roundrobin,
    queues::spawn_nested_tree,
    queues::spawn_chain_starves_queue twice,
    queues::runnext_pingpong_bystander twice,
    queues::runnext_kick,
    queues::sieve_trace twice,
    queues::spawn_exit_reuse twice,
    queues::goid_sequence,
    life::sleep_distinct twice,
    life::sleep_zero,
    life::goexit_defers,
    life::main_goexit_deadlock,
    life::deadlock_chan,
    life::no_deadlock_while_timer,
    life::main_exit_kills,
    life::lockosthread_roundtrip,
    life::gomaxprocs_noop,
    life::syscall_handoff,
    life::os_exit_from_goroutine,
}

/// The environment variable that says what a goroutine is.
const MODE: &str = "GMP_CONFORMANCE_MODE";

/// A scenario's process.
fn run(scenario: fn()) {
    let builder = Builder::new().policy::<Go>().procs(1);
    let builder = match std::env::var(MODE).as_deref() {
        Ok("threads") => builder.one_thread_each(),
        // SAFETY: no scenario holds a borrow of a thread-local, or a lock, across a suspension.
        _ => unsafe { builder.share_thread_locals() },
    };
    let done = builder.build().unwrap().run(move || {
        setup();
        scenario();
        flush();
    });
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

#[track_caller]
fn matches_go(name: &'static str, mode: &str) {
    let golden = |what: &str| {
        let path = format!("{}/tests/conformance/golden/{name}.{what}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).ok()
    };
    let done = child(name).env(MODE, mode).run();
    done.prints(&golden("txt").expect("every scenario has a golden"));
    done.code(golden("code").map_or(0, |code| code.trim().parse().expect("a code is a number")));
    match golden("stderr") {
        Some(line) => done.says_first(line.trim_end()),
        None => done.check(done.stderr.is_empty(), "says nothing on stderr"),
    };
}

fn main() -> ExitCode {
    harness::run(TESTS, CHILDREN)
}
