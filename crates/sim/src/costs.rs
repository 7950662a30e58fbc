//! What everything costs, in nanoseconds. The figures stand in `costs.toml`, with the source of each.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Of the machine and its operating system.
    pub machine: MachineCosts,
    /// Of the scheduler's own path.
    pub path: PathCosts,
    /// Of each policy's queues, by the policy's name; `default` is for policies that are not listed.
    pub queue: BTreeMap<String, QueueCosts>,
}

/// Of the machine and its operating system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineCosts {
    /// A locked instruction or a full fence, on a line that is in this CPU's cache.
    pub locked: f64,
    /// A cache line from another CPU of the node.
    pub transfer_near: f64,
    /// A cache line from another node.
    pub transfer_far: f64,
    /// What a lock costs more if another M waits for it.
    pub contended: f64,
    /// The system call that wakes a thread, for its caller.
    pub futex_wake: f64,
    /// From that call until the thread runs.
    pub wake_latency: f64,
    /// The system call that sleeps, and the way out of it.
    pub futex_sleep: f64,
    /// CPU time of a thread that sleeps until a moment: the kernel's timer on top.
    pub timed_sleep: f64,
    /// A new thread, for its maker.
    pub thread_make: f64,
    /// How much longer a timed sleep lasts than it was asked to.
    pub sleep_slack: f64,
    /// What a goroutine's lines take to come back after so many others have run on the CPU: pairs of a number of
    /// goroutines and nanoseconds, in rising order; between two pairs the cost is interpolated.
    pub cold: Vec<[f64; 2]>,
    /// A fence that all threads of the process pass.
    pub heavy_fence: f64,
    /// How far the latencies of the operating system vary, as a share to both sides.
    pub jitter: f64,
}

/// Of the scheduler's own path, the same for every policy. Queues, locks, fences and lines come on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCosts {
    /// From a goroutine by way of the scheduler's loop to the next one.
    pub dispatch: f64,
    /// From a goroutine that parks straight to the next one of the P's queue.
    pub hop: f64,
    /// A new goroutine, for its spawner.
    pub spawn: f64,
    /// What its first run costs in addition: a stack.
    pub first_run: f64,
    /// Its end.
    pub exit: f64,
    /// To ask for the result of one that has ended.
    pub join: f64,
    /// To make a parked goroutine runnable.
    pub ready: f64,
    /// To set a timer and to run it.
    pub timer: f64,
    /// A look into a victim's queue, without the transfer of its line.
    pub look: f64,
    /// How many lines of a goroutine (record, stack, what it works on) follow it to another CPU.
    pub lines: f64,
    /// How far an M may run ahead of the clock between two looks at what others did.
    pub grain: f64,
}

/// Of a policy's queues: what its real code takes where nobody interferes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueCosts {
    /// A push of a goroutine that is to run next.
    pub push_next: f64,
    /// A push behind the others.
    pub push_back: f64,
    /// A pop.
    pub pop: f64,
    /// A steal that takes one.
    pub steal: f64,
    /// Each further goroutine of a steal or a batch.
    pub token: f64,
    /// A push to the shared queue, its lock included.
    pub shared_push: f64,
    /// A pop from it.
    pub shared_pop: f64,
    /// The same five costs where there is one P: push next, push back, pop, shared push, shared pop.
    pub alone: [f64; 5],
    /// Whether what is taken in a thief's last round costs a heavy fence.
    #[serde(default)]
    pub last_round_fences: bool,
}

impl MachineCosts {
    /// What a goroutine's lines take to come back after `others` ran on the CPU.
    pub(crate) fn cold_after(&self, others: u64) -> f64 {
        let others = others as f64;
        let above = self.cold.iter().position(|[count, _]| *count > others);
        match above {
            Some(0) => 0.0,
            Some(at) => {
                let ([low, least], [high, most]) = (self.cold[at - 1], self.cold[at]);
                least + (most - least) * (others - low) / (high - low)
            }
            None => self.cold.last().map_or(0.0, |[_, most]| *most),
        }
    }
}

impl Costs {
    /// The costs of the machine on which the project is measured.
    pub fn measured() -> Self {
        Self::parse(include_str!("../costs.toml")).expect("the file that comes with this crate is right")
    }

    /// Reads a file of costs.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let costs: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if !costs.queue.contains_key(DEFAULT) {
            return Err(format!("no [queue.{DEFAULT}], which is for policies that are not listed"));
        }
        Ok(costs)
    }

    /// The costs of this policy's queues.
    pub fn queue(&self, policy: &str) -> &QueueCosts {
        self.queue.get(policy).unwrap_or_else(|| &self.queue[DEFAULT])
    }
}

const DEFAULT: &str = "default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_a_wrong_one_refused() {
        let costs = Costs::measured();
        assert!(costs.machine.transfer_far > costs.machine.transfer_near);
        assert_eq!(costs.queue("nobody's"), costs.queue("default"));
        let mut machine = costs.machine;
        machine.cold = vec![[10.0, 1.0], [20.0, 3.0]];
        assert_eq!([5, 10, 15, 20, 99].map(|others| machine.cold_after(others)), [0.0, 1.0, 2.0, 3.0, 3.0]);
        assert!(Costs::parse("[machine]\nlocked = 1.0\nlokced = 2.0\n").unwrap_err().contains("lokced"));
    }
}
