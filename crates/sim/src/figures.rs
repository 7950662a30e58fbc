//! What a run came to.

use crate::clock::{Time, nanoseconds};
use crate::waits::Waits;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// Figures by their names.
pub type Figures = BTreeMap<String, f64>;

/// What is counted during a run.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) dispatches: Count,
    pub(crate) steals: Count,
    pub(crate) stolen: Count,
    pub(crate) looks: Count,
    /// Looks into a victim's queue that gave nothing.
    pub(crate) wasted_looks: Count,
    pub(crate) wakes: Count,
    pub(crate) threads: Count,
    pub(crate) spilled: Count,
    pub(crate) contended: Count,
    pub(crate) migrations: Count,
    /// Those of them that came from another node.
    pub(crate) far_migrations: Count,
    /// The time in which Ps ran goroutines; in which they looked for work at others; in which Ms were awake at all.
    pub(crate) running: Count,
    pub(crate) looking: Count,
    pub(crate) awake: Count,
    pub(crate) alive: Cell<u64>,
    pub(crate) most_alive: Cell<u64>,
    pub(crate) waits: RefCell<Waits>,
}

/// A number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Count(Cell<u64>);

impl Count {
    pub(crate) fn add(&self, more: u64) {
        self.0.set(self.0.get() + more);
    }

    fn get(&self) -> f64 {
        self.0.get() as f64
    }
}

/// The shares of goroutines for whose wait there is a figure, in per cent. The names are those of the bench.
const LATENCIES: [(f64, &str); 5] = [
    (50.0, "latency_50"),
    (90.0, "latency_90"),
    (99.0, "latency_99"),
    (99.9, "latency_99.9"),
    (100.0, "latency_100"),
];

impl Counts {
    pub(crate) fn born(&self) {
        self.alive.set(self.alive.get() + 1);
        self.most_alive.set(self.most_alive.get().max(self.alive.get()));
    }

    pub(crate) fn ended(&self) {
        self.alive.set(self.alive.get() - 1);
    }

    /// The figures of a run with this many operations, which took this long on this many processors.
    pub(crate) fn figures(&self, operations: u64, elapsed: Time, procs: usize, counts_cpu: bool) -> Figures {
        let (ops, elapsed) = (operations as f64, nanoseconds(elapsed));
        let ns = |count: &Count| count.get() / 1e3;
        let cpu = ns(&self.awake) / ops;
        let per_thousand = |count: &Count| count.get() / ops * 1e3;
        let mut figures: Figures = [
            ("ns_per_op", if counts_cpu { cpu } else { elapsed / ops }),
            ("elapsed_ns", elapsed),
            ("throughput", ops / elapsed * 1e9),
            ("cpu_ns_per_op", cpu),
            ("dispatches", per_thousand(&self.dispatches)),
            ("steals", per_thousand(&self.steals)),
            ("stolen", per_thousand(&self.stolen)),
            ("looks", per_thousand(&self.looks)),
            ("wasted_looks", per_thousand(&self.wasted_looks)),
            ("wakes", per_thousand(&self.wakes)),
            ("spilled", per_thousand(&self.spilled)),
            ("contended", per_thousand(&self.contended)),
            ("migrations", per_thousand(&self.migrations)),
            ("far_migrations", per_thousand(&self.far_migrations)),
            ("threads", self.threads.get()),
            ("busy", ns(&self.running) / elapsed / procs as f64),
            ("looking", ns(&self.looking) / elapsed / procs as f64),
            ("most_goroutines", self.most_alive.get() as f64),
            ("fairness", self.waits.borrow().fairness()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let waits = self.waits.borrow();
        figures.extend(LATENCIES.map(|(percent, name)| (name.to_owned(), waits.at(percent))));
        figures
    }
}
