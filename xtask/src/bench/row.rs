//! What came of a cell: the figures of one or more processes, or why there are none.

use crate::bench::plan::CellSpec;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The line of JSON that a cell prints. Null stands for what could not be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    pub(crate) n: u64,
    pub(crate) ns_per_op: Option<f64>,
    pub(crate) extra: BTreeMap<String, Option<f64>>,
}

/// How one process ended.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    Measured(Line),
    Failed(String),
}

/// A cell and the medians of its processes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    #[serde(flatten)]
    pub(crate) cell: CellSpec,
    pub(crate) ns_per_op: Option<f64>,
    pub(crate) extra: BTreeMap<String, f64>,
    /// Why there are no figures.
    pub(crate) failure: Option<String>,
}

impl Row {
    /// One failed process fails the cell: a figure that is there only sometimes is no figure.
    pub(crate) fn new(cell: CellSpec, outcomes: Vec<Outcome>) -> Self {
        let mut lines = Vec::new();
        for outcome in outcomes {
            match outcome {
                Outcome::Measured(line) if line.ns_per_op.is_some() => lines.push(line),
                Outcome::Measured(_) => return Self::failed(cell, "measured nothing".into()),
                Outcome::Failed(why) => return Self::failed(cell, why),
            }
        }
        let names = lines.iter().flat_map(|line| line.extra.keys().cloned()).collect::<Vec<_>>();
        let of = |name: &String| {
            let values = lines.iter().filter_map(|line| line.extra.get(name).copied().flatten()).collect();
            Some((name.clone(), combine(name, values)?))
        };
        let extra = names.iter().filter_map(of).collect();
        let ns_per_op = median(lines.iter().filter_map(|line| line.ns_per_op).collect());
        Self { cell, ns_per_op, extra, failure: None }
    }

    fn failed(cell: CellSpec, why: String) -> Self {
        Self { cell, ns_per_op: None, extra: BTreeMap::new(), failure: Some(why) }
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.failure.is_none()
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.extra.get(name).copied()
    }
}

/// Over several processes, the spread is that of all of them; everything else is the median.
fn combine(name: &str, values: Vec<f64>) -> Option<f64> {
    match name {
        "min" => values.into_iter().reduce(f64::min),
        "max" => values.into_iter().reduce(f64::max),
        _ => median(values),
    }
}

/// The middle value; of two the lower one, so that it is always a value that was measured.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}
