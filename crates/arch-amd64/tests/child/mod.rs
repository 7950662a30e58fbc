//! Runs one test again in a process of its own, for what can only be seen from outside.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

const MARK: &str = "GMP_TEST_CHILD";

/// Whether this process is the child.
pub(crate) fn is_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test `name` of this binary as a child, and returns how it ended and its standard error.
pub(crate) fn run(name: &str) -> (Output, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(MARK, "1")
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, text)
}

/// Whether the child ended by this signal.
#[allow(dead_code)]
pub(crate) fn ended_by(output: &Output, signal: i32) -> bool {
    output.status.signal() == Some(signal)
}
