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

/// What the scheduler's path follows from, on one P, in the order of `gmp-sim calibrate`: workloads, each under a policy.
const FIGURES: [(&str, &str); 5] = [
    ("yield_2", "go"),
    ("chan_pingpong", "go"),
    ("spawn_join", "go"),
    ("chan_pingpong", "global"),
    ("local_burst", "global"),
];

pub(crate) fn run(args: &Args, measured: Option<&Path>, output: Option<&Path>) -> Result<ExitCode> {
    let output = output.map(Output::create).transpose()?;
    let program = Program::build(args)?;
    let file = match measured {
        Some(file) => file.to_owned(),
        None => {
            let workloads = FIGURES.map(|(workload, _)| workload).join(",");
            let policies = FIGURES.map(|(_, policy)| policy).join(",");
            measure(
                "sim-calibrate.json",
                &["--policy", &policies, "--procs", "1", "--runs", "5", "--workload", &workloads],
            )?
        }
    };
    let report = Report::new(&bench::log::read(&file)?);
    let figure = |(workload, policy): &(&str, &str)| {
        let mut rows =
            report.rows().filter(|row| row.cell.lib == bench::plan::OURS && row.cell.policy == *policy);
        let row = rows.find(|row| row.cell.workload == *workload && row.cell.procs == 1);
        let figure = row.and_then(|row| row.figure());
        figure
            .map(|ns| ns.to_string())
            .with_context(|| format!("{} has no {workload} on one P under {policy}", file.display()))
    };
    let figures = FIGURES.iter().map(figure).collect::<Result<Vec<_>>>()?;
    let arguments: Vec<&str> = ["calibrate"].into_iter().chain(figures.iter().map(String::as_str)).collect();
    let costs = program.says(&arguments)?;
    match output {
        Some(output) => output.write(&costs)?,
        None => print!("{costs}"),
    }
    Ok(ExitCode::SUCCESS)
}
