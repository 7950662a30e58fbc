//! A file of costs for this machine: what `gmp-sim calibrate` measures, with the scheduler's path from the bench.

use crate::bench;
use crate::bench::report::Report;
use crate::output::Output;
use crate::sim::args::Args;
use crate::sim::program::Program;
use crate::sim::validate::measure;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::ExitCode;

/// What the scheduler's path follows from, in the order of `gmp-sim calibrate`: under the policy go, on one P.
const WORKLOADS: [&str; 3] = ["yield_2", "chan_pingpong", "local_burst"];

pub(crate) fn run(args: &Args, measured: Option<&Path>, output: Option<&Path>) -> Result<ExitCode> {
    let output = output.map(Output::create).transpose()?;
    let program = Program::build(args)?;
    let file = match measured {
        Some(file) => file.to_owned(),
        None => measure(
            "sim-calibrate.json",
            &["--procs", "1,2", "--runs", "5", "--workload", &WORKLOADS.join(",")],
        )?,
    };
    let report = Report::new(&bench::log::read(&file)?);
    let figure = |workload: &&str| {
        let mut rows =
            report.rows().filter(|row| row.cell.lib == bench::plan::OURS && row.cell.policy == "go");
        let row = rows.find(|row| row.cell.workload == *workload && row.cell.procs == 1);
        let figure = row.and_then(|row| row.figure());
        figure
            .map(|ns| ns.to_string())
            .with_context(|| format!("{} has no {workload} on one P", file.display()))
    };
    let figures = WORKLOADS.iter().map(figure).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<&str> = ["calibrate"].into_iter().chain(figures.iter().map(String::as_str)).collect();
    let costs = program.says(&arguments)?;
    match output {
        Some(output) => output.write(&costs)?,
        None => print!("{costs}"),
    }
    Ok(ExitCode::SUCCESS)
}
