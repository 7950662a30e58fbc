//! `cargo xtask loom [NAME]`: model-checks the protocols on their real types.

use crate::programs::{self, Program};
use crate::root;
use anyhow::{Context, Result, bail};
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
    let Some(programs) = programs::build(&mut test())? else { return Ok(false) };
    let mut models = Vec::new();
    for Program { path, .. } in &programs {
        let list = Command::new(path).arg("--list").output().context("cannot start a test program")?;
        models.extend(names(&String::from_utf8_lossy(&list.stdout)).map(|(name, test)| (name, path, test)));
    }
    if args.list {
        models.iter().for_each(|(name, ..)| println!("{name}"));
        return Ok(true);
    }
    if models.is_empty() {
        bail!("no loom models were built");
    }
    let wanted = args.name.as_deref().unwrap_or("");
    if !models.iter().any(|(name, ..)| name.starts_with(wanted)) {
        let all: Vec<_> = models.into_iter().map(|(name, ..)| name).collect();
        bail!("no loom model {wanted:?}; there are: {}", all.join(", "));
    }
    models.retain(|(name, ..)| name.starts_with(wanted));
    // A model takes one core, whatever it models: its threads are coroutines.
    programs::run_side_by_side(models, |(name, path, test), _| {
        let mut command = Command::new(path);
        command.args(["--exact", &test]);
        (name, command)
    })
}

/// The crates that have models.
const CRATES: [&str; 4] = ["gmp-core", "gmp-sync", "gmp-policy-go", "gmp-policy-idle"];

/// The test programs of these crates under loom. They have a target folder of their own; otherwise each switch between
/// `--cfg loom` and a normal build would build everything anew.
fn test() -> Command {
    let mut command = root::cargo(&["test", "--release", "--lib"]);
    command.args(CRATES.iter().flat_map(|name| ["-p", name]));
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    command.env("RUSTFLAGS", format!("{flags} --cfg loom").trim());
    command.env("CARGO_TARGET_DIR", root::target().join("loom"));
    command
}

/// The models in the test program's list, each with the name of its test: everything in or under something whose name
/// begins with the prefix, as in `queue::loom_ring::a_thief_and_the_owner`, which is `ring::a_thief_and_the_owner` here.
fn names(list: &str) -> impl Iterator<Item = (String, String)> {
    let name = |line: &str| {
        let path = line.strip_suffix(": test")?;
        let model = path.split("::").position(|part| part.starts_with(PREFIX))?;
        let parts: Vec<&str> = path.split("::").skip(model).collect();
        Some((parts.join("::").replacen(PREFIX, "", 1), path.to_owned()))
    };
    list.lines().filter_map(name)
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_models_are_listed() {
        let list =
            "idle::loom_idle::strong_law: test\nloom_note: test\nqueue::list::tests::order: test\n\n3 tests";
        let wanted = [("idle::strong_law", "idle::loom_idle::strong_law"), ("note", "loom_note")];
        assert!(super::names(list).eq(wanted.map(|(name, test)| (name.to_owned(), test.to_owned()))));
    }
}
