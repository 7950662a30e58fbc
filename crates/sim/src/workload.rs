//! Workloads: what virtual goroutines do, step by step.
//!
//! Each follows a workload of the bench, so that the two can be compared (`cargo xtask sim validate`).

mod fan_out;
mod pingpong_pairs;
mod program;
mod spawn_tree;
mod trickle;
mod uneven;

pub(crate) use program::{Do, Program, Size, Task};

/// A workload by its name.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// The name.
    pub name: &'static str,
    /// What `n` and one operation are.
    pub about: &'static str,
    /// The size if none is asked for; 0: it depends on the number of processors.
    pub n: u64,
    /// The largest size.
    pub most: u64,
    /// The bench's workload that is the same program.
    pub measured_as: &'static str,
    start: fn(&Size) -> Box<dyn Program>,
}

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    Workload {
        name: "spawn_tree",
        about: "one node of a binary tree of depth n; each inner node spawns two children and waits for both",
        n: 12,
        most: 22,
        measured_as: "spawn_tree",
        start: spawn_tree::start,
    },
    Workload {
        name: "fan_out",
        about: "one wake; each of n wakers (as many as processors, at least 2) wakes 100 that work for 20 ns and park",
        n: 0,
        most: 1024,
        measured_as: "wake_fanout",
        start: fan_out::start,
    },
    Workload {
        name: "trickle",
        about: "CPU time of one of n empty goroutines, one a ms, from a goroutine that sleeps in between",
        n: 100,
        most: 100000,
        measured_as: "idle_trickle_timer",
        start: trickle::start,
    },
    Workload {
        name: "pingpong_pairs",
        about: "one round trip between the two of one of n pairs (as many as processors)",
        n: 0,
        most: 10000,
        measured_as: "chan_pingpong",
        start: pingpong_pairs::start,
    },
    Workload {
        name: "uneven",
        about: "one of n nodes of a tree in which one child of four has most of what is below",
        n: 8192,
        most: 4000000,
        measured_as: "uneven_tree",
        start: uneven::start,
    },
];

impl Workload {
    /// The workload of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<&'static Self, String> {
        let names = || WORKLOADS.iter().map(|workload| workload.name).collect::<Vec<_>>().join(", ");
        let found = WORKLOADS.iter().find(|workload| workload.name == name);
        found.ok_or_else(|| format!("no workload {name:?}; there are: {}", names()))
    }

    pub(crate) fn start(&self, size: Size) -> Box<dyn Program> {
        (self.start)(&Size { n: if size.n == 0 { self.n } else { size.n }, ..size })
    }
}
