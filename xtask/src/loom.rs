//! `cargo xtask loom [NAME]`: model-checks the protocols on their real types.

use crate::root;
use anyhow::{Result, bail};
use std::process::Command;

/// Which models.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// One protocol or one model of it, as `--list` names them; all if none is given.
    name: Option<String>,
    /// Print the models' names and run none.
    #[arg(long)]
    list: bool,
}

/// What the names of all models, or of their modules, begin with.
const PREFIX: &str = "loom_";

pub(crate) fn run(args: &Args) -> Result<bool> {
    let names = names(&String::from_utf8_lossy(&test("--list").output()?.stdout));
    if args.list {
        names.iter().for_each(|name| println!("{name}"));
        return Ok(true);
    }
    let wanted = args.name.as_deref().unwrap_or("");
    if names.is_empty() {
        bail!("no loom models were built; the compiler's message is above if there was one");
    }
    if !names.iter().any(|name| name.starts_with(wanted)) {
        bail!("no loom model {wanted:?}; there are: {}", names.join(", "));
    }
    // One model at a time: each of them uses as many threads as it models, and memory grows with them.
    root::succeeds(test(&format!("{PREFIX}{wanted}")).arg("--test-threads=1"))
}

/// The crates that have models.
const CRATES: [&str; 4] = ["gmp-core", "gmp-sync", "gmp-policy-go", "gmp-policy-idle"];

/// The test programs of these crates under loom. They have a target folder of its own, else each switch between `--cfg
/// loom` and not would build the world anew.
fn test(argument: &str) -> Command {
    let crates = CRATES.iter().flat_map(|name| ["-p", name]);
    let words: Vec<&str> =
        ["test", "--quiet", "--release"].into_iter().chain(crates).chain(["--lib", "--", argument]).collect();
    let mut command = root::cargo(&words);
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    command.env("RUSTFLAGS", format!("{flags} --cfg loom").trim());
    command.env("CARGO_TARGET_DIR", root::target().join("loom"));
    command
}

/// The models in the test program's list: everything in or under something whose name begins with the prefix, as in
/// `queue::loom_ring::a_thief_and_the_owner: test`, which is `ring::a_thief_and_the_owner` here.
fn names(list: &str) -> Vec<String> {
    let name = |line: &str| {
        let path = line.strip_suffix(": test")?;
        let model = path.split("::").position(|part| part.starts_with(PREFIX))?;
        let parts: Vec<&str> = path.split("::").skip(model).collect();
        Some(parts.join("::").replacen(PREFIX, "", 1))
    };
    list.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_models_are_listed() {
        let list =
            "idle::loom_idle::strong_law: test\nloom_note: test\nqueue::list::tests::order: test\n\n3 tests";
        assert_eq!(super::names(list), ["idle::strong_law", "note"]);
    }
}
