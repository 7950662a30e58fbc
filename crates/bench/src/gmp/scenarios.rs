//! The group `policies`: programs on which scheduling policies differ, each drawn so that one of them is at its best.
//! What is seen in each, and why, stands in `docs/policies.md`.

mod executor_churn;
mod handler_chain;
mod hidden_order;
mod local_burst;
mod unequal_handlers;
mod uneven_tree;
mod wake_fanout;

use crate::catalogue::{Benchmark, sized, timed};

const ALL: &[Benchmark] = &[
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
            "one of 1,000 parked goroutines woken by one, with 200 ns of work",
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
            "unequal_handlers",
            &[2],
            &[20_000],
            500,
            "p99 of a short handler's time beside long ones",
        ),
        run: unequal_handlers::main,
    },
    Benchmark {
        workload: timed("local_burst", &[1, 2], "one of 200 empty goroutines spawned and awaited together"),
        run: local_burst::main,
    },
    Benchmark {
        workload: sized("hidden_order", &[1], &[1000], 100, "runs until a bug of order shows, at most n"),
        run: hidden_order::main,
    },
];

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Benchmark> {
    ALL.iter()
}

/// The one of this name.
pub(crate) fn find(name: &str) -> Option<&'static Benchmark> {
    all().find(|benchmark| benchmark.workload.name == name)
}
