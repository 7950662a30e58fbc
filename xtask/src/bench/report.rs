//! Everything a bench run found out, as it stands in the JSON file.

use crate::bench::{machine::Machine, row::Row};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    pub(crate) command: String,
    /// How gmp's goroutines treat thread-locals.
    pub(crate) mode: String,
    pub(crate) allocator: String,
    pub(crate) quick: bool,
    /// Processes for each cell.
    pub(crate) runs: u64,
    pub(crate) contestants: Vec<String>,
    pub(crate) contests: Vec<Contest>,
}

/// One workload at one size, a row for each who took part.
#[derive(Debug, Serialize)]
pub(crate) struct Contest {
    pub(crate) rows: Vec<Row>,
}
