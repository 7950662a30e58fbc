//! The file of a run: one JSON object a line, the head first, then the outcomes in the order of the cells.
//!
//! Nothing in it depends on the machine that simulated, on the time or on how the work was shared out. So the same
//! command gives the same bytes, whether it was cut and resumed or not.

use crate::bench::machine;
use crate::lines::{self, Lines};
use crate::sim::args::{Args, Axes, Shard};
use crate::sim::plan::{Cell, cells};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What has to be known about outcomes for them to be worth anything; the cells follow from it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Head {
    pub(crate) commit: String,
    pub(crate) axes: Axes,
    pub(crate) shard: Option<Shard>,
    /// The file of costs, if it was not the project's own.
    pub(crate) costs: Option<String>,
}

/// What became of a cell, as `gmp-sim run` prints it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Figures(BTreeMap<String, f64>),
    Failed(String),
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Head(Box<Head>),
    Cell(usize, Outcome),
}

/// A run's outcomes, by the number of the cell.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) cells: Vec<Cell>,
    pub(crate) outcomes: BTreeMap<usize, Outcome>,
}

impl Head {
    /// The record of a run that begins, whose axes have been completed.
    pub(crate) fn new(args: &Args, axes: Axes) -> Result<Self> {
        let read = |path: &PathBuf| {
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self {
            commit: machine::commit(),
            axes,
            shard: args.shard,
            costs: args.costs.as_ref().map(read).transpose()?,
        })
    }
}

impl Record {
    pub(crate) fn of(head: Head) -> Self {
        Self { cells: cells(&head.axes), head, outcomes: BTreeMap::new() }
    }

    /// The numbers of the cells that this run is about.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = usize> {
        let shard = self.head.shard;
        (0..self.cells.len()).filter(move |at| shard.is_none_or(|shard| shard.has(*at)))
    }

    pub(crate) fn missing(&self) -> usize {
        self.wanted().filter(|at| !self.outcomes.contains_key(at)).count()
    }

    pub(crate) fn failed(&self) -> usize {
        self.outcomes.values().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count()
    }
}

/// A file that outcomes are added to, or none.
#[derive(Debug)]
pub(crate) struct Log(Lines);

impl Log {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self(Lines::none())
    }

    /// A new file; one that is there already is not overwritten if it holds a run's outcomes.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let held = read(path).map_or(0, |record| record.outcomes.len());
        Ok(Self(Lines::create(path, (held, "outcomes"))?))
    }

    pub(crate) fn head(&mut self, head: &Head) -> Result<()> {
        self.0.add(&Entry::Head(Box::new(head.clone())))
    }

    /// Goes on with a file; an incomplete last line is cut off.
    pub(crate) fn resume(path: &Path) -> Result<(Self, Record)> {
        let record = read(path)?;
        Ok((Self(Lines::resume(path)?), record))
    }

    pub(crate) fn outcome(&mut self, at: usize, outcome: &Outcome) -> Result<()> {
        self.0.add(&Entry::Cell(at, outcome.clone()))
    }
}

/// Reads a run's file. A last line that was cut short is left out.
pub(crate) fn read(path: &Path) -> Result<Record> {
    let lines = lines::read(path)?;
    let mut lines = lines.iter().enumerate();
    let mut record = match lines.next().map(|(_, line)| serde_json::from_str(line)) {
        Some(Ok(Entry::Head(head))) => Record::of(*head),
        _ => bail!("{} is no file of `cargo xtask sim --json`: its first line is no head", path.display()),
    };
    for (at, line) in lines {
        match serde_json::from_str(line) {
            Ok(Entry::Cell(cell, outcome)) if cell < record.cells.len() => {
                let first = record.outcomes.insert(cell, outcome).is_none();
                ensure!(first, "{}, line {}: cell {cell} comes twice", path.display(), at + 1);
            }
            _ => bail!("{}, line {}: this is no outcome of the run", path.display(), at + 1),
        }
    }
    Ok(record)
}

/// Merges the shards of one run into one record; runs that differ in anything else stay apart.
pub(crate) fn merged(records: Vec<Record>) -> Vec<Record> {
    let mut runs: Vec<Record> = Vec::new();
    for mut record in records {
        let whole = Head { shard: None, ..record.head.clone() };
        let same = record.head.shard.and_then(|_| runs.iter_mut().find(|run| run.head == whole));
        match same {
            Some(run) => run.outcomes.append(&mut record.outcomes),
            None => runs.push(Record { head: whole, ..record }),
        }
    }
    runs
}
