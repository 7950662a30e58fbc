//! What moved since an earlier commit, or since an earlier run.
//!
//! With `--against COMMIT` both commits' programs have taken turns, and the turns' ratios say what moved: the machine's
//! state was the same for both.
//!
//! With `--baseline FILE` the runs are minutes or months apart, and machines drift. So every figure is first divided by the
//! calibration loop that its own process timed. The loop shows how fast the CPU is, not in what state caches, memory and
//! the host are for a minute or a day. So whatever moved is measured once more: in turn with the program of the earlier
//! run's commit if it can be built, else alone.
//!
//! A cell counts as moved if the confidence interval of the ratio excludes 1, and the ratio is farther from 1 than two
//! parts in a hundred; where a file is compared, than the machine wavered in either run, too. It has to have moved both
//! times.

use crate::bench::cell::CellSpec;
use crate::bench::ratio::Ratio;
use crate::bench::report::{CALIBRATION, Report, Row};
use crate::bench::sample::Sample;
use crate::bench::units::{give_or_take, percent, quantity};
use anyhow::{Result, ensure};

/// Differences below this are not worth a line, however sure they are.
const LEAST: f64 = 0.02;
/// Fewer processes of a cell give no interval that means anything.
const FEWEST: usize = 3;

/// Refuses numbers of processes that nothing can be said by.
pub(crate) fn check_runs(what: &str, runs: u64) -> Result<()> {
    ensure!(
        runs >= FEWEST as u64,
        "{what}: {runs} processes a cell, and a comparison needs {FEWEST} on either side: see --runs"
    );
    Ok(())
}

/// What the present commit is compared with.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// The commit, as far as it is known.
    pub(crate) commit: String,
    /// What was measured then.
    pub(crate) run: Option<Report>,
}

/// A cell that moved.
#[derive(Clone, Debug)]
struct Moved {
    cell: CellSpec,
    line: String,
    slower: bool,
}

/// What moved.
#[derive(Clone, Debug)]
pub(crate) struct Comparison {
    with: String,
    moved: Vec<Moved>,
    /// Cells that had moved at first, and not when they were measured once more.
    wavered: usize,
    compared: usize,
    threshold: f64,
}

impl Earlier {
    /// Compares the cells that both have: with what was measured in turn with them, else with the earlier run.
    pub(crate) fn compare(&self, now: &Report) -> Result<Comparison> {
        let noise =
            self.run.as_ref().map(|run| run.noise().into_iter().chain(now.noise()).fold(LEAST, f64::max));
        let mut comparison = Comparison {
            with: self.commit.clone(),
            moved: Vec::new(),
            wavered: 0,
            compared: 0,
            threshold: noise.unwrap_or(LEAST),
        };
        let mut in_common = 0;
        for row in now.rows().filter(|row| row.cell.build.is_none()) {
            let in_turn =
                now.rows().find(|other| self.has_built(other) && other.cell.is_same_but_build(&row.cell));
            let then = || self.run.as_ref()?.rows().find(|other| other.cell.is_same_but_build(&row.cell));
            let Some(before) = in_turn.or_else(then) else { continue };
            in_common += 1;
            let (Some(old), Some(new)) = (before.figure(), row.figure()) else { continue };
            let (ratio, threshold) = match in_turn {
                Some(before) => (of_turns(before, row), LEAST),
                None => (of_runs(before, row), comparison.threshold),
            };
            let Some(ratio) = ratio else { continue };
            comparison.compared += 1;
            if !ratio.may_be_one() && (ratio.mean - 1.0).abs() > threshold {
                comparison.moved.push(Moved::by(ratio, old, new, &row.cell));
            }
        }
        ensure!(in_common > 0, "{} has no cell in common with the present commit", self.commit);
        Ok(comparison)
    }

    fn has_built(&self, row: &Row) -> bool {
        row.cell.build.as_ref() == Some(&self.commit)
    }
}

/// None where a run was cut before there were turns enough.
fn of_turns(before: &Row, row: &Row) -> Option<Ratio> {
    let ratios = row.times(before);
    (ratios.len() >= FEWEST).then(|| Ratio::of(&ratios))?
}

fn of_runs(before: &Row, row: &Row) -> Option<Ratio> {
    let (first, second) = (steadied(before), steadied(row));
    (first.len().min(second.len()) >= FEWEST).then(|| Ratio::of_unpaired(&first, &second))?
}

/// The figures of a cell's processes, each in units of its own calibration loop where there is one.
fn steadied(row: &Row) -> Vec<f64> {
    let in_loops = |sample: &Sample| Some(sample.figure()? / sample.extra(CALIBRATION).unwrap_or(1.0));
    row.samples.iter().filter_map(in_loops).collect()
}

impl Moved {
    fn by(ratio: Ratio, old: f64, new: f64, cell: &CellSpec) -> Self {
        let slower = ratio.mean > 1.0;
        let line = format!(
            "{} {cell}: {} -> {}, x{:.2}{}",
            if slower { "SLOWER" } else { "faster" },
            quantity(old, &cell.unit),
            quantity(new, &cell.unit),
            ratio.mean,
            give_or_take(ratio.uncertainty().unwrap_or(0.0))
        );
        Self { cell: cell.clone(), line, slower }
    }
}

impl Comparison {
    /// The cells that moved.
    pub(crate) fn cells(&self) -> Vec<CellSpec> {
        self.moved.iter().map(|moved| moved.cell.clone()).collect()
    }

    /// What has moved in the same direction in `again`, too, where what moved was measured once more.
    pub(crate) fn confirmed_by(mut self, again: &Comparison) -> Self {
        let before = self.moved.len();
        self.moved.retain(|moved| {
            again.moved.iter().any(|other| other.cell == moved.cell && other.slower == moved.slower)
        });
        self.wavered += before - self.moved.len();
        self
    }

    /// Whether anything became slower.
    pub(crate) fn is_slower(&self) -> bool {
        self.moved.iter().any(|moved| moved.slower)
    }

    /// A line for each cell that moved, and one that counts them.
    pub(crate) fn text(&self) -> String {
        let lines: String = self.moved.iter().map(|moved| format!("{}\n", moved.line)).collect();
        let slower = self.moved.iter().filter(|moved| moved.slower).count();
        let wavered = match self.wavered {
            0 => String::new(),
            wavered => format!("; {wavered} had moved, but not when measured once more"),
        };
        format!(
            "{lines}against {}: of {} cells {slower} slower, {} faster{wavered}; differences below {} do not count here\n",
            self.with,
            self.compared,
            self.moved.len() - slower,
            percent(self.threshold)
        )
    }
}
