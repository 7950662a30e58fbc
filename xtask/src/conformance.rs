//! `cargo xtask conformance [NAME...]`: do goroutines run in the order in which Go runs them? One row for each scenario.
//!
//! The scenarios and the comparison are gmp's test of this name, which `cargo test` runs; here it prints a table.

use crate::root;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
    let mut build = root::cargo(&["test", "-p", "gmp", "--test", "conformance", "--no-run"]);
    build
        .args(["--quiet", "--message-format", "json-render-diagnostics"])
        .args(release.then_some("--release"));
    let output = build.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("the scenarios do not build; the compiler's message is above");
    }
    let text = String::from_utf8(output.stdout)?;
    text.lines().find_map(executable).context("cargo built no test program named conformance")
}

/// The test program, if this line of cargo's is about it.
fn executable(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["target"]["name"] == "conformance" && message["target"]["kind"][0] == "test";
    ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_test_program_is_run() {
        let line = |name: &str, kind: &str| {
            format!(r#"{{"target":{{"kind":["{kind}"],"name":"{name}"}},"executable":"deps/{name}-1"}}"#)
        };
        assert_eq!(executable(&line("conformance", "test")), Some(PathBuf::from("deps/conformance-1")));
        assert_eq!(executable(&line("conformance", "lib")), None);
        assert_eq!(executable(&line("basic", "test")), None);
        assert_eq!(
            executable(r#"{"target":{"kind":["test"],"name":"conformance"},"executable":null}"#),
            None
        );
        assert_eq!(executable("   Compiling gmp"), None);
    }
}
