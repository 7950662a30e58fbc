//! gmp itself: one file for each workload, each written as a program on the public interface.

mod batch_start;
mod blocking_often;
mod blocking_short;
mod blocking_sys;
mod chan_buffered_spsc;
mod chan_mpmc;
mod chan_pingpong;
mod enter;
mod fib;
mod go_benchmarks;
mod hog_fairness;
mod idle_rule;
mod idle_trickle;
mod join;
mod latch;
mod matmul_steal;
mod mem_parked;
mod mutex_contended;
mod park_unpark;
mod park_unpark_chan;
mod policies;
mod runq;
mod scenarios;
mod select_2;
mod skynet;
mod sleep_many;
mod spawn_burst;
mod spawn_join;
mod spawn_tree;
mod switch_raw;
mod tcp_echo;
mod yields;

use crate::cell::{Cell, Figures, Result};
use crate::echo::MANY;
use crate::fork_join;
use crate::library::{self, Library, Programs};
use crate::workload::Run;
use ::gmp::Handle;
use enter::{inside, with_handle};
use join::Ours;

pub(crate) const LIBRARY: Library = Library {
    name: "gmp",
    policies: policies::NAMES,
    idle_rules: idle_rule::NAMES,
    workloads: || library::names(PROGRAMS),
    own_groups: &[("go-benchmarks", &go_benchmarks::FAMILIES), ("policies", &[scenarios::ALL])],
    run,
};

/// A workload's program, and where it runs.
#[derive(Clone, Copy)]
enum Program {
    /// It has no use for a runtime, or makes one itself.
    Alone(Run),
    /// As the first goroutine of a runtime.
    Inside(Run),
    /// The same, with a handle for plain threads.
    WithHandle(fn(&Cell, &Handle) -> Result<Figures>),
}

use Program::{Alone, Inside, WithHandle};

const PROGRAMS: &Programs<Program> = &[
    ("switch_raw", Alone(switch_raw::run)),
    ("yield_2", Inside(|cell| yields::main(cell, 2))),
    ("yield_1000", Inside(|cell| yields::main(cell, 1000))),
    ("spawn_join", Inside(spawn_join::main)),
    ("spawn_burst", Inside(spawn_burst::main)),
    ("spawn_tree", Inside(spawn_tree::main)),
    ("fib", Inside(fib::main)),
    ("join_fib", Inside(fork_join::fib::<Ours>)),
    ("join_tree", Inside(fork_join::tree::<Ours>)),
    ("join_sort", Inside(fork_join::sort::<Ours>)),
    ("park_unpark", Inside(park_unpark::main)),
    ("park_unpark_chan", Inside(park_unpark_chan::main)),
    ("skynet", Inside(skynet::main)),
    ("chan_pingpong", Inside(chan_pingpong::main)),
    ("chan_buffered_spsc", Inside(chan_buffered_spsc::main)),
    ("chan_mpmc", Inside(chan_mpmc::main)),
    ("select_2", Inside(select_2::main)),
    ("mutex_contended", Inside(mutex_contended::main)),
    ("mem_parked", Alone(mem_parked::run)),
    ("sleep_many", Inside(sleep_many::main)),
    ("hog_fairness", Inside(|cell| hog_fairness::main(cell, 1))),
    ("hog_fairness_4", Inside(|cell| hog_fairness::main(cell, 4))),
    ("blocking_sys", Inside(|cell| blocking_sys::main(cell, false))),
    ("blocking_sys_declared", Inside(|cell| blocking_sys::main(cell, true))),
    ("blocking_often", Inside(blocking_often::main)),
    ("blocking_short", Inside(blocking_short::main)),
    ("tcp_echo", Inside(|cell| tcp_echo::main(cell, MANY))),
    ("tcp_echo_1", Inside(|cell| tcp_echo::main(cell, 1))),
    ("matmul_steal", Inside(matmul_steal::main)),
    ("runq", Alone(runq::run)),
    ("runq_stolen", Alone(runq::run)),
    ("idle_trickle", WithHandle(idle_trickle::from_thread)),
    ("idle_trickle_timer", Inside(idle_trickle::from_timer)),
    ("batch_start", WithHandle(batch_start::main)),
];

fn run(cell: &Cell) -> Result<Figures> {
    if let Some(benchmark) = LIBRARY.benchmark(&cell.workload) {
        return inside(cell, benchmark.run);
    }
    match library::program(PROGRAMS, cell)? {
        Alone(run) => run(cell),
        Inside(main) => inside(cell, main),
        WithHandle(main) => with_handle(cell, main),
    }
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
            short: false,
            mode: "migrating".into(),
            recorder: false,
            no_retake: false,
            shards: 1,
        }
    }

    /// The name of the policy that a cell runs under.
    fn name(cell: &Cell) -> Result<&'static str> {
        let name = Arc::new(Mutex::new(""));
        let seen = name.clone();
        enter::under_policy(cell, move |handle| {
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
