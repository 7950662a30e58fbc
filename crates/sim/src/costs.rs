//! What everything costs, in nanoseconds. The figures stand in `costs.toml`, with the source of each.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Of the machine and its operating system.
    pub machine: MachineCosts,
    /// Of the memory of goroutines.
    pub memory: MemoryCosts,
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
    /// What a lock that another M held costs beside the wait for it and the way of its lines.
    pub contended: f64,
    /// The system call that wakes a thread, in CPU time of its caller.
    pub wake_call: f64,
    /// For how long a wake keeps its caller: the system call, and the time for which the woken thread holds it up.
    pub futex_wake: Spread,
    /// From that call until the thread runs, if the caller goes on.
    pub wake_latency: Spread,
    /// From the moment in which the caller goes to sleep until the thread runs.
    pub wake_beside: Spread,
    /// The system call that sleeps, and the way out of it.
    pub futex_sleep: f64,
    /// CPU time of a thread that sleeps until a moment: the kernel's timer on top.
    pub timed_sleep: f64,
    /// A new thread, for its maker.
    pub thread_make: f64,
    /// How much longer a timed sleep lasts than it was asked to.
    pub sleep_slack: Spread,
    /// A fence that all threads of the process pass.
    pub heavy_fence: f64,
}

/// What takes as long as chance has it: values of which as many measured ones lie between each two, in rising order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Spread(pub Vec<f64>);

impl Spread {
    /// The value that this share of the measured ones, from 0 to 1, lies below.
    pub(crate) fn at(&self, share: f64) -> f64 {
        let Some(last) = self.0.len().checked_sub(1) else { return 0.0 };
        let place = share * last as f64;
        let low = (place as usize).min(last);
        let high = (low + 1).min(last);
        self.0[low] + (self.0[high] - self.0[low]) * (place - low as f64)
    }
}

/// A cost that rises with a size: pairs of a size and nanoseconds, in rising order. Between two pairs it is
/// interpolated, beyond the last it stays.
pub type Curve = Vec<[f64; 2]>;

/// The cost at a size.
pub(crate) fn at(curve: &Curve, size: f64) -> f64 {
    match curve.iter().position(|[pair, _]| *pair > size) {
        Some(0) => 0.0,
        Some(above) => {
            let ([low, least], [high, most]) = (curve[above - 1], curve[above]);
            least + (most - least) * (size - low) / (high - low)
        }
        None => curve.last().map_or(0.0, |[_, most]| *most),
    }
}

/// Of the memory of goroutines. The curves say what a record or a stack takes to come back when so many lines of other
/// records and stacks have been touched since. That of the smallest size is in the path's costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryCosts {
    /// A record, where the one beside it in memory was the last to be touched.
    pub record_in_order: Curve,
    /// A record anywhere.
    pub record_by_jumps: Curve,
    /// A record that another CPU of the node touched last.
    pub record_moved: f64,
    /// A stack, where the one beside it in memory was the last to be touched.
    pub stack_in_order: Curve,
    /// A stack anywhere.
    pub stack_by_jumps: Curve,
    /// A stack that another CPU of the node touched last.
    pub stack_moved: f64,
}

/// Of the scheduler's own path, the same for every policy. Queues, locks, fences and lines come on top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathCosts {
    /// From a goroutine by way of g0, the scheduler's own stack and loop, to the next one.
    pub by_g0: f64,
    /// From a goroutine that parks or ends straight to the next one of the P's queue.
    pub hop: f64,
    /// A new goroutine, for its spawner.
    pub spawn: f64,
    /// What its first run costs in addition: a stack.
    pub first_run: f64,
    /// Its end.
    pub exit: f64,
    /// To ask for the result of one that has ended.
    pub join: f64,
    /// To park, and to be made runnable by another.
    pub ready: f64,
    /// What a channel takes for a message on top of that.
    pub chan: f64,
    /// To set a timer and to run it.
    pub timer: f64,
    /// A look into a victim's queue, without the transfer of its line.
    pub look: f64,
    /// How far an M may run ahead of the clock between two looks at what others did.
    pub grain: f64,
}

/// Of a policy's queues: what its real code takes where nobody interferes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueCosts {
    /// A push of a goroutine that is to run next, where others wait.
    pub push_next: f64,
    /// A push behind the others.
    pub push_back: f64,
    /// A pop, where others wait.
    pub pop: f64,
    /// A push and a pop of the only one.
    pub lone: f64,
    /// A steal that takes one.
    pub steal: f64,
    /// Each further goroutine of a steal or a batch.
    pub token: f64,
    /// A push to the shared queue, its lock included.
    pub shared_push: f64,
    /// A pop from it.
    pub shared_pop: f64,
    /// The same six costs where there is one P: push next, push back, pop, lone, shared push, shared pop.
    pub alone: [f64; 6],
    /// Whether what is taken in a thief's last round costs a heavy fence.
    #[serde(default)]
    pub last_round_fences: bool,
}

impl QueueCosts {
    /// Push next, push back, pop, lone, shared push, shared pop.
    pub(crate) fn local(&self, alone: bool) -> [f64; 6] {
        let all = [self.push_next, self.push_back, self.pop, self.lone, self.shared_push, self.shared_pop];
        if alone { self.alone } else { all }
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
        assert!(Costs::parse("[machine]\nlocked = 1.0\nlokced = 2.0\n").unwrap_err().contains("lokced"));
    }

    #[test]
    fn between_two_measured_values_lie_others() {
        let curve = vec![[10.0, 1.0], [20.0, 3.0]];
        assert_eq!([5.0, 10.0, 15.0, 20.0, 99.0].map(|size| at(&curve, size)), [0.0, 1.0, 2.0, 3.0, 3.0]);
        let spread = Spread(vec![10.0, 20.0, 60.0]);
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|share| spread.at(share)), [10.0, 15.0, 20.0, 40.0, 60.0]);
    }
}
