//! gmp itself: one file for each workload, each written as a program on the public interface.

mod batch_start;
mod blocking_sys;
mod chan_buffered_spsc;
mod chan_mpmc;
mod chan_pingpong;
mod fib;
pub(crate) mod go_benchmarks;
mod hog_fairness;
mod idle_rule;
mod idle_trickle;
mod latch;
mod matmul_steal;
mod mem_parked;
mod mutex_contended;
mod park_unpark;
mod park_unpark_chan;
mod policies;
mod runq;
pub(crate) mod scenarios;
mod select_2;
mod skynet;
mod sleep_many;
mod spawn_burst;
mod spawn_join;
mod spawn_tree;
mod switch_raw;
mod yields;

use crate::catalogue::{Benchmark, Library};
use crate::cell::{Cell, Figures, Result};
use ::gmp::contract::Policy;
use ::gmp::policy::WithIdle;
use ::gmp::{Builder, Finished, Handle};

pub(crate) const LIBRARY: Library = Library {
    name: "gmp",
    policies: policies::NAMES,
    idle_rules: idle_rule::NAMES,
    workloads: &[
        "switch_raw",
        "yield_2",
        "yield_1000",
        "spawn_join",
        "spawn_burst",
        "spawn_tree",
        "fib",
        "park_unpark",
        "park_unpark_chan",
        "skynet",
        "chan_pingpong",
        "chan_buffered_spsc",
        "chan_mpmc",
        "select_2",
        "mutex_contended",
        "mem_parked",
        "sleep_many",
        "hog_fairness",
        "blocking_sys",
        "blocking_sys_declared",
        "matmul_steal",
        "runq",
        "runq_stolen",
        "idle_trickle",
        "idle_trickle_timer",
        "batch_start",
    ],
    run,
};

/// The workload of this name, if it is in one of the groups that only gmp knows.
pub(crate) fn benchmark(name: &str) -> Option<&'static Benchmark> {
    go_benchmarks::all().chain(scenarios::all()).find(|benchmark| benchmark.workload.name == name)
}

fn run(cell: &Cell) -> Result<Figures> {
    if let Some(benchmark) = benchmark(&cell.workload) {
        return inside(cell, benchmark.run);
    }
    match cell.workload.as_str() {
        "switch_raw" => switch_raw::run(cell),
        "runq" | "runq_stolen" => runq::run(cell),
        "mem_parked" => mem_parked::run(cell),
        "yield_2" => inside(cell, |cell| yields::main(cell, 2)),
        "yield_1000" => inside(cell, |cell| yields::main(cell, 1000)),
        "spawn_join" => inside(cell, spawn_join::main),
        "spawn_burst" => inside(cell, spawn_burst::main),
        "spawn_tree" => inside(cell, spawn_tree::main),
        "fib" => inside(cell, fib::main),
        "park_unpark" => inside(cell, park_unpark::main),
        "park_unpark_chan" => inside(cell, park_unpark_chan::main),
        "skynet" => inside(cell, skynet::main),
        "chan_pingpong" => inside(cell, chan_pingpong::main),
        "chan_buffered_spsc" => inside(cell, chan_buffered_spsc::main),
        "chan_mpmc" => inside(cell, chan_mpmc::main),
        "select_2" => inside(cell, select_2::main),
        "mutex_contended" => inside(cell, mutex_contended::main),
        "sleep_many" => inside(cell, sleep_many::main),
        "hog_fairness" => inside(cell, hog_fairness::main),
        "blocking_sys" => inside(cell, |cell| blocking_sys::main(cell, false)),
        "blocking_sys_declared" => inside(cell, |cell| blocking_sys::main(cell, true)),
        "idle_trickle" => with_handle(cell, idle_trickle::from_thread),
        "idle_trickle_timer" => inside(cell, idle_trickle::from_timer),
        "batch_start" => with_handle(cell, batch_start::main),
        _ => inside(cell, matmul_steal::main),
    }
}

