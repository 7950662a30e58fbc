//! What one process of a cell found out. Samples are what the file of a run consists of, and rows are made of them.

use crate::bench::cell::CellSpec;
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
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Measured(Line),
    Failed(String),
}

/// One process.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Sample {
    pub(crate) cell: CellSpec,
    /// The number of the turn in its contest, from 0.
    pub(crate) turn: u64,
    pub(crate) outcome: Outcome,
}

impl Sample {
    /// The figure that counts.
    pub(crate) fn figure(&self) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(line) => line.ns_per_op,
            Outcome::Failed(_) => None,
        }
    }

    /// Another figure.
    pub(crate) fn extra(&self, name: &str) -> Option<f64> {
        match &self.outcome {
            Outcome::Measured(line) => line.extra.get(name).copied().flatten(),
            Outcome::Failed(_) => None,
        }
    }

    /// Why there is no figure.
    pub(crate) fn failure(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Measured(line) if line.ns_per_op.is_none() => Some("measured nothing"),
            Outcome::Measured(_) => None,
            Outcome::Failed(why) => Some(why),
        }
    }
}
