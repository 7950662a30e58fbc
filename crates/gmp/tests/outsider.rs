//! `examples/custom-policy`, a policy outside this workspace, builds on what gmp makes public, is a policy by its own
//! tests, and does what it says.
//!
//! Cargo builds it in its own folder, as its author would, except that it gets this workspace's lock file and target
//! folder, and no network. So it needs nothing that this test did not need itself, and of its dependencies only those
//! are compiled that this workspace does not have. Yet everything of gmp's is compiled once more, so it is run only
//! when asked for: `cargo test -p gmp --test outsider -- --ignored`, a gate of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs cargo in the outsider's folder. Returns what it printed, if it succeeded.
fn cargo(arguments: &[&str]) -> String {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or(root().join("target"), |given| root().join(given));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.current_dir(root().join("examples/custom-policy")).args(arguments).arg("--offline");
    let output = command.env("CARGO_TARGET_DIR", target).output().expect("cargo can be started");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// One test, since both halves want the lock file and the build folder for themselves.
#[test]
#[ignore = "compiles gmp once more, for a minute"]
fn a_policy_outside_the_workspace() {
    fs::copy(root().join("Cargo.lock"), root().join("examples/custom-policy/Cargo.lock"))
        .expect("the lock file can be copied");
    let judged = cargo(&["test"]);
    for test in ["fuzz::concurrent_runs_keep_the_promise", "victim_order::seeds_repeat", "nobody_grows_old"] {
        assert!(judged.contains(&format!("test {test} ... ok")), "{test} did not run:\n{judged}");
    }
    let shown = cargo(&["run"]);
    let rounds: Vec<u32> = shown
        .lines()
        .filter_map(|line| line.split_once("waited for ")?.1.split([' ', ';']).next()?.parse().ok())
        .collect();
    let [go, aging] = rounds[..] else { panic!("two figures, not {shown}") };
    assert!(aging <= 16 && go > 10 * aging, "{shown}");
}