/// Measures from inside the first goroutine: a rival's timer would not count starting the runtime either.
fn inside(cell: &Cell, main: fn(&Cell) -> Result<Figures>) -> Result<Figures> {
    enter(cell, main)?.value
}

/// The same for workloads with plain threads, which submit by a handle.
fn with_handle(cell: &Cell, main: fn(&Cell, &Handle) -> Result<Figures>) -> Result<Figures> {
    let theirs = cell.clone();
    under_policy(cell, move |handle| main(&theirs, &handle))?.value
}

/// Runs `main` as the first goroutine of a runtime with the cell's policy, processors and thread-local mode.
fn enter(cell: &Cell, main: fn(&Cell) -> Result<Figures>) -> Result<Finished<Result<Figures>>> {
    let theirs = cell.clone();
    under_policy(cell, move |_| main(&theirs))
}

type Ended = Result<Finished<Result<Figures>>>;

fn under_policy(cell: &Cell, main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static) -> Ended {
    policies::for_policy!(cell, P => under_idle_rule::<P>(cell, main))
}

fn under_idle_rule<P: Policy>(
    cell: &Cell,
    main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static,
) -> Ended {
    match &cell.idle {
        None => on::<P>(cell, main),
        Some(name) => {
            idle_rule::pick(name)?;
            on::<WithIdle<P, idle_rule::Picked>>(cell, main)
        }
    }
}

fn on<P: Policy>(cell: &Cell, main: impl FnOnce(Handle) -> Result<Figures> + Send + 'static) -> Ended {
    let builder = Builder::new().policy::<P>().procs(cell.procs);
    let builder = match cell.mode.as_str() {
        // SAFETY: the workloads hold no borrow of a thread-local, no errno and nothing thread-bound over a call that
        // suspends; what they print and read they do before or after.
        "migrating" => unsafe { builder.share_thread_locals() },
        // SAFETY: no workload keeps a stack pointer in a thread-local.
        "pinned" => unsafe { builder.pinned() },
        "own" => builder.own_thread_locals(),
        "one-thread-each" => builder.one_thread_each(),
        other => {
            return Err(
                format!("no mode {other:?}; there are: migrating, own, pinned, one-thread-each").into()
            );
        }
    };
    // Failures as text: a report or a panic's payload need not be shareable between threads, our errors are.
    let runtime = builder.build().map_err(|error| error.to_string())?;
    let handle = runtime.handle();
    runtime.run(|| main(handle)).map_err(|error| error.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    fn cell(policy: &str, workload: &str) -> Cell {
        Cell {
            lib: "gmp".into(),
            policy: policy.into(),
            idle: None,
            workload: workload.into(),
            procs: 1,
            n: 0,
            quick: true,
            mode: "migrating".into(),
        }
    }

    /// The name of the policy that a cell runs under.
    fn name(cell: &Cell) -> Result<&'static str> {
        let name = Arc::new(Mutex::new(""));
        let seen = name.clone();
        under_policy(cell, move |handle| {
            *seen.lock().unwrap() = handle.policy();
            Ok(Figures::new(1, 1.0))
        })?
        .value?;
        let name = *name.lock().unwrap();
        Ok(name)
    }

    #[test]
    fn each_name_stands_for_its_own_policy() {
        for policy in LIBRARY.policies {
            assert_eq!(name(&cell(policy, "fib")).unwrap(), *policy);
        }
    }

    /// A policy that was put on the list and forgotten elsewhere was measured as Random.
    #[test]
    fn a_forgotten_policy_is_not_measured_as_another() {
        let refusal = name(&cell("new", "fib")).unwrap_err().to_string();
        assert!(refusal.contains(r#"policy "new""#), "{refusal}");
        let refusal = runq::run(&cell("new", "runq")).unwrap_err().to_string();
        assert!(refusal.contains(r#"policy "new""#), "{refusal}");
    }
}
