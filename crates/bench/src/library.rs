//! A library that is measured: gmp or a rival, with the workloads that it can run.

use crate::cell::{Cell, Result};
use crate::workload::{Benchmark, Run};

/// A library: its policies (rivals have one without a name) and the function that runs a cell.
pub(crate) struct Library {
    pub(crate) name: &'static str,
    pub(crate) policies: &'static [&'static str],
    /// Idle rules that go with any of its policies.
    pub(crate) idle_rules: &'static [&'static str],
    /// The names in its table of programs; see [`names`].
    pub(crate) workloads: fn() -> Vec<&'static str>,
    /// The groups of workloads that are written for this library alone, by their names.
    pub(crate) own_groups: &'static [(&'static str, &'static [&'static [Benchmark]])],
    pub(crate) run: Run,
}

/// The one policy of a library that offers no choice.
pub(crate) const NO_POLICY: &str = "-";

impl Library {
    /// Whether it can run this workload.
    pub(crate) fn knows(&self, workload: &str) -> bool {
        (self.workloads)().contains(&workload) || self.benchmark(workload).is_some()
    }

    /// The workload of this name, if it is one that only this library has.
    pub(crate) fn benchmark(&self, workload: &str) -> Option<&'static Benchmark> {
        self.benchmarks()
            .map(|(_, benchmark)| benchmark)
            .find(|benchmark| benchmark.workload.name == workload)
    }

    /// The workloads that only this library has, each with the name of its group.
    pub(crate) fn benchmarks(&self) -> impl Iterator<Item = (&'static str, &'static Benchmark)> + use<> {
        self.own_groups
            .iter()
            .flat_map(|(group, parts)| parts.iter().copied().flatten().map(|benchmark| (*group, benchmark)))
    }
}

/// A library's table of programs: each workload's name, and what runs it there.
pub(crate) type Programs<T> = [(&'static str, T)];

/// The names in a table of programs.
pub(crate) fn names<T>(programs: &Programs<T>) -> Vec<&'static str> {
    programs.iter().map(|(name, _)| *name).collect()
}

/// The program that a cell names.
///
/// # Errors
/// The table has none of this name: no other may be measured in its place.
pub(crate) fn program<T: Copy>(programs: &Programs<T>, cell: &Cell) -> Result<T> {
    let found = programs.iter().find(|(name, _)| *name == cell.workload);
    let (_, program) = found.ok_or_else(|| format!("{} has no program for {:?}", cell.lib, cell.workload))?;
    Ok(*program)
}
