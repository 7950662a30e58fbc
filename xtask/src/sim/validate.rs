//! Simulated ratios between policies against measured ones, at 1 and 2 Ps, and between idle rules for a trickle.

use crate::bench;
use crate::bench::cell::CellSpec;
use crate::bench::report::{Report, median};
use crate::marked;
use crate::sim::log::Outcome;
use crate::sim::plan::Cell;
use crate::sim::program::{Offer, Program, Workload};
use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, Table, presets};
use std::path::PathBuf;
use std::process::ExitCode;

/// A simulated ratio that is off by more than this share is a miss.
const NEAR: f64 = 0.15;
/// The policy that the others are compared with, and the idle rule.
const FIRST: &str = "go";
/// What runs on as many Ps as it is defined for, since idle rules are about idle ones.
const TRICKLE: &str = "trickle";
const SEEDS: u64 = 3;

/// One policy, or one idle rule, in one workload on this many Ps.
struct Row {
    workload: String,
    procs: u64,
    contestant: String,
    measured: f64,
    simulated: f64,
}

impl Row {
    fn off(&self) -> f64 {
        self.simulated / self.measured - 1.0
    }
}

pub(crate) fn run(program: &Program, measured: &[PathBuf], publish: bool) -> Result<ExitCode> {
    let offer = program.offer()?;
    let files = if measured.is_empty() { measure_all(&offer)? } else { measured.to_vec() };
    let mut reports = Vec::new();
    for file in &files {
        let record = bench::log::read(file)?;
        let head = record.head.without_files();
        reports.push(Report::new(&bench::log::Record { head, samples: record.samples }));
    }
    let head: String = reports.iter().map(bench::table::head).collect();
    println!("{head}");
    let rows = rows(program, &offer, &reports)?;
    ensure!(
        !rows.is_empty(),
        "nothing was measured beside {FIRST} in these workloads: {}",
        offer.workloads.iter().map(|workload| workload.measured_as.as_str()).collect::<Vec<_>>().join(", ")
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

/// Measures every policy at 1 and 2 Ps, and every idle rule.
fn measure_all(offer: &Offer) -> Result<Vec<PathBuf>> {
    let of = |chosen: fn(&Workload) -> bool| {
        let chosen = offer.workloads.iter().filter(|workload| chosen(workload));
        chosen.map(|workload| workload.measured_as.as_str()).collect::<Vec<_>>().join(",")
    };
    let (all, trickle) = (of(|_| true), of(|workload| workload.name == TRICKLE));
    let rules = offer.idle.join(",");
    Ok(vec![
        measure(
            "sim-validate.json",
            &["--policy", "all", "--procs", "1,2", "--runs", "3", "--workload", &all],
        )?,
        measure(
            "sim-validate-idle.json",
            &["--policy", FIRST, "--idle", &rules, "--runs", "3", "--workload", &trickle],
        )?,
    ])
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

fn rows(program: &Program, offer: &Offer, reports: &[Report]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for contest in reports.iter().flat_map(|report| &report.contests) {
        let spec = &contest.rows[0].cell;
        let found = offer.workloads.iter().find(|known| known.measured_as == spec.workload);
        let Some(workload) = found.filter(|workload| spec.procs <= 2 || workload.name == TRICKLE) else {
            continue;
        };
        let ours = || contest.rows.iter().filter(|row| row.cell.lib == bench::plan::OURS);
        let is_first =
            |cell: &CellSpec| cell.policy == FIRST && cell.idle.as_deref().is_none_or(|rule| rule == FIRST);
        let Some(first) = ours().find(|row| is_first(&row.cell)).and_then(bench::report::Row::figure) else {
            continue;
        };
        let simulated_first = simulated(program, &cell(&workload.name, FIRST, None, spec))?;
        for row in ours().filter(|row| !is_first(&row.cell) && offer.policies.contains(&row.cell.policy)) {
            let Some(measured) = row.figure() else { continue };
            let (policy, idle) = (&row.cell.policy, row.cell.idle.as_deref());
            let simulated = simulated(program, &cell(&workload.name, policy, idle, spec))?;
            rows.push(Row {
                workload: spec.workload.clone(),
                procs: spec.procs,
                contestant: idle.map_or_else(|| policy.clone(), |rule| format!("{policy}, {rule}")),
                measured: measured / first,
                simulated: simulated / simulated_first,
            });
        }
    }
    Ok(rows)
}

/// The same program, at the size that was measured where that decides over what fits into a cache, and otherwise at one
/// large enough to behave like it.
fn cell(workload: &str, policy: &str, idle: Option<&str>, measured: &CellSpec) -> Cell {
    let n = match workload {
        "spawn_tree" | "uneven" => measured.n,
        "fan_out" => 2,
        "pingpong_pairs" => 1,
        _ => measured.n.min(500),
    };
    Cell {
        policy: policy.to_owned(),
        idle: idle.map(str::to_owned),
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
    table.set_header(["workload", "procs", "contestant / go", "measured", "simulated", "off by", ""]);
    for row in rows {
        let miss = if row.off().abs() > NEAR { "miss" } else { "" };
        table.add_row([
            row.workload.clone(),
            row.procs.to_string(),
            row.contestant.clone(),
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
