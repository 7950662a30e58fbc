//! The gate `browser`: a real browser draws the bench's page. The gate installs one where it can.

use crate::root;
use anyhow::{Result, bail};
use std::process::Command;

/// The programs that will do.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

pub(super) fn run() -> Result<bool> {
    let browser = match installed() {
        Some(browser) => browser,
        None => install()?,
    };
    let mut test = root::cargo(&["test", "-p", "xtask", "a_browser_draws_it_without_a_word"]);
    root::succeeds(test.env("GMP_BROWSER", browser))
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
