//! A workload: its name, the cells that it makes, and what its figure means.

use crate::cell::{Cell, Figures, Result};

/// A workload's name and its cells.
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    pub(crate) procs: &'static [usize],
    /// Sizes of a full run; 0 means calibrated by time.
    pub(crate) sizes: &'static [u64],
    /// Size of a smoke run.
    pub(crate) quick: u64,
    /// What `n` and one operation are, for `list`.
    pub(crate) about: &'static str,
    /// The unit in which the figure that counts is given.
    pub(crate) unit: &'static str,
}

/// The unit of nearly all figures.
const NANOSECONDS: &str = "ns";

pub(crate) const fn timed(name: &'static str, procs: &'static [usize], about: &'static str) -> Workload {
    Workload { name, procs, sizes: &[0], quick: 0, about, unit: NANOSECONDS }
}

pub(crate) const fn sized(
    name: &'static str,
    procs: &'static [usize],
    sizes: &'static [u64],
    quick: u64,
    about: &'static str,
) -> Workload {
    Workload { name, procs, sizes, quick, about, unit: NANOSECONDS }
}

impl Workload {
    /// The same workload, whose figure is given in another unit.
    pub(crate) const fn counted_in(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }
}

/// Measures one cell.
pub(crate) type Run = fn(&Cell) -> Result<Figures>;

/// A workload that one library alone has, and what runs it.
pub(crate) struct Benchmark {
    pub(crate) workload: Workload,
    pub(crate) run: Run,
}
