//! What has to be known about a figure for it to be worth anything: commit, machine, command.

use crate::root;
use serde::{Deserialize, Serialize};
use std::fs::read_to_string;
use std::process::Command;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
}

impl Machine {
    pub(crate) fn here() -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        let kernel = read_to_string("/proc/sys/kernel/osrelease").unwrap_or_else(|_| "unknown".into());
        Self {
            cpu: model.unwrap_or("unknown CPU").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            kernel: format!("{} {}", std::env::consts::OS, kernel.trim()),
            rustc: rustc(),
        }
    }
}

/// The compiler.
pub(crate) fn rustc() -> String {
    says("rustc", &["--version"]).unwrap_or_else(|| "unknown rustc".into())
}

fn says(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).current_dir(root::root()).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The commit that was measured, and whether the files differ from it.
pub(crate) fn commit() -> String {
    let Some(commit) = says("git", &["rev-parse", "--short=12", "HEAD"]) else { return "unknown".into() };
    match says("git", &["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if !changes.is_empty() => format!("{commit} with changes"),
        _ => commit,
    }
}

/// Whether a program can be started by its name.
pub(crate) fn has(program: &str) -> bool {
    says(program, &["--version"]).is_some()
}

/// The command as it was typed.
pub(crate) fn command() -> String {
    std::env::args().skip(1).fold("cargo xtask".to_owned(), |line, argument| line + " " + &argument)
}
