//! The file of a run: one JSON object a line, the head first, then the outcomes in the order of the cells.
//!
//! Nothing in it depends on the machine that simulated, on the time or on how the work was shared out, so the same command
//! gives the same bytes, whether it was cut and resumed or not.

use crate::bench::machine;
use crate::sim::args::{Args, Axes, Shard};
use crate::sim::plan::{Cell, cells};
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What outcomes are worth nothing without; the cells follow from it.
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
    /// Of a run that begins, whose axes have been completed.
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
pub(crate) struct Log {
    file: Option<(PathBuf, File)>,
}

impl Log {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self { file: None }
    }

    /// A new file; one that is there already is not overwritten if it holds a run's outcomes.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        if let Ok(record) = read(path)
            && !record.outcomes.is_empty()
        {
            bail!(
                "{} holds {} outcomes of an earlier run; name another file, remove it, or go on with --resume {0}",
                path.display(),
                record.outcomes.len()
            );
        }
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: Some((path.to_owned(), file)) })
    }

    pub(crate) fn head(&mut self, head: &Head) -> Result<()> {
        self.add(&Entry::Head(Box::new(head.clone())))
    }

    /// Goes on with a file; what its last line lacks is cut off.
    pub(crate) fn resume(path: &Path) -> Result<(Self, Record)> {
        let record = read(path)?;
        let text = std::fs::read_to_string(path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().append(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        file.set_len(whole as u64)?;
        Ok((Self { file: Some((path.to_owned(), file)) }, record))
    }

    pub(crate) fn outcome(&mut self, at: usize, outcome: &Outcome) -> Result<()> {
        self.add(&Entry::Cell(at, outcome.clone()))
    }

    fn add(&mut self, entry: &Entry) -> Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(entry)? + "\n";
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Reads a run's file. A last line that was cut short is left out.
pub(crate) fn read(path: &Path) -> Result<Record> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate();
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

/// Shards of one run as one record; runs that differ in anything else stay apart.
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
