//! `cargo xtask bench`: builds the bench, runs each cell in a process of its own, prints a table.

mod machine;
mod plan;
mod program;
mod report;
mod row;
mod table;

use crate::root;
use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use plan::{Contest, Plan};
use program::Program;
use row::Row;
use std::path::PathBuf;
use std::time::Duration;

/// What to measure.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Scheduling policy of gmp, or "all" to put them side by side.
    #[arg(long, default_value = "go")]
    policy: String,
    /// Idle rules of gmp, side by side, separated by commas: go, eager, frugal. Default: the policy's own.
    #[arg(long, value_delimiter = ',')]
    idle: Vec<String>,
    /// Libraries side by side, separated by commas: gmp, tokio, tokio-ct, may, smol, rayon, corosensei, ...
    #[arg(long, value_delimiter = ',', default_value = "gmp")]
    lib: Vec<String>,
    /// Which workloads: "workloads", "go-benchmarks" (the loops of Go's own benchmarks, on gmp and in Go), "policies"
    /// (programs on which policies differ), or "all".
    #[arg(long, default_value = "workloads")]
    group: String,
    /// Only these workloads, of whatever group, separated by commas.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<String>,
    /// Only with these numbers of processors, separated by commas.
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..))]
    procs: Vec<u64>,
    /// A smoke run: shows that everything works, its figures mean little.
    #[arg(long)]
    quick: bool,
    /// How goroutines treat thread-locals.
    #[arg(long, value_enum, default_value_t = Mode::Migrating)]
    mode: Mode,
    /// Use mimalloc under all libraries but Go, instead of the system's allocator.
    #[arg(long)]
    mimalloc: bool,
    /// Processes for each cell, in turn with the other libraries' ones; their median counts. Default: 1 for one
    /// library or a smoke run, else 3.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    runs: Option<u64>,
    /// A `go` program, to have Go's own figures beside ours.
    #[arg(long, value_name = "PATH")]
    go: Option<PathBuf>,
    /// Write all figures to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A cell that takes longer is ended and becomes a row that says so. Default: 180, in a smoke run 60.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    timeout: Option<u64>,
    /// Run this program instead of building gmp-bench: for tests of the table.
    #[arg(long, hide = true, value_name = "PATH")]
    cell_program: Option<PathBuf>,
}

/// The thread-local modes of a runtime.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Mode {
    Migrating,
    Pinned,
    OneThreadEach,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Migrating => "migrating",
            Mode::Pinned => "pinned",
            Mode::OneThreadEach => "one-thread-each",
        }
    }
}

/// Libraries that the bench has without its feature `rivals`.
const BUILT_IN: [&str; 2] = ["gmp", "threads"];

pub(crate) fn run(args: &Args) -> Result<bool> {
    let report = measure(args)?;
    println!("{}", table::head(&report));
    println!("{}", table::render(&report));
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let failed = report.contests.iter().flat_map(|c| &c.rows).filter(|row| !row.is_ok()).count();
    if failed > 0 {
        println!("{failed} cells failed");
    }
    Ok(failed == 0)
}

fn measure(args: &Args) -> Result<report::Report> {
    let programs = programs(args)?;
    let plan = Plan::new(&programs, args)?;
    let runs = args.runs.unwrap_or(if args.quick || plan.contestants.len() == 1 { 1 } else { 3 });
    let bar = progress(plan.cells() as u64 * runs);
    let contests = plan.contests.iter().map(|contest| hold(contest, args, runs, &bar)).collect();
    bar.finish_and_clear();
    Ok(report::Report {
        commit: machine::commit(),
        machine: machine::Machine::here(),
        command: machine::command(),
        mode: args.mode.name().into(),
        allocator: if args.mimalloc { "mimalloc" } else { "the system's" }.into(),
        quick: args.quick,
        runs,
        contestants: plan.contestants,
        contests,
    })
}

/// One workload at one size: the contestants take turns (A B A B ...), because a machine drifts in minutes by more
/// than the differences that are looked for.
fn hold(contest: &Contest<'_>, args: &Args, runs: u64, bar: &ProgressBar) -> report::Contest {
    let limit = Duration::from_secs(args.timeout.unwrap_or(if args.quick { 60 } else { 180 }));
    let mut outcomes = vec![Vec::new(); contest.entries.len()];
    for _ in 0..runs {
        for (entry, outcomes) in contest.entries.iter().zip(&mut outcomes) {
            bar.set_message(entry.cell.to_string());
            outcomes.push(entry.program.run(&entry.cell, args.mode.name(), args.quick, limit));
            bar.inc(1);
        }
    }
    let rows = contest.entries.iter().zip(outcomes).map(|(e, outcomes)| Row::new(e.cell.clone(), outcomes));
    report::Contest { rows: rows.collect() }
}

/// A progress bar on standard error; indicatif hides it where that is no terminal.
fn progress(cells: u64) -> ProgressBar {
    let bar = ProgressBar::new(cells);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} cells  {elapsed_precise}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Builds what is to be run.
fn programs(args: &Args) -> Result<Vec<Program>> {
    if let Some(path) = &args.cell_program {
        return Ok(vec![Program::new(path)]);
    }
    let mut build = vec!["build", "--release", "-p", "gmp-bench"];
    if !args.lib.iter().all(|lib| BUILT_IN.contains(&lib.as_str())) {
        build.extend(["--features", "rivals"]);
    }
    if args.mimalloc {
        build.extend(["--features", "mimalloc"]);
    }
    ensure!(root::succeeds(&mut root::cargo(&build))?, "gmp-bench does not build");
    let mut programs = vec![Program::new(root::target().join("release/gmp-bench"))];
    if let Some(go) = &args.go {
        programs.push(program::build_go(go)?);
    }
    Ok(programs)
}

#[cfg(test)]
mod tests;
