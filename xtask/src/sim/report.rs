//! A simulated run as the bench's tables and pictures want it: a contest for each workload, machine and number of
//! processors, seeds as turns.

use crate::bench;
use crate::bench::cell::CellSpec;
use crate::bench::log::Head;
use crate::bench::machine::Machine;
use crate::bench::report::Report;
use crate::bench::sample::{self, Line, Sample};
use crate::sim::log::{Outcome, Record};
use crate::sim::plan::Cell;
use std::collections::BTreeSet;

/// Lines above the table.
pub(crate) fn head(record: &Record) -> String {
    let head = &record.head;
    let axes = &head.axes;
    let mut text = format!(
        "commit   {}\nmachine  virtual: {}\nseeds    {}; simulated, not measured: see docs/simulator.md\n",
        head.commit,
        axes.machine.join(", "),
        axes.seeds
    );
    let more = [
        (axes.n as f64, "size"),
        (axes.work, "ns of work each"),
        (f64::from(axes.data), "lines of data each"),
    ];
    for (value, what) in more.iter().filter(|(value, _)| *value > 0.0) {
        text += &format!("         {value} {what}\n");
    }
    text += match head.costs {
        Some(_) => "costs    from a file of one's own\n",
        None => "costs    crates/sim/costs.toml\n",
    };
    text
}

/// The run as a report.
pub(crate) fn of(record: &Record) -> Report {
    let machines: BTreeSet<&String> = record.cells.iter().map(|cell| &cell.machine).collect();
    let cells = || record.cells.iter().enumerate();
    let spec = |cell: &Cell| spec(cell, machines.len() > 1);
    let samples = cells().filter_map(|(at, cell)| {
        let outcome = match record.outcomes.get(&at)? {
            Outcome::Figures(figures) => sample::Outcome::Measured(Line {
                n: cell.n,
                ns_per_op: figures.get(MAIN).copied(),
                extra: figures
                    .iter()
                    .map(|(name, value)| (name.clone(), Some(*value)))
                    .filter(|(n, _)| n != MAIN)
                    .collect(),
            }),
            Outcome::Failed(why) => sample::Outcome::Failed(why.clone()),
        };
        Some(Sample { cell: spec(cell), turn: cell.seed - 1, outcome })
    });
    let mut specs: Vec<CellSpec> = cells().map(|(_, cell)| spec(cell)).collect();
    specs.dedup();
    let head = Head {
        commit: record.head.commit.clone(),
        machine: Machine { cpu: "virtual".into(), cores: 0, kernel: String::new(), rustc: String::new() },
        command: String::new(),
        args: bench::Args::standard(),
        runs: record.head.axes.seeds,
        cells: specs,
    };
    Report::new(&bench::log::Record { head, samples: samples.collect() })
}

/// The figure that counts.
const MAIN: &str = "ns_per_op";

fn spec(cell: &Cell, several_machines: bool) -> CellSpec {
    let machine = if several_machines { format!(" on {}", cell.machine) } else { String::new() };
    CellSpec {
        lib: cell.contestant(),
        policy: "-".into(),
        idle: None,
        mode: None,
        modes_compete: false,
        recorder: false,
        no_retake: false,
        shards: 1,
        build: None,
        idle_rules: Vec::new(),
        workload: format!("{}{machine}", cell.workload),
        procs: cell.cores,
        n: cell.n,
        group: "simulated".into(),
        unit: "ns".into(),
        about: String::new(),
    }
}
