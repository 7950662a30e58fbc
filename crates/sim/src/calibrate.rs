//! Measures the costs on this machine: those of the machine itself, and those of each policy's real queues when nobody
//! interferes.
//!
//! What the scheduler's own path takes follows from three figures of the bench on one P, less what the queues take:
//!
//! | figure | is the sum of |
//! | --- | --- |
//! | `yield_2` | a dispatch, a push to the shared queue and a pop from it |
//! | `chan_pingpong`, half of it | a ready, a push next, a pop and a hop |
//! | `local_burst` | a spawn, a push, a pop, a dispatch, a first run, an exit and a join |
//!
//! In all three everything is in the caches: what a goroutine that has gone cold costs the model adds by itself.

mod machine;
mod queue;

use crate::costs::{Costs, PathCosts, QueueCosts};
use std::fmt::Write;

pub(crate) use queue::queues;

/// Figures of the bench under the policy `go` on one P, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bench {
    pub(crate) yield_2: f64,
    pub(crate) chan_pingpong: f64,
    pub(crate) local_burst: f64,
}

impl Bench {
    /// Parses three arguments.
    pub(crate) fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let number = |text: &String| text.parse::<f64>().map_err(|_| format!("{text}: no number"));
        match arguments.iter().map(number).collect::<Result<Vec<_>, _>>()?[..] {
            [] => Ok(None),
            [yield_2, chan_pingpong, local_burst] => Ok(Some(Self { yield_2, chan_pingpong, local_burst })),
            _ => {
                Err("calibrate wants three figures of the bench or none: yield_2, chan_pingpong, local_burst"
                    .into())
            }
        }
    }
}

/// All costs, measured here. Without the bench's figures the scheduler's path stays as it is in the file.
pub(crate) fn measure(
    policies: impl Iterator<Item = (&'static str, QueueCosts)>,
    bench: Option<Bench>,
) -> Result<Costs, String> {
    let before = Costs::measured();
    let mut queue: std::collections::BTreeMap<String, QueueCosts> =
        policies.map(|(name, costs)| (name.to_owned(), costs)).collect();
    let go = queue.get("go").ok_or("the policy go is what the others are compared with")?.clone();
    queue.insert("default".to_owned(), go.clone());
    Ok(Costs {
        machine: machine::measured(&before.machine),
        path: bench.map_or(before.path.clone(), |bench| path(bench, &before.path, &go)),
        queue,
    })
}

/// Solves the three sums. How the last two are split among their parts matters little, since each program has all
/// parts.
fn path(bench: Bench, before: &PathCosts, go: &QueueCosts) -> PathCosts {
    let [next, back, pop, shared_push, shared_pop] = go.alone;
    let dispatch = (bench.yield_2 - shared_push - shared_pop).max(1.0);
    let wake = (bench.chan_pingpong / 2.0 - next - pop).max(1.0);
    let life = (bench.local_burst - back - pop - dispatch - before.join).max(1.0);
    PathCosts {
        dispatch,
        hop: wake / 2.0,
        ready: wake / 2.0,
        spawn: life * 0.4,
        first_run: life * 0.3,
        exit: life * 0.3,
        ..before.clone()
    }
}

/// To tenths of a nanosecond: no clock here is better.
fn round(value: &mut toml::Value) {
    match value {
        toml::Value::Float(number) => *number = (*number * 10.0).round() / 10.0,
        toml::Value::Array(values) => values.iter_mut().for_each(round),
        toml::Value::Table(table) => table.iter_mut().for_each(|(_, value)| round(value)),
        _ => {}
    }
}

/// The costs as a file, with where each comes from.
pub(crate) fn file(costs: &Costs) -> Result<String, String> {
    let mut costs = toml::Value::try_from(costs).map_err(|error| error.to_string())?;
    round(&mut costs);
    let text = toml::to_string(&costs).map_err(|error| error.to_string())?;
    let mut file = String::from(HEAD);
    for line in text.lines() {
        let _ = writeln!(file, "{line}");
    }
    Ok(file)
}

const HEAD: &str = "\
# What everything takes in the simulator, in nanoseconds. What each name means stands in `src/costs.rs`, how each is
# measured in `src/calibrate.rs`; `cargo xtask sim calibrate` makes this file anew. Not measured, since this takes a
# machine of several nodes: `transfer_far`, 2.7 times `transfer_near`, a usual factor between two sockets. Set by hand:
# `jitter`, `lines` (a record's two and a stack's two), `grain`, `contended`, `join`, `timer` and `look`.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_solved() {
        let before = Costs::measured();
        let mut go = before.queue("go").clone();
        go.alone = [1.0, 2.0, 3.0, 4.0, 5.0];
        let bench =
            Bench { yield_2: 29.0, chan_pingpong: 48.0, local_burst: 20.0 + 5.0 + before.path.join + 100.0 };
        let path = path(bench, &before.path, &go);
        assert_eq!([path.dispatch, path.hop + path.ready], [20.0, 20.0]);
        assert!((path.spawn + path.first_run + path.exit - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_file_that_is_made_can_be_read() {
        let costs = Costs::measured();
        assert_eq!(Costs::parse(&file(&costs).unwrap()).unwrap(), costs);
    }
}
