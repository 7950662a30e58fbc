//! Measures the costs on this machine: those of the machine itself, and those of each policy's real queues when nobody
//! interferes.
//!
//! What the scheduler's own path takes follows from five figures of the bench on one P, less what the queues take:
//!
//! | figure | policy | is the sum of |
//! | --- | --- | --- |
//! | `yield_2` | go | a hop, a push to the shared queue and a pop from it |
//! | `chan_pingpong`, half of it | go | a ready with its channel, a push and a pop of the only one, and a hop |
//! | `spawn_join` | go | a life, a ready, and twice a push, a pop and a hop |
//! | `chan_pingpong`, half of it | global | a ready with its channel, a push to the shared queue and a pop from it, and a way by g0 |
//! | `local_burst` | global | a life, a push to the shared queue and a pop from it, a way by g0 and a join |
//!
//! A life is a spawn, a first run and an exit. Under `global` a P's own queue is always empty, so that each way is one by
//! g0: that is what it is good for here. In all five everything is in the caches: what a goroutine that has gone cold
//! costs the model adds by itself.

mod kernel;
mod machine;
mod memory;
mod queue;
mod timing;

use crate::costs::{Costs, PathCosts, QueueCosts};
use std::fmt::Write;

pub(crate) use queue::queues;

/// Figures of the bench on one P, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bench {
    pub(crate) yield_2: f64,
    pub(crate) chan_pingpong: f64,
    pub(crate) spawn_join: f64,
    pub(crate) chan_pingpong_global: f64,
    pub(crate) local_burst_global: f64,
}

impl Bench {
    /// Parses five arguments.
    pub(crate) fn parse(arguments: &[String]) -> Result<Option<Self>, String> {
        let number = |text: &String| text.parse::<f64>().map_err(|_| format!("{text}: no number"));
        match arguments.iter().map(number).collect::<Result<Vec<_>, _>>()?[..] {
            [] => Ok(None),
            [yield_2, chan_pingpong, spawn_join, chan_pingpong_global, local_burst_global] => {
                Ok(Some(Self {
                    yield_2,
                    chan_pingpong,
                    spawn_join,
                    chan_pingpong_global,
                    local_burst_global,
                }))
            }
            _ => Err(format!("calibrate wants five figures of the bench or none: {FIGURES}")),
        }
    }
}

/// The figures, as arguments.
pub(crate) const FIGURES: &str =
    "YIELD_2 CHAN_PINGPONG SPAWN_JOIN CHAN_PINGPONG_UNDER_GLOBAL LOCAL_BURST_UNDER_GLOBAL";

/// All costs, measured here. Without the bench's figures the scheduler's path stays as it is in the file.
pub(crate) fn measure(
    policies: impl Iterator<Item = (&'static str, QueueCosts)>,
    bench: Option<Bench>,
) -> Result<Costs, String> {
    let before = Costs::measured();
    let mut queue: std::collections::BTreeMap<String, QueueCosts> =
        policies.map(|(name, costs)| (name.to_owned(), costs)).collect();
    let of =
        |name: &str| queue.get(name).cloned().ok_or(format!("the policy {name} is needed to compare with"));
    let (go, global) = (of("go")?, of("global")?);
    queue.insert("default".to_owned(), go.clone());
    Ok(Costs {
        machine: machine::measured(&before.machine),
        memory: memory::measured(&before.memory),
        path: bench.map_or(before.path.clone(), |bench| path(bench, &before.path, &go, &global)),
        queue,
    })
}

/// Solves the five sums. How a life is split among its parts matters little, since each goroutine has all of them.
fn path(bench: Bench, before: &PathCosts, go: &QueueCosts, global: &QueueCosts) -> PathCosts {
    let [.., lone, shared_push, shared_pop] = go.alone;
    let [.., global_push, global_pop] = global.alone;
    let hop = (bench.yield_2 - shared_push - shared_pop).max(1.0);
    let message = (bench.chan_pingpong / 2.0 - lone - hop).max(1.0);
    let by_g0 = (bench.chan_pingpong_global / 2.0 - message - global_push - global_pop).max(hop);
    let life = (bench.local_burst_global - global_push - global_pop - by_g0 - before.join).max(1.0);
    let ready = (bench.spawn_join - life - 2.0 * (lone + hop)).clamp(1.0, message);
    PathCosts {
        by_g0,
        hop,
        ready,
        chan: message - ready,
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
# `grain`, `join`, `timer` and `look`. Spreads are every twentieth measured value, curves pairs of lines and
# nanoseconds.

";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_solved() {
        let before = Costs::measured();
        let (mut go, mut global) = (before.queue("go").clone(), before.queue("global").clone());
        (go.alone, global.alone) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [0.0, 0.0, 0.0, 0.0, 2.0, 1.0]);
        // A hop takes 20, a ready 10, a channel 7, a way by g0 30, a life 100.
        let bench = Bench {
            yield_2: 20.0 + 11.0,
            chan_pingpong: 2.0 * (10.0 + 7.0 + 4.0 + 20.0),
            spawn_join: 100.0 + 10.0 + 2.0 * (4.0 + 20.0),
            chan_pingpong_global: 2.0 * (10.0 + 7.0 + 3.0 + 30.0),
            local_burst_global: 100.0 + 3.0 + 30.0 + before.path.join,
        };
        let path = path(bench, &before.path, &go, &global);
        assert_eq!([path.hop, path.by_g0], [20.0, 30.0]);
        let near = |value: f64, want: f64| (value - want).abs() < 1e-9;
        assert!(near(path.ready, 10.0) && near(path.chan, 7.0), "{path:?}");
        assert!(near(path.spawn + path.first_run + path.exit, 100.0), "{path:?}");
    }

    #[test]
    fn a_file_that_is_made_can_be_read() {
        let costs = Costs::measured();
        assert_eq!(Costs::parse(&file(&costs).unwrap()).unwrap(), costs);
    }
}
