//! The gate `features`: every set of every crate's features builds, and the facade's tests pass under the features that
//! move the default policy.
//!
//! It does what cargo-hack's `--feature-powerset` does, but needs nothing to be installed: installing takes longer than
//! the gate.

use crate::{programs, root};
use anyhow::{Context, Result};
use std::fs::{read_dir, read_to_string};
use std::path::PathBuf;
use toml::{Table, Value};

/// Features of the facade whose names begin in one of these ways move the default. Tests run under each of them, a policy
/// and an idle rule together as long as there are both.
const MOVE_THE_DEFAULT: [&str; 2] = [POLICY, "idle-"];
const POLICY: &str = "policy-";
/// Tests of the facade to which the default makes no difference, since each names the policies that it runs under. The
/// gate `test` has run them; here they would be built once more for each default, and they are the largest.
const NAME_THEIR_POLICY: [&str; 9] = [
    "conformance",
    "ecosystem",
    "faults",
    "idle_rules",
    "outsider",
    "per_thread",
    "thread_locals",
    "victim_order",
    "wrong_policy",
];
/// Tests of what depends most on who runs when, which run under every default. The others are dealt out: each runs under
/// one of the defaults, beside Go's in the gate `test`.
const EVERYWHERE: [&str; 10] = [
    "basic",
    "chan_histories",
    "channel",
    "closing",
    "go_scheduler",
    "hops",
    "join_both",
    "scopes",
    "select",
    "sync",
];
/// Features whose crates the gate `test` does without, so that their tests run here.
const TESTED_HERE: &str = "kernel-switches,perfetto,profile,tracing";
/// Up to this many features, every set is built, which takes half a second each. With more, each one alone, each pair of
/// those that do more than move the default, and all are built: a clash of three features that no pair shows has yet to
/// be seen.
const EVERY_SET: usize = 8;

pub(crate) fn run() -> Result<bool> {
    Ok(every_set_builds()? && tests_pass_under_each_default()?)
}

/// Each core has a target folder of its own; otherwise they would wait for each other.
fn every_set_builds() -> Result<bool> {
    let mut all = Vec::new();
    for package in packages()? {
        let name = name(&package)?.to_owned();
        all.extend(sets(&features(&package)).into_iter().map(|set| (name.clone(), set)));
    }
    programs::run_side_by_side(all, |(name, set), core| {
        let list = set.join(",");
        let check = ["check", "--quiet", "-p", &name, "--no-default-features", "--features", &list];
        let mut cargo = root::cargo(&check);
        cargo.env("CARGO_TARGET_DIR", root::target().join(format!("features/{core}")));
        (format!("{name} [{}]", set.join(", ")), cargo)
    })
}

fn tests_pass_under_each_default() -> Result<bool> {
    let programs: Vec<String> = programs()?.into_iter().map(|(name, _)| name).collect();
    let defaults = defaults(&moving(&manifest("crates/gmp")?));
    let mut good = root::succeeds(&mut root::cargo(&["test", "-p", "gmp-trace", "--all-features"]))?;
    for (features, names) in defaults.iter().zip(dealt(&programs, defaults.len())) {
        println!("-- gmp's tests under {features}");
        let features = format!("{features},{TESTED_HERE}");
        let mut test =
            root::cargo(&["test", "-p", "gmp", "--lib", "--no-fail-fast", "--features", &features]);
        good &= root::succeeds(test.args(arguments(names.into_iter())))?;
    }
    Ok(good)
}

/// Which of these test programs run under each of so many defaults.
fn dealt(programs: &[String], defaults: usize) -> Vec<Vec<String>> {
    let named = programs.iter().filter(|name| !NAME_THEIR_POLICY.contains(&name.as_str()));
    let mut hands = vec![Vec::new(); defaults];
    let mut next = (0..defaults).cycle();
    for name in named {
        if EVERYWHERE.contains(&name.as_str()) {
            hands.iter_mut().for_each(|hand| hand.push(name.clone()));
        } else if let Some(default) = next.next() {
            hands[default].push(name.clone());
        }
    }
    hands
}

fn manifest(folder: &str) -> Result<Table> {
    let path = root::root().join(folder).join("Cargo.toml");
    read_to_string(&path)?.parse().with_context(|| format!("{}", path.display()))
}

/// The manifests of the members that have features.
fn packages() -> Result<Vec<Table>> {
    let workspace = manifest("")?;
    let members = workspace.get("workspace").and_then(|table| table.get("members")?.as_array());
    let folders = members.context("Cargo.toml has members")?.iter().filter_map(Value::as_str);
    let manifests: Result<Vec<Table>> = folders.map(manifest).collect();
    Ok(manifests?.into_iter().filter(|manifest| !features(manifest).is_empty()).collect())
}

fn name(manifest: &Table) -> Result<&str> {
    manifest.get("package").and_then(|table| table.get("name")?.as_str()).context("a member has a name")
}

fn table(manifest: &Table) -> Option<&Table> {
    manifest.get("features")?.as_table()
}

/// Whether this feature only names another one: it is the same build.
fn is_alias(table: &Table, value: &Value) -> bool {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(one)]) => table.contains_key(one),
        _ => false,
    }
}

/// The manifest's features without `default` and without aliases.
fn features(manifest: &Table) -> Vec<String> {
    let Some(table) = table(manifest) else { return Vec::new() };
    let own = table.iter().filter(|(name, value)| *name != "default" && !is_alias(table, value));
    own.map(|(name, _)| name.clone()).collect()
}

