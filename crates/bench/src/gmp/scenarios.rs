//! The group `policies`: programs on which scheduling policies differ, each designed so that one of them is at its
//! best. `docs/policies.md` says what each shows, and why.

mod bystander;
mod executor_churn;
mod handler_chain;
mod hidden_order;
mod local_burst;
mod uneven_tree;
mod wake_fanout;

use crate::workload::{Benchmark, sized, timed};

/// All of them.
pub(super) const ALL: &[Benchmark] = &[
    Benchmark {
        workload: timed(
            "handler_chain",
            &[2],
            "one hand-over in 32 chains of 4 short handlers, each working on 4 KiB",
        ),
        run: handler_chain::main,
    },
    Benchmark {
        workload: timed("executor_churn", &[2], "one request to one of 4 workers in turn, with 1 us of work"),
        run: executor_churn::main,
    },
    Benchmark {
        workload: timed(
            "wake_fanout",
            &[2],
            "one of 200 parked goroutines, woken by two others and at work for 20 ns",
        ),
        run: wake_fanout::main,
    },
    Benchmark {
        workload: sized(
            "uneven_tree",
            &[1, 2],
            &[1_000_000],
            20_000,
            "one of about n nodes of an uneven tree of spawns",
        ),
        run: uneven_tree::main,
    },
    Benchmark {
        workload: sized(
            "bystander",
            &[1],
            &[100],
            5,
            "p99 of n yields beside two that hand a message to and fro",
        ),
        run: bystander::main,
    },
    Benchmark {
        workload: timed("local_burst", &[1, 2], "one of 200 empty goroutines spawned and awaited together"),
        run: local_burst::main,
    },
    Benchmark {
        workload: sized("hidden_order", &[1], &[1000], 100, "runs until a bug of order shows, at most n")
            .counted_in("runs"),
        run: hidden_order::main,
    },
];
