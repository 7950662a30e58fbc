//! Simulated ratios between policies against measured ones, at 1 and 2 Ps.

use crate::bench;
use crate::bench::report::{Report, median};
use crate::marked;
use crate::sim::log::Outcome;
use crate::sim::plan::Cell;
use crate::sim::program::{Offer, Program};
use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A simulated ratio that is off by more than this share is a miss.
const NEAR: f64 = 0.15;
/// The policy that the others are compared with.
const FIRST: &str = "go";
const SEEDS: u64 = 5;

/// One policy in one workload on this many Ps.
struct Row {
    workload: String,
    procs: u64,
    policy: String,
    measured: f64,
    simulated: f64,
}

impl Row {
    fn off(&self) -> f64 {
        self.simulated / self.measured - 1.0
    }
}

pub(crate) fn run(program: &Program, measured: Option<&Path>, publish: bool) -> Result<ExitCode> {
    let offer = program.offer()?;
    let workloads: Vec<&str> = offer.workloads.iter().map(|workload| workload.measured_as.as_str()).collect();
    let file = match measured {
        Some(file) => file.to_owned(),
        None => measure(
            "sim-validate.json",
            &["--policy", "all", "--procs", "1,2", "--runs", "3", "--workload", &workloads.join(",")],
        )?,
    };
    let record = bench::log::read(&file)?;
    let head = record.head.without_files();
    let report = Report::new(&bench::log::Record { head, samples: record.samples });
    let head = bench::table::head(&report);
    println!("{head}");
    let rows = rows(program, &offer, &report)?;
    ensure!(
        !rows.is_empty(),
        "{} has no policy beside {FIRST} in these workloads: {}",
        file.display(),
        workloads.join(", ")
    );
    let misses = rows.iter().filter(|row| row.off().abs() > NEAR).count();
    let outcome = format!(
        "{}\n\n{} of {} simulated ratios are within {:.0} % of the measured ones; misses: {misses}.",
        table(&rows),
        rows.len() - misses,
        rows.len(),
        NEAR * 100.0
    );
    println!("{outcome}");
    if publish {
        let file = crate::root::root().join("docs/simulator.md");
        marked::write(&file, "validation", &format!("```text\n{}\n```\n\n{outcome}", head.trim_end()))?;
    }
    Ok(if misses == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the bench measure something, and returns where it wrote it.
pub(super) fn measure(name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let file = crate::root::target().join(name);
    let path = file.to_str().context("the target folder has a name that is no text")?;
    if file.exists() {
        std::fs::remove_file(&file).with_context(|| format!("cannot remove {path}"))?;
    }
    bench::run(&bench::Args::of(&[arguments, &["--json", path]].concat())?)?;
    Ok(file)
}

fn rows(program: &Program, offer: &Offer, report: &Report) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for contest in report.contests.iter().filter(|contest| contest.rows[0].cell.procs <= 2) {
        let found = offer.workloads.iter().find(|known| known.measured_as == contest.rows[0].cell.workload);
        let Some(workload) = found else { continue };
        let ours =
            || contest.rows.iter().filter(|row| row.cell.lib == bench::plan::OURS && row.cell.idle.is_none());
        let figure = |policy: &str| ours().find(|row| row.cell.policy == policy)?.figure();
        let Some(first) = figure(FIRST) else { continue };
        let of = |policy: &str| simulated(program, &cell(&workload.name, policy, &contest.rows[0].cell));
        let simulated_first = of(FIRST)?;
        for policy in offer.policies.iter().filter(|policy| *policy != FIRST) {
            let Some(measured) = figure(policy) else { continue };
            rows.push(Row {
                workload: contest.rows[0].cell.workload.clone(),
                procs: contest.rows[0].cell.procs,
                policy: policy.clone(),
                measured: measured / first,
                simulated: of(policy)? / simulated_first,
            });
        }
    }
    Ok(rows)
}

/// The same program at the size that was measured, or at one large enough to behave like it.
fn cell(workload: &str, policy: &str, measured: &bench::cell::CellSpec) -> Cell {
    let n = match workload {
        "spawn_tree" => measured.n.min(16),
        "fan_out" => 2,
        "pingpong_pairs" => 1,
        "uneven" => measured.n.min(200_000),
        _ => measured.n.min(500),
    };
    Cell {
        policy: policy.to_owned(),
        idle: None,
        order: None,
        workload: workload.to_owned(),
        machine: "flat".to_owned(),
        cores: measured.procs,
        n,
        work: 0.0,
        data: 0,
        seed: 0,
    }
}

/// The median over some seeds.
fn simulated(program: &Program, cell: &Cell) -> Result<f64> {
    let cells: Vec<Cell> = (1..=SEEDS).map(|seed| Cell { seed, ..cell.clone() }).collect();
    let mut figures = Vec::new();
    program.simulate(&["run".to_owned()], &cells, |outcome| {
        match outcome {
            Outcome::Figures(found) => figures.extend(found.get("ns_per_op")),
            Outcome::Failed(why) => anyhow::bail!("{}: {why}", cell.contestant()),
        }
        Ok(())
    })?;
    median(figures).context("the simulator was interrupted")
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["workload", "procs", "policy / go", "measured", "simulated", "off by", ""]);
    for row in rows {
        let miss = if row.off().abs() > NEAR { "miss" } else { "" };
        table.add_row([
            row.workload.clone(),
            row.procs.to_string(),
            row.policy.clone(),
            format!("{:.2}", row.measured),
            format!("{:.2}", row.simulated),
            format!("{:+.0} %", row.off() * 100.0),
            miss.to_owned(),
        ]);
    }
    for column in [1, 3, 4, 5] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}
