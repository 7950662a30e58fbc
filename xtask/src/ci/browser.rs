//! The gate `browser`: a real browser draws the bench's page, and the pages of traces that programs have written a moment
//! before. The gate installs one where it can.

use crate::root;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// The programs that will do.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(super) fn run() -> Result<bool> {
    let browser = match installed() {
        Some(browser) => browser,
        None => install()?,
    };
    let traces = root::target().join("traces");
    if !write_traces(&traces)? {
        return Ok(false);
    }
    let mut test = root::cargo(&["test", "-p", "xtask", "a_browser_draws"]);
    root::succeeds(test.env("GMP_BROWSER", browser).env("GMP_TRACES", traces))
}

/// Pages of each of the programs that are there to be looked at in a trace.
fn write_traces(folder: &Path) -> Result<bool> {
    // None that an earlier version wrote.
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    std::fs::create_dir_all(folder)?;
    let build = ["build", "-p", "gmp", "--example", "traced", "--features", "kernel-switches"];
    if !root::succeeds(&mut root::cargo(&build))? {
        return Ok(false);
    }
    for kind in ["skynet", "server", "blocking"] {
        let mut traced = Command::new(root::target().join("debug/examples/traced"));
        if !root::succeeds(traced.arg(kind).env("GMP_TRACE", folder.join(format!("{kind}.html"))))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn installed() -> Option<&'static str> {
    let starts = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success());
    BROWSERS.into_iter().find(starts)
}

/// Installs Debian's package, for users who may do so.
fn install() -> Result<&'static str> {
    for arguments in [&["update", "-qq"][..], &["install", "-y", "-qq", "chromium"]] {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        if !root::succeeds(&mut command).unwrap_or(false) {
            break;
        }
    }
    match installed() {
        Some(browser) => Ok(browser),
        None => bail!("there is no browser ({}), and apt-get could not install one", BROWSERS.join(", ")),
    }
}
