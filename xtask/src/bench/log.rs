//! The file of a run: one JSON object a line, the head first, then each process's figures as soon as they are there.
//!
//! What has been measured is on disk before the next cell starts, so no crash, signal or full disk takes it away. A
//! line that one of these cut short is left out when the file is read, and cut off before anything is added.

use crate::bench::args::Args;
use crate::bench::cell::CellSpec;
use crate::bench::machine::Machine;
use crate::bench::sample::Sample;
use crate::lines::{self, Lines};
use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What has to be known about the samples for them to be worth anything, and what was to be measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Head {
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// As it was typed.
    pub(crate) command: String,
    pub(crate) args: Args,
    /// Processes for each cell.
    pub(crate) runs: u64,
    /// Contest by contest.
    pub(crate) cells: Vec<CellSpec>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry {
    Head(Box<Head>),
    Sample(Box<Sample>),
}

/// A run's figures.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) head: Head,
    pub(crate) samples: Vec<Sample>,
}

/// A file that figures are added to, or none.
#[derive(Debug)]
pub(crate) struct Log(Lines);

impl Log {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self(Lines::none())
    }

    /// A new file; one that is there already is not overwritten if it holds a run's figures.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let held = read(path).map_or(0, |record| record.samples.len());
        Ok(Self(Lines::create(path, (held, "figures"))?))
    }

    /// Goes on with a file; an incomplete last line is cut off.
    pub(crate) fn resume(path: &Path) -> Result<(Self, Record)> {
        let record = read(path)?;
        Ok((Self(Lines::resume(path)?), record))
    }

    /// A disk that is full from the start.
    #[cfg(test)]
    pub(crate) fn full() -> Self {
        Self(Lines::full())
    }

    pub(crate) fn head(&mut self, head: &Head) -> Result<()> {
        self.0.add(&Entry::Head(Box::new(head.clone())))
    }

    pub(crate) fn sample(&mut self, sample: &Sample) -> Result<()> {
        self.0.add(&Entry::Sample(Box::new(sample.clone())))
    }
}

/// What a file of a whole run has in it.
pub(crate) fn text(record: &Record) -> Result<String> {
    let head = std::iter::once(Entry::Head(Box::new(record.head.clone())));
    let samples = record.samples.iter().map(|sample| Entry::Sample(Box::new(sample.clone())));
    head.chain(samples).map(|entry| Ok(serde_json::to_string(&entry)? + "\n")).collect()
}

/// Reads a run's file.
pub(crate) fn read(path: &Path) -> Result<Record> {
    let lines = lines::read(path)?;
    let mut lines = lines.iter().enumerate();
    let head = match lines.next().map(|(_, line)| serde_json::from_str(line)) {
        Some(Ok(Entry::Head(head))) => *head,
        _ => bail!("{} is no file of `cargo xtask bench --json`: its first line is no head", path.display()),
    };
    let mut samples = Vec::new();
    for (at, line) in lines {
        match serde_json::from_str(line) {
            Ok(Entry::Sample(sample)) => samples.push(*sample),
            _ => bail!("{}, line {}: this is no sample", path.display(), at + 1),
        }
    }
    Ok(Record { head, samples })
}

impl Head {
    /// The same record for readers on other machines, to whom the names of files say nothing.
    pub(crate) fn without_files(mut self) -> Self {
        let mut words = self.command.split(' ');
        let mut command = Vec::new();
        while let Some(word) = words.next() {
            let (option, value) = word.split_once('=').unwrap_or((word, ""));
            let has_value = !value.is_empty();
            match option {
                "--json" | "--html" | "--baseline" if has_value => {}
                "--json" | "--html" | "--baseline" => _ = words.next(),
                "--go" => {
                    command.push("--go PATH");
                    _ = (!has_value).then(|| words.next());
                }
                _ => command.push(word),
            }
        }
        self.command = command.join(" ");
        self.args.go = self.args.go.map(|_| "PATH".into());
        self
    }

    /// Figures of two builds do not belong in one table.
    pub(crate) fn check_build(&self, commit: &str) -> Result<()> {
        ensure!(
            self.commit == commit,
            "the file's figures are of commit {}, and this is {commit}: check that one out, or start a new run",
            self.commit
        );
        Ok(())
    }
}
