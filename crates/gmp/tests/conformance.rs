//! With one P and policy Go, goroutines run in exactly the order in which Go runs them.
//!
//! Each scenario is a Rust port of a program that real Go ran (1.27, GOMAXPROCS=1); what Go printed stands in
//! `conformance/golden/`, with its exit code and the first line of its standard error where they are not 0 and empty.
//! Each runs in a process of its own. `GMP_REPEAT=200 cargo test --test conformance` runs each 200 times.

#[path = "conformance/chans.rs"]
mod chans;
#[path = "conformance/contexts.rs"]
mod contexts;
#[path = "conformance/deadlocks.rs"]
mod deadlocks;
#[path = "conformance/flows.rs"]
mod flows;
#[path = "conformance/fuzz.rs"]
mod fuzz;
#[path = "conformance/fuzz_select.rs"]
mod fuzz_select;
#[path = "conformance/fuzz_sync.rs"]
mod fuzz_sync;
#[path = "conformance/golden.rs"]
mod golden;
#[path = "conformance/life.rs"]
mod life;
#[path = "conformance/locks.rs"]
mod locks;
#[path = "conformance/prelude.rs"]
mod prelude;
#[path = "conformance/queues.rs"]
mod queues;
#[path = "conformance/selects.rs"]
mod selects;
#[path = "conformance/table.rs"]
mod table;
#[path = "conformance/timers.rs"]
mod timers;

mod harness;
mod told;

use gmp::Builder;
use gmp::policy::Go;
use golden::Golden;
use harness::{Named, child};
use prelude::{SlicesEnded, flush, setup, twice};
use std::process::ExitCode;
use std::sync::Arc;

/// Lists scenarios: for each a child that runs it, and a test of the same name that looks at what the child did.
macro_rules! scenarios {
    ($($module:ident :: $name:ident $($again:ident)?),* $(,)?) => {
        /// Each scenario as a child.
        mod children {
            $(pub(crate) fn $name() {
                super::run(crate::$module::$name, scenarios!(@again $($again)?));
            })*
        }
        /// Each scenario's test, with goroutines on stacks of their own.
        mod tests {
            $(pub(crate) fn $name() {
                super::matches_go(stringify!($name), "stacks");
            })*
        }
        /// The same with an OS thread for each goroutine: another `Switch` below the same scheduler.
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
            Named { name: "golden::differences_are_found", call: crate::golden::differences_are_found },
            Named {
                name: "golden::every_golden_has_a_scenario",
                call: every_golden_has_a_scenario,
            },
            Named {
                name: "table::unknown_names_are_answered_with_the_known_ones",
                call: crate::table::unknown_names_are_answered_with_the_known_ones,
            },
        ];
    };
    (@again) => { crate::Again::InThreads };
    (@again twice) => { crate::Again::Always };
    (@again ends) => { crate::Again::Never };
}

/// Whether a scenario repeats itself until two runs agree, because a slice may have ended in one of them.
#[derive(PartialEq)]
enum Again {
    /// It does, as in Go's program: it lasts, or goes by time.
    Always,
    /// It is far shorter than a slice of CPU time. Goroutines that are threads take longer, mostly to start.
    InThreads,
    /// It does not: it ends the process.
    Never,
}

/// A chain of 300 spawns is to fit in one slice of 10 ms, and 300 threads cannot be started in that. The wide random
/// programs start 60,000. A lock is handed over for good once somebody has waited for 1 ms, and on a busy machine that
/// is one switch of threads.
const TOO_SLOW_IN_THREADS: &[&str] =
    &["spawn_chain_starves_queue", "fuzz_wide", "fuzz_sync", "mutex_trylock"];

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
    queues::spawn_exit_reuse twice,
    queues::goid_sequence,
    chans::chan_recv_waiters,
    chans::chan_buffered_senders,
    chans::chan_buffered_prodcons,
    chans::chan_prodcons_buf_3x2,
    chans::chan_close_receivers,
    chans::chan_direct_handoff,
    chans::chan_closed_ops,
    chans::runnext_pingpong_bystander twice,
    chans::runnext_kick,
    chans::runnext_timeslice_bound,
    chans::sieve_trace twice,
    selects::select_one_ready,
    selects::select_send_recv_pair,
    selects::select_many_ready,
    selects::chan_close_select_mix,
    flows::chan_of_chan,
    flows::worker_pool,
    flows::semaphore_chan,
    flows::prodcons_pipeline,
    flows::token_ring twice,
    locks::waitgroup_waiters,
    locks::waitgroup_reuse,
    locks::mutex_normal_chain twice,
    locks::mutex_starving_handoff twice,
    locks::mutex_trylock twice,
    locks::rwmutex_queue twice,
    locks::once_waiters twice,
    locks::cond_broadcast,
    locks::cond_queue twice,
    timers::sleep_distinct,
    timers::sleep_zero,
    timers::afterfunc_order twice,
    timers::select_timeout,
    timers::timer_stop_reset twice,
    timers::ticker_select twice,
    timers::no_deadlock_while_timer,
    timers::x_expired_behind_200 twice,
    contexts::context_tree twice,
    life::goexit_defers,
    life::x_defer_ticks twice,
    life::main_goexit_deadlock ends,
    life::deadlock_chan ends,
    deadlocks::deadlock_mutex ends,
    deadlocks::deadlock_wg ends,
    deadlocks::deadlock_select ends,
    deadlocks::deadlock_rwmutex ends,
    deadlocks::deadlock_cond ends,
    life::main_exit_kills ends,
    life::lockosthread_roundtrip,
    life::gomaxprocs_noop,
    life::syscall_handoff,
    life::os_exit_from_goroutine ends,
    fuzz::fuzz_small,
    fuzz::fuzz_wide,
    fuzz_select::fuzz_select,
    fuzz_sync::fuzz_sync,
}

/// A golden with which nothing is compared proves nothing.
fn every_golden_has_a_scenario() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance/golden");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(CHILDREN.iter().any(|child| child.name == name), "{name} has a golden and no scenario");
    }
}

/// The environment variable that says what a goroutine is.
const MODE: &str = "GMP_CONFORMANCE_MODE";

/// A scenario's process.
fn run(scenario: fn(), again: Again) {
    let threads = std::env::var(MODE).as_deref() == Ok("threads");
    let builder = Builder::new().policy::<Go>().procs(1);
    let builder = if threads {
        // Hundreds of switches of threads may take longer than a slice.
        builder.one_thread_each().events(Arc::new(SlicesEnded))
    } else {
        told::moving(builder)
    };
    let done = builder.build().unwrap().run(move || {
        setup();
        if again == Again::Always || threads && again == Again::InThreads {
            twice(scenario);
        } else {
            scenario();
        }
        flush();
    });
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

/// Runs a scenario in a process of its own; the first difference from what Go did.
#[track_caller]
fn difference(name: &'static str, mode: &str) -> Option<String> {
    match child(name).env(MODE, mode).try_run() {
        Ok(done) => Golden::of(name).difference(&done),
        Err(hung) => Some(format!("does not end, and has printed {:?} by then", hung.stdout)),
    }
}

#[track_caller]
fn matches_go(name: &'static str, mode: &str) {
    if let Some(difference) = difference(name, mode) {
        panic!("{name}: {difference}");
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "--table" => {
            table::print(CHILDREN, rest, |name| difference(name, "stacks"))
        }
        _ => harness::run(TESTS, CHILDREN),
    }
}
