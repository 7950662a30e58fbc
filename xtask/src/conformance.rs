//! `cargo xtask conformance [NAME...]`: do goroutines run in the order in which Go runs them? Prints one row for each
//! scenario.
//!
//! The scenarios and the comparison are gmp's test of this name, which `cargo test` runs; here it prints a table.

use crate::{programs, root};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::Command;

/// Which scenarios, how often.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these scenarios; all of them if none is given.
    name: Vec<String>,
    /// Print the scenarios' names and run none.
    #[arg(long)]
    list: bool,
    /// Run each so many times, up to its first difference.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Build with optimizations.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(args: &Args) -> Result<bool> {
    let program = build(args.release)?;
    let mut command = Command::new(program);
    command.arg("--table").args(&args.name).args(["--repeat", &args.repeat.to_string()]);
    command.args(args.list.then_some("--list"));
    root::succeeds(command.current_dir(root::root()))
}

/// The test program, built.
fn build(release: bool) -> Result<PathBuf> {
    let mut build = root::cargo(&["test", "-p", "gmp", "--test", "conformance"]);
    build.args(release.then_some("--release"));
    let Some(built) = programs::build(&mut build)? else {
        bail!("the scenarios do not build; the compiler's message is above");
    };
    let program = built.into_iter().find(|program| program.name == "conformance");
    Ok(program.context("cargo built no test program named conformance")?.path)
}
