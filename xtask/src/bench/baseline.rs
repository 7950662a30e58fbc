//! What moved since an earlier run.
//!
//! Two runs are minutes or months apart, and machines drift. So every figure is first divided by the calibration loop
//! that its own process timed. Then a cell counts as moved if the confidence interval of the ratio excludes 1, and if
//! the ratio is farther from 1 than the machine wavered in either run, and than two parts in a hundred.
//!
//! The loop shows how fast the CPU is, not what neighbours do to caches and memory for a minute. So each cell that moved
//! is measured once more at the end of the run, and counts only if it has moved then as well.

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
    moved: Vec<Moved>,
    /// Cells that had moved at first, and not when they were measured once more.
    wavered: usize,
    compared: usize,
    threshold: f64,
}

/// Compares the cells that both runs have.
pub(crate) fn compare(earlier: &Report, now: &Report) -> Result<Comparison> {
    let noise = |report: &Report| report.noise().unwrap_or(0.0);
    let threshold = noise(earlier).max(noise(now)).max(LEAST);
    let mut comparison = Comparison { moved: Vec::new(), wavered: 0, compared: 0, threshold };
    for row in now.rows() {
        let same = |other: &&Row| {
            other.cell.contestant() == row.cell.contestant() && other.cell.contest() == row.cell.contest()
        };
        let Some(before) = earlier.rows().find(same) else { continue };
        let (Some(old), Some(new)) = (before.figure(), row.figure()) else { continue };
        let (first, second) = (steadied(before), steadied(row));
        ensure!(
            first.len() >= FEWEST && second.len() >= FEWEST,
            "{} was measured by {} and {} processes, and a comparison needs {FEWEST} of each: see --runs",
            row.cell,
            first.len(),
            second.len()
        );
        comparison.compared += 1;
        let Some(ratio) = Ratio::of_unpaired(&first, &second) else { continue };
        if !ratio.may_be_one() && (ratio.mean - 1.0).abs() > threshold {
            let slower = ratio.mean > 1.0;
            let unit = &row.cell.unit;
            comparison.moved.push(Moved {
                cell: row.cell.clone(),
                line: format!(
                    "{} {}: {} -> {}, x{:.2}{}",
                    if slower { "SLOWER" } else { "faster" },
                    row.cell,
                    quantity(old, unit),
                    quantity(new, unit),
                    ratio.mean,
                    give_or_take(ratio.uncertainty().unwrap_or(0.0))
                ),
                slower,
            });
        }
    }
    ensure!(comparison.compared > 0, "the two runs have no cell in common");
    Ok(comparison)
}

/// The figures of a cell's processes, each in units of its own calibration loop where there is one.
fn steadied(row: &Row) -> Vec<f64> {
    let in_loops = |sample: &Sample| Some(sample.figure()? / sample.extra(CALIBRATION).unwrap_or(1.0));
    row.samples.iter().filter_map(in_loops).collect()
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
            "{lines}baseline: of {} cells {slower} slower, {} faster{wavered}; differences below {} do not count here\n",
            self.compared,
            self.moved.len() - slower,
            percent(self.threshold)
        )
    }
}
