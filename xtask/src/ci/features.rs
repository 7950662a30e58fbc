//! The gate `features`: every set of the facade's features builds, and the tests pass under the key sets.

use crate::root;
use anyhow::{Context, Result};
use std::fs::read_to_string;

/// Features under which the whole test suite of the facade runs, each alone: those that move the default policy, one name
/// for each.
const TESTED: [&str; 6] =
    ["policy-random", "policy-block", "policy-lifo", "policy-global", "idle-eager", "idle-frugal"];
/// Up to so many features every set is built; with more, each alone, each pair, and all: 2^n builds would take hours,
/// and a clash of three features that no pair shows has yet to be seen.
const EVERY_SET: usize = 5;

pub(crate) fn run() -> Result<bool> {
    let features = features(&read_to_string(root::root().join("crates/gmp/Cargo.toml"))?)?;
    for set in sets(&features) {
        println!("-- features: [{}]", set.join(", "));
        let list = set.join(",");
        let check = ["check", "--quiet", "-p", "gmp", "--no-default-features", "--features", &list];
        if !root::succeeds(&mut root::cargo(&check))? {
            return Ok(false);
        }
    }
    for name in TESTED {
        if !root::succeeds(&mut root::cargo(&["test", "-p", "gmp", "--features", name]))? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The manifest's features without `default` and without aliases (those that only name one other feature).
fn features(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table = manifest.parse().context("crates/gmp/Cargo.toml")?;
    let Some(table) = manifest.get("features").and_then(toml::Value::as_table) else { return Ok(Vec::new()) };
    let alias = |value: &toml::Value| match value.as_array().map(Vec::as_slice) {
        Some([toml::Value::String(one)]) => table.contains_key(one),
        _ => false,
    };
    let own = table.iter().filter(|(name, value)| *name != "default" && !alias(value));
    Ok(own.map(|(name, _)| name.clone()).collect())
}

fn sets(features: &[String]) -> Vec<Vec<String>> {
    let all = 0..1u64 << features.len();
    let few = |mask: &u64| mask.count_ones() <= 2 || mask.count_ones() as usize == features.len();
    let masks = all.filter(|mask| features.len() <= EVERY_SET || few(mask));
    let set =
        |mask: u64| (0..features.len()).filter(|i| mask >> i & 1 == 1).map(|i| features[i].clone()).collect();
    masks.map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_and_the_default_set_are_left_out() {
        let manifest = "[features]\ndefault = ['a']\na = []\nb = ['a', 'dep:c']\nalias = ['b']\n";
        assert_eq!(features(manifest).unwrap(), ["a", "b"]);
    }

    #[test]
    fn every_set_up_to_five_features_then_pairs() {
        let named = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        assert_eq!(sets(&named(0)), [Vec::<String>::new()]);
        assert_eq!(sets(&named(5)).len(), 32);
        assert_eq!(sets(&named(6)).len(), 1 + 6 + 15 + 1);
    }
}
