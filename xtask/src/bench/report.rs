//! What a run found out, contest by contest. It is made from the run's samples, whether the run came to its end or not.

use crate::bench::cell::CellSpec;
use crate::bench::log::{Head, Record};
use crate::bench::ratio::Ratio;
use crate::bench::sample::Sample;

/// Everything that the tables show.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) head: Head,
    pub(crate) contestants: Vec<String>,
    pub(crate) contests: Vec<Contest>,
}

/// One workload at one size, with a row for each contestant.
#[derive(Debug)]
pub(crate) struct Contest {
    pub(crate) rows: Vec<Row>,
}

/// A cell, with the figures of all its processes.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) cell: CellSpec,
    pub(crate) samples: Vec<Sample>,
}

impl Report {
    pub(crate) fn new(record: &Record) -> Self {
        let mut report = Self { head: record.head.clone(), contestants: Vec::new(), contests: Vec::new() };
        for cell in &record.head.cells {
            let name = cell.contestant();
            if !report.contestants.contains(&name) {
                report.contestants.push(name);
            }
            let samples = record.samples.iter().filter(|sample| sample.cell == *cell).cloned().collect();
            let row = Row { cell: cell.clone(), samples };
            match report.contests.last_mut() {
                Some(contest) if contest.rows[0].cell.contest() == cell.contest() => contest.rows.push(row),
                _ => report.contests.push(Contest { rows: vec![row] }),
            }
        }
        report
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.contests.iter().flat_map(|contest| &contest.rows)
    }

    /// Cells without a single figure, because the run was cut.
    pub(crate) fn missing(&self) -> usize {
        self.rows().filter(|row| row.samples.is_empty()).count()
    }

    /// Cells that failed.
    pub(crate) fn failed(&self) -> usize {
        self.rows().filter(|row| row.failure().is_some()).count()
    }

    /// By how much the machine itself wavered: the share by which the calibration loop, which every cell of ours times
    /// first, deviated from its median in all but the worst twentieth of the processes.
    pub(crate) fn noise(&self) -> Option<f64> {
        let loops: Vec<f64> =
            self.rows().flat_map(|row| &row.samples).filter_map(|s| s.extra(CALIBRATION)).collect();
        let middle = median(loops.clone())?;
        let mut off: Vec<f64> = loops.iter().map(|value| (value / middle - 1.0).abs()).collect();
        off.sort_by(f64::total_cmp);
        (off.len() > 1).then(|| off[(off.len() * 19).div_ceil(20) - 1])
    }
}

/// The name under which a cell prints the nanoseconds of its calibration loop.
pub(crate) const CALIBRATION: &str = "calibration_ns";

impl Contest {
    /// How many times the first contestant's figure this one is, turn by turn. None for the first one itself.
    pub(crate) fn ratio(&self, row: &Row) -> Option<Ratio> {
        let first = &self.rows[0];
        (!std::ptr::eq(first, row)).then(|| Ratio::of(&row.times(first)))?
    }

    /// The row with the smallest figure, if more than one has a figure.
    pub(crate) fn winner(&self) -> Option<&Row> {
        let with = || self.rows.iter().filter(|row| row.figure().is_some());
        let figure = |row: &&Row| row.figure().unwrap_or(f64::INFINITY);
        (with().count() > 1).then(|| with().min_by(|a, b| figure(a).total_cmp(&figure(b))))?
    }
}

impl Row {
    /// Why the cell has no figures: one failed process fails it, because a figure that is there only sometimes is none.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.samples.iter().find_map(Sample::failure)
    }

    /// The median of the figures that count.
    pub(crate) fn figure(&self) -> Option<f64> {
        self.failure().is_none().then(|| median(self.figures()))?
    }

    /// How many times another row's figure this one is in each turn that both have.
    pub(crate) fn times(&self, other: &Row) -> Vec<f64> {
        if self.figure().is_none() || other.figure().is_none() {
            return Vec::new();
        }
        let of_turn = |sample: &Sample| {
            let other = other.samples.iter().find(|other| other.turn == sample.turn)?;
            Some(sample.figure()? / other.figure()?)
        };
        self.samples.iter().filter_map(of_turn).collect()
    }

    /// The mean of the figures that count, or their median where there are enough, and how sure it is.
    pub(crate) fn mean(&self) -> Option<Ratio> {
        Ratio::of(&self.figures())
    }

    /// The figures that count, process by process.
    pub(crate) fn figures(&self) -> Vec<f64> {
        self.samples.iter().filter_map(Sample::figure).collect()
    }

    /// The median of another figure; for the ends of a spread, the outermost ones.
    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        if self.failure().is_some() {
            return None;
        }
        let values: Vec<f64> = self.samples.iter().filter_map(|sample| sample.extra(name)).collect();
        match name {
            "min" => values.into_iter().reduce(f64::min),
            "max" => values.into_iter().reduce(f64::max),
            _ => median(values),
        }
    }
}

/// The middle value; of two the lower one, so that it is always a value that was measured.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().checked_sub(1)? / 2).copied()
}
