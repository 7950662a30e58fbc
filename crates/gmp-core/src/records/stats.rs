//! `Stats`: statistics of a runtime. Go's metric names (runtime/metrics, Go 1.26) as aliases.

use crate::contract::StackFigures;
use core::panic::Location;
use std::time::Duration;

/// How many sites `Stats` names.
pub const WORST_SITES: usize = 5;

/// A place where goroutines are started that block their threads without declaring it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingSite {
    /// The place.
    pub created_at: &'static Location<'static>,
    /// How often sysmon took the P of one of them for that.
    pub times: u64,
    /// How long they kept their threads after that, those that have come back.
    pub lasted: Duration,
}

/// Statistics of one moment. Each number is exact when the runtime is at rest; under load the numbers were true at
/// slightly different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Goroutines that have not ended, the runtime's own left out.
    #[doc(alias = "/sched/goroutines:goroutines")]
    pub goroutines: usize,
    /// The runtime's own goroutines.
    #[doc(alias = "isSystemGoroutine")]
    pub system_goroutines: usize,
    /// Goroutines on queues, the runtime's own too, as in the next three.
    #[doc(alias = "/sched/goroutines/runnable:goroutines")]
    pub runnable: usize,
    /// Those that an M runs.
    #[doc(alias = "/sched/goroutines/running:goroutines")]
    pub running: usize,
    /// Those in blocking calls, declared or not, and others that run on without a P.
    #[doc(alias = "/sched/goroutines/not-in-go:goroutines")]
    pub blocked: usize,
    /// Those parked.
    #[doc(alias = "/sched/goroutines/waiting:goroutines")]
    pub waiting: usize,
    /// Goroutines spawned so far.
    #[doc(alias = "/sched/goroutines-created:goroutines")]
    pub spawned: u64,
    /// Ps.
    #[doc(alias = "/sched/gomaxprocs:threads")]
    pub procs: usize,
    /// Time the Ps could have used so far: their number times the time, summed over resizes.
    #[doc(alias = "/cpu/classes/total:cpu-seconds")]
    pub proc_time: Duration,
    /// The policy's idle rule, by name.
    pub idle_rule: &'static str,
    /// Seed of its random choices: with one P, a runtime with this seed makes the same ones.
    pub seed: u64,
    /// Ps with nothing to do.
    pub idle_procs: usize,
    /// Threads alive: Ms and sysmon.
    #[doc(alias = "/sched/threads/total:threads")]
    pub threads: usize,
    /// Ms asleep.
    pub idle_threads: usize,
    /// Threads that have ended so far because they had been idle for long, of more than are kept.
    pub retired_threads: u64,
    /// Successful steals.
    pub steals: u64,
    /// Goroutines that moved by them.
    pub stolen: u64,
    /// Ms woken or made for submitted work.
    pub wakeups: u64,
    /// Ps taken from blocking calls.
    pub handoffs: u64,
    /// How often a P was taken from a goroutine that computed for longer than its time slice.
    pub overruns: u64,
    /// Where goroutines were started that block without declaring it, those that took longest first: theirs are the
    /// calls to wrap in `blocking`. The runtime takes their Ps sooner than others'.
    pub blocking_sites: [Option<BlockingSite>; WORST_SITES],
    /// Stacks and their memory.
    pub stacks: StackFigures,
    /// Records of goroutines in the whole process, in use or kept for reuse; 192 bytes each.
    pub records: usize,
}
