//! What moved since an earlier run.
//!
//! Two runs are minutes or months apart, and machines drift. So every figure is first divided by the calibration loop
//! that its own process timed. Then a cell counts as moved if the confidence interval of the ratio excludes 1, and if
//! the ratio is farther from 1 than the machine wavered in either run, and than two parts in a hundred.

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
#[derive(Debug)]
struct Moved {
    line: String,
    slower: bool,
}

/// What moved.
#[derive(Debug)]
pub(crate) struct Comparison {
    moved: Vec<Moved>,
    compared: usize,
    threshold: f64,
}

/// Compares the cells that both runs have.
pub(crate) fn compare(earlier: &Report, now: &Report) -> Result<Comparison> {
    let noise = |report: &Report| report.noise().unwrap_or(0.0);
    let threshold = noise(earlier).max(noise(now)).max(LEAST);
    let mut comparison = Comparison { moved: Vec::new(), compared: 0, threshold };
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
    /// Whether anything became slower.
    pub(crate) fn is_slower(&self) -> bool {
        self.moved.iter().any(|moved| moved.slower)
    }

    /// A line for each cell that moved, and one that counts them.
    pub(crate) fn text(&self) -> String {
        let lines: String = self.moved.iter().map(|moved| format!("{}\n", moved.line)).collect();
        let slower = self.moved.iter().filter(|moved| moved.slower).count();
        format!(
            "{lines}baseline: of {} cells {slower} slower, {} faster; differences below {} do not count here\n",
            self.compared,
            self.moved.len() - slower,
            percent(self.threshold)
        )
    }
}
