//! The gate `sim-smoke`: every policy comes to the end of every workload in the simulator, twice with the same bytes.

use crate::sim;
use anyhow::{Context, Result};
use clap::Parser;
use std::process::ExitCode;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: sim::Args,
}

/// Some hundred cells, which take seconds.
const CELLS: [&str; 8] =
    ["--cores", "1,2,24", "--machine", "flat,2x12", "--order", "coprime,topology", "--seeds", "1"];

pub(super) fn run() -> Result<bool> {
    let file =
        |number: u8| std::env::temp_dir().join(format!("gmp-sim-smoke-{}-{number}.json", std::process::id()));
    let mut bytes = Vec::new();
    for number in 0..2 {
        let path = file(number);
        let jobs = (number + 1).to_string();
        let path_text = path.to_str().context("the temporary folder has a name that is no text")?;
        let line = ["sim"].into_iter().chain(CELLS).chain(["--json", path_text, "--jobs", &jobs]);
        let done = sim::run(&Line::try_parse_from(line)?.args)?;
        bytes.push(std::fs::read(&path)?);
        std::fs::remove_file(&path)?;
        if done != ExitCode::SUCCESS {
            return Ok(false);
        }
    }
    let same = bytes[0] == bytes[1];
    if !same {
        eprintln!("the same cells gave other bytes with one job than with two");
    }
    Ok(same)
}
