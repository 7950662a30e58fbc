//! Which queues there are to fuzz: every crate below `crates/policy/` that has the suite's line in one of its test
//! programs, and the broken queues of `crates/gmp-core/tests/broken.rs`. A new policy needs no line here.

use crate::{programs, root};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// What the text of a test program contains that fuzzes a policy's queues: the line that brings all laws (but not the
/// one that brings a part of them, `idle_policy_conformance!`), or the fuzzer's own name.
const LINES: [&str; 2] = ["::policy_conformance!", "fuzz::concurrent_runs_keep_the_promise"];

/// Queues to fuzz, and where they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fuzzed {
    /// The name that `--policy` gives it.
    pub(super) name: String,
    /// The package whose test program fuzzes it.
    pub(super) package: String,
    /// The test programs.
    tests: Vec<String>,
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
        let tests = programs_that_fuzz(&path.join("tests"))?;
        let (Some(name), false) = (path.file_name(), tests.is_empty()) else { continue };
        let manifest = path.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).with_context(|| manifest.display().to_string())?;
        let table: toml::Table = text.parse().with_context(|| manifest.display().to_string())?;
        let package = table.get("package").and_then(|package| package.get("name")?.as_str());
        let package = package.with_context(|| format!("{} names no package", manifest.display()))?;
        found.push(Fuzzed {
            name: name.to_string_lossy().into_owned(),
            package: package.to_owned(),
            tests,
            filter: "_keep_the_promise".to_owned(),
        });
    }
    Ok(found)
}

/// The names of the test programs in a crate's `tests`, if it has any, that fuzz.
fn programs_that_fuzz(folder: &Path) -> Result<Vec<String>> {
    let Ok(files) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let name = path.file_stem().filter(|_| LINES.iter().any(|line| text.contains(line)));
        names.extend(name.map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// The fixtures in the text of the test that lists them, as in `broken_wrap: locked::LostAtWrap => ...;`.
fn of_fixtures(text: &str) -> Vec<Fuzzed> {
    let fixture = |line: &str| {
        let (name, rest) = line.trim().split_once(": ")?;
        let known = name.starts_with("broken_") || name.starts_with("sound_");
        (known && rest.contains(" => ")).then(|| Fuzzed {
            name: name.replace('_', "-"),
            package: "gmp-core".to_owned(),
            tests: vec!["broken".to_owned()],
            filter: format!("{name}::fuzz::"),
        })
    };
    text.lines().filter_map(fixture).collect()
}

impl Fuzzed {
    /// Builds the test programs with optimizations. Returns where they are, or `None` if one does not build.
    pub(super) fn build(&self) -> Result<Option<Vec<PathBuf>>> {
        let mut cargo = root::cargo(&["test", "--release", "-p", &self.package]);
        cargo.args(self.tests.iter().flat_map(|test| ["--test", test]));
        let Some(built) = programs::build(&mut cargo)? else { return Ok(None) };
        let found = |test: &String| {
            let program = built.iter().find(|program| program.name == *test);
            Ok(program
                .with_context(|| format!("cargo built no test {test} of {}", self.package))?
                .path
                .clone())
        };
        self.tests.iter().map(found).collect::<Result<_>>().map(Some)
    }
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
        assert_eq!((go.package.as_str(), go.tests), ("gmp-policy-go", vec!["conformance".to_owned()]));
        let broken = find(root::root(), "broken-wrap").unwrap();
        assert_eq!(
            (broken.tests, broken.filter.as_str()),
            (vec!["broken".to_owned()], "broken_wrap::fuzz::")
        );
    }

    /// The same queue may behave differently in another program, as `Block` does with a heavy fence.
    #[test]
    fn all_programs_of_a_policy_count() {
        let block = find(root::root(), "block").unwrap();
        assert_eq!(block.tests, ["conformance", "heavy_fence"]);
    }

    #[test]
    fn only_fixtures_are_listed() {
        let text = "    broken_a_b: locked::A => \"Q1\";\n// broken_c: no\nlet sound_x: u8 = 1;\nsound_y: racy::Y => \"\";";
        let names: Vec<String> = of_fixtures(text).into_iter().map(|fixture| fixture.name).collect();
        assert_eq!(names, ["broken-a-b", "sound-y"]);
    }
}
