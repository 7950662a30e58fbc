//! Which queues there are to fuzz: every crate below `crates/policy/` whose `tests/conformance.rs` has the suite's line,
//! and the broken queues of `crates/gmp-core/tests/broken.rs`. A new policy needs no line here.

use crate::root;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// What every policy's conformance test says, and that of a part of one, as `idle_policy_conformance!`, does not.
const LINE: &str = "::policy_conformance!";

/// Queues to fuzz, and where they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fuzzed {
    /// As `--policy` names it.
    pub(super) name: String,
    /// The package whose test program fuzzes it.
    pub(super) package: String,
    /// The test program.
    test: &'static str,
    /// What its fuzz tests' names begin with or contain.
    pub(super) filter: String,
}

/// The queues of this name.
pub(super) fn find(root: &Path, name: &str) -> Result<Fuzzed> {
    let mut all = of_policies(&root.join("crates/policy"))?;
    let broken = root.join("crates/gmp-core/tests/broken.rs");
    all.extend(of_fixtures(&fs::read_to_string(&broken).with_context(|| broken.display().to_string())?));
    let names: Vec<String> = all.iter().map(|fuzzed| fuzzed.name.clone()).collect();
    let Some(found) = all.into_iter().find(|fuzzed| fuzzed.name == name) else {
        bail!("no policy {name:?} to fuzz; there are: {}", names.join(", "));
    };
    Ok(found)
}

fn of_policies(folder: &Path) -> Result<Vec<Fuzzed>> {
    let mut found = Vec::new();
    let mut crates: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    crates.sort();
    for path in crates {
        let Ok(test) = fs::read_to_string(path.join("tests/conformance.rs")) else { continue };
        let (Some(name), true) = (path.file_name(), test.contains(LINE)) else { continue };
        let manifest = path.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        let table: toml::Table = text.parse().with_context(|| manifest.display().to_string())?;
        let package = table.get("package").and_then(|package| package.get("name")?.as_str());
        let package = package.with_context(|| format!("{} names no package", manifest.display()))?;
        found.push(Fuzzed {
            name: name.to_string_lossy().into_owned(),
            package: package.to_owned(),
            test: "conformance",
            filter: "fuzz::".to_owned(),
        });
    }
    Ok(found)
}

/// The fixtures in the text of the test that lists them, as in `broken_wrap: locked::LostAtWrap => ...;`.
fn of_fixtures(text: &str) -> Vec<Fuzzed> {
    let fixture = |line: &str| {
        let (name, rest) = line.trim().split_once(": ")?;
        let known = name.starts_with("broken_") || name.starts_with("sound_");
        (known && rest.contains(" => ")).then(|| Fuzzed {
            name: name.replace('_', "-"),
            package: "gmp-core".to_owned(),
            test: "broken",
            filter: format!("{name}::fuzz::"),
        })
    };
    text.lines().filter_map(fixture).collect()
}

impl Fuzzed {
    /// Builds the test program with optimizations: where it is, or `None` if it does not build.
    pub(super) fn build(&self) -> Result<Option<PathBuf>> {
        let words = ["test", "--release", "--no-run", "-p", &self.package, "--test", self.test];
        let mut cargo = root::cargo(&words);
        cargo.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
        let output = cargo.output().context("cannot start cargo")?;
        if !output.status.success() {
            return Ok(None);
        }
        let found = String::from_utf8_lossy(&output.stdout).lines().find_map(|line| program(line, self.test));
        found.map(Some).with_context(|| format!("cargo built no test {} of {}", self.test, self.package))
    }
}

/// The program in one of cargo's messages, if it is this test's.
fn program(message: &str, test: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let target = message.get("target")?;
    (target.get("name")? == test && target.get("kind")?.get(0)? == "test")
        .then(|| message.get("executable")?.as_str().map(PathBuf::from))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_policy_is_told_which_there_are() {
        let error = find(root::root(), "fifo").unwrap_err().to_string();
        for name in ["\"fifo\"", "go", "random", "broken-wrap", "sound-ring"] {
            assert!(error.contains(name), "{name} in: {error}");
        }
        assert!(!error.contains("idle,"), "an idle rule has no queues: {error}");
    }

    #[test]
    fn a_policy_is_where_its_conformance_test_is() {
        let go = find(root::root(), "go").unwrap();
        assert_eq!(
            (go.package.as_str(), go.test, go.filter.as_str()),
            ("gmp-policy-go", "conformance", "fuzz::")
        );
        let broken = find(root::root(), "broken-wrap").unwrap();
        assert_eq!((broken.test, broken.filter.as_str()), ("broken", "broken_wrap::fuzz::"));
    }

    #[test]
    fn only_fixtures_are_listed() {
        let text = "    broken_a_b: locked::A => \"Q1\";\n// broken_c: no\nlet sound_x: u8 = 1;\nsound_y: racy::Y => \"\";";
        let names: Vec<String> = of_fixtures(text).into_iter().map(|fixture| fixture.name).collect();
        assert_eq!(names, ["broken-a-b", "sound-y"]);
    }

    #[test]
    fn cargos_message_names_the_program() {
        let message = |name: &str, program: &str| {
            format!(r#"{{"reason":"x","target":{{"kind":["test"],"name":"{name}"}},"executable":{program}}}"#)
        };
        assert_eq!(program(&message("fuzz", "\"/a/b\""), "fuzz"), Some(PathBuf::from("/a/b")));
        assert_eq!(program(&message("other", "\"/a/b\""), "fuzz"), None);
        assert_eq!(program(&message("fuzz", "null"), "fuzz"), None);
        assert_eq!(program("no json", "fuzz"), None);
    }
}
