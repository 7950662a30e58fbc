//! Which cells there are, in an order that follows from the arguments alone.

use crate::sim::args::Axes;
use crate::sim::machines::size;
use serde::{Deserialize, Serialize};

/// A cell, as `gmp-sim run` reads it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Cell {
    pub(crate) policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) idle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) order: Option<String>,
    pub(crate) workload: String,
    pub(crate) machine: String,
    pub(crate) cores: u64,
    pub(crate) n: u64,
    pub(crate) work: f64,
    pub(crate) data: u32,
    pub(crate) seed: u64,
}

impl Cell {
    /// Policy, idle rule and order: the contestant.
    pub(crate) fn contestant(&self) -> String {
        [Some(&self.policy), self.idle.as_ref(), self.order.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("+")
    }
}

/// All cells: those of a contest stand together, the seeds of each contestant in a row. A machine has no cells for more
/// processors than it has.
pub(crate) fn cells(axes: &Axes) -> Vec<Cell> {
    let or_own = |names: &[String]| -> Vec<Option<String>> {
        if names.is_empty() { vec![None] } else { names.iter().cloned().map(Some).collect() }
    };
    let cores: Vec<u64> = axes.cores.iter().flat_map(|cores| cores.all()).collect();
    let mut cells = Vec::new();
    for (workload, machine) in pairs(&axes.workload, &axes.machine) {
        for &cores in cores.iter().filter(|cores| size(machine).is_none_or(|size| **cores <= size)) {
            for policy in &axes.policy {
                for (idle, order) in pairs(&or_own(&axes.idle), &or_own(&axes.order)) {
                    cells.extend((1..=axes.seeds).map(|seed| Cell {
                        policy: policy.clone(),
                        idle: idle.clone(),
                        order: order.clone(),
                        workload: workload.clone(),
                        machine: machine.clone(),
                        cores,
                        n: axes.n,
                        work: axes.work,
                        data: axes.data,
                        seed,
                    }));
                }
            }
        }
    }
    cells
}

fn pairs<'a, A, B>(firsts: &'a [A], seconds: &'a [B]) -> impl Iterator<Item = (&'a A, &'a B)> {
    firsts.iter().flat_map(move |first| seconds.iter().map(move |second| (first, second)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_machine_has_more_processors_than_it_has() {
        let axes = Axes {
            policy: vec!["go".into()],
            idle: vec!["go".into(), "eager".into()],
            order: Vec::new(),
            cores: vec!["2..8".parse().unwrap()],
            workload: vec!["uneven".into()],
            machine: vec!["flat".into(), "2x2".into()],
            seeds: 2,
            n: 0,
            work: 0.0,
            data: 0,
        };
        let cells = cells(&axes);
        let count = |machine: &str| cells.iter().filter(|cell| cell.machine == machine).count();
        assert_eq!([count("flat"), count("2x2")], [3 * 2 * 2, 2 * 2 * 2]);
        assert_eq!([&cells[0], &cells[2]].map(Cell::contestant), ["go+go", "go+eager"]);
    }
}