/// The features that move the default policy, aliases too: one of two such names is enough.
fn moving(manifest: &Table) -> Vec<String> {
    let names = table(manifest).into_iter().flat_map(Table::keys);
    names.filter(|name| MOVE_THE_DEFAULT.iter().any(|prefix| name.starts_with(prefix))).cloned().collect()
}

/// Each policy and each idle rule once, in as few sets as that takes.
fn defaults(moving: &[String]) -> Vec<String> {
    let (policies, rules): (Vec<_>, Vec<_>) =
        moving.iter().cloned().partition(|name| name.starts_with(POLICY));
    let (mut policies, mut rules) = (policies.into_iter(), rules.into_iter());
    let pair = || Some([policies.next(), rules.next()].into_iter().flatten().collect::<Vec<_>>().join(","));
    std::iter::from_fn(pair).take_while(|set| !set.is_empty()).collect()
}

/// Arguments that name the facade's test programs whose source is wanted.
pub(super) fn programs_that(is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let mut wanted = Vec::new();
    for (name, path) in programs()? {
        if is_wanted(&read_to_string(path)?) {
            wanted.push(name);
        }
    }
    Ok(arguments(wanted.into_iter()))
}

fn arguments(names: impl Iterator<Item = String>) -> Vec<String> {
    names.flat_map(|name| ["--test".to_owned(), name]).collect()
}

/// The facade's test programs, by name, and the file that each begins in.
fn programs() -> Result<Vec<(String, PathBuf)>> {
    let mut programs = Vec::new();
    for entry in read_dir(root::root().join("crates/gmp/tests"))? {
        let path = entry?.path();
        let name =
            path.file_stem().and_then(|stem| stem.to_str()).context("a test's name is text")?.to_owned();
        let file = if path.is_dir() { path.join("main.rs") } else { path };
        if file.extension().is_some_and(|is| is == "rs") && file.exists() {
            programs.push((name, file));
        }
    }
    programs.sort();
    Ok(programs)
}

fn sets(features: &[String]) -> Vec<Vec<String>> {
    let all = 0..1u64 << features.len();
    let moves = |i: usize| MOVE_THE_DEFAULT.iter().any(|prefix| features[i].starts_with(prefix));
    let moving = (0..features.len()).filter(|&i| moves(i)).fold(0_u64, |mask, i| mask | 1 << i);
    let few = |mask: &u64| match mask.count_ones() as usize {
        0 | 1 => true,
        2 => mask & moving == 0,
        ones => ones == features.len(),
    };
    let masks = all.filter(|mask| features.len() <= EVERY_SET || few(mask));
    let set =
        |mask: u64| (0..features.len()).filter(|i| mask >> i & 1 == 1).map(|i| features[i].clone()).collect();
    masks.map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_and_an_idle_rule_share_a_run() {
        let moving = ["policy-a", "idle-b", "policy-c", "policy-d", "idle-e"].map(str::to_owned);
        assert_eq!(defaults(&moving), ["policy-a,idle-b", "policy-c,idle-e", "policy-d"]);
        assert!(defaults(&[]).is_empty());
    }

    /// A test that is named above and does not exist any more would leave a hole when its name comes back.
    #[test]
    fn each_program_runs_under_some_default() {
        let programs: Vec<String> = programs().unwrap().into_iter().map(|(name, _)| name).collect();
        let known = |names: &[&str]| names.iter().all(|name| programs.iter().any(|program| program == name));
        assert!(known(&NAME_THEIR_POLICY) && known(&EVERYWHERE));
        let hands = dealt(&programs, 3);
        for program in programs.iter().filter(|name| !NAME_THEIR_POLICY.contains(&name.as_str())) {
            let times = if EVERYWHERE.contains(&program.as_str()) { 3 } else { 1 };
            assert_eq!(hands.iter().flatten().filter(|name| *name == program).count(), times, "{program}");
        }
    }

    const MANIFEST: &str = "[features]\ndefault = ['a']\na = []\nb = ['a', 'dep:c']\nalias = ['b']\npolicy-x = ['a']\n\
                            idle-y = []\nmy-policy-z = []\n";

    #[test]
    fn aliases_and_the_default_set_are_left_out() {
        assert_eq!(features(&MANIFEST.parse().unwrap()), ["a", "b", "idle-y", "my-policy-z"]);
    }

    #[test]
    fn what_moves_the_default_is_tested_by_either_name() {
        assert_eq!(moving(&MANIFEST.parse().unwrap()), ["idle-y", "policy-x"]);
    }

    #[test]
    fn every_set_up_to_eight_features_then_pairs() {
        let named = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(sets(&named(0)), [Vec::<String>::new()]);
        assert_eq!(sets(&named(8)).len(), 256);
        assert_eq!(sets(&named(9)).len(), 1 + 9 + 36 + 1);
        let moving = [named(8), vec!["idle-a".into(), "policy-b".into()]].concat();
        assert_eq!(sets(&moving).len(), 1 + 10 + 28 + 1);
    }

    #[test]
    fn programs_are_told_by_their_source() {
        let told = programs_that(|source| source.contains("mod told;")).unwrap();
        assert!(told.contains(&"hops".into()) && !told.contains(&"ecosystem".into()), "{told:?}");
        assert!(!told.contains(&"harness".into()), "{told:?}");
    }

    /// The facade and the suites are among what is built, and the policy of the race build is among what is tested.
    #[test]
    fn the_workspace_is_read() {
        let names: Vec<_> =
            packages().unwrap().iter().map(|package| name(package).unwrap().to_owned()).collect();
        assert!(names.contains(&"gmp".into()) && names.contains(&"gmp-core".into()), "{names:?}");
        assert!(moving(&manifest("crates/gmp").unwrap()).contains(&"policy-random".into()));
    }
}
