//! Law: a crate depends only on crates of lower floors, as `xtask/floors.toml` has them.

use crate::tidy::tree::{Tree, package};
use toml::{Table, Value};

/// What the built crate and its build script use.
const BUILT: [&str; 2] = ["dependencies", "build-dependencies"];
/// The same, and its tests.
const ALL: [&str; 3] = ["dependencies", "build-dependencies", "dev-dependencies"];
/// What those who use the project build on: the facade, and the simulator for their policies.
const OFFERED: [&str; 2] = ["gmp", "gmp-sim"];

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml")) {
        let Ok(manifest) = file.text.parse::<Table>() else {
            complaints.push(format!("{}: not readable", file.path));
            continue;
        };
        // A manifest without a package is the workspace's own.
        let Some(name) = package(&manifest) else { continue };
        let member = file.path.starts_with("crates/") || file.path.starts_with("xtask/");
        if member {
            let wrong = dependencies(&manifest, &BUILT).into_iter().filter_map(|on| judge(tree, &name, &on));
            complaints.extend(wrong.map(|wrong| format!("{}: {wrong}", file.path)));
            if !tree.house.floors.contains_key(&name) && !tree.house.outside.contains_key(&name) {
                complaints.push(format!("{}: {name} has no floor in xtask/floors.toml", file.path));
            }
        } else {
            // Crates that are not members stand for those who use the project: they build on what is offered to others.
            let ours =
                dependencies(&manifest, &ALL).into_iter().filter(|on| tree.house.floors.contains_key(on));
            let wrong = ours
                .filter(|on| !OFFERED.contains(&on.as_str()))
                .map(|on| format!("{name} is no member and may not depend on {on}"));
            complaints.extend(wrong.map(|wrong| format!("{}: {wrong}", file.path)));
        }
    }
    complaints
}

/// What is wrong with `name` depending on `on`; other people's crates are free.
fn judge(tree: &Tree, name: &str, on: &str) -> Option<String> {
    let floors = &tree.house.floors;
    let below = *floors.get(on)?;
    match floors.get(name) {
        Some(own) if *own > below => None,
        Some(own) => Some(format!("{name} (floor {own}) may not depend on {on} (floor {below})")),
        None => Some(format!("{name} stands outside and may not depend on {on}")),
    }
}

/// Names of everything in the manifest's tables of these kinds, for any target.
fn dependencies(manifest: &Table, kinds: &[&str]) -> Vec<String> {
    let mut tables = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(Value::as_table) {
        tables.extend(targets.values().filter_map(Value::as_table));
    }
    let of = |table: &&Table| {
        kinds.iter().filter_map(|kind| table.get(*kind)?.as_table().cloned()).collect::<Vec<_>>()
    };
    let renamed = |(name, value): (&String, &Value)| {
        value.get("package").and_then(Value::as_str).unwrap_or(name).to_owned()
    };
    tables.iter().flat_map(of).flat_map(|table| table.iter().map(renamed).collect::<Vec<_>>()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(name: &str, rest: &str) -> Vec<String> {
        complaints_at("crates/x/Cargo.toml", name, rest)
    }

    fn complaints_at(path: &str, name: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{rest}");
        let mut tree = Tree::specimen(&[(path, &manifest)]);
        let floors = [("gmp-core", 1), ("gmp-stack", 2), ("gmp-sync", 3), ("gmp", 4)];
        tree.house.floors = floors.map(|(n, f)| (n.to_owned(), f)).into();
        tree.house.outside = [("xtask".to_owned(), String::new())].into();
        law(&tree)
    }

    #[test]
    fn down_is_fine_and_so_are_strangers_and_tests() {
        let rest = "[dependencies]\ngmp-core = '1'\nlibc = '1'\n[dev-dependencies]\ngmp-sync = '1'";
        assert_eq!(complaints("gmp-stack", rest), Vec::<String>::new());
    }

    #[test]
    fn bites_up_sideways_renamed_and_on_targets() {
        for rest in [
            "[dependencies]\ngmp-sync = '1'",
            "[dependencies]\ngmp-stack.path = '.'",
            "[dependencies]\nother = { package = 'gmp-sync', version = '1' }",
            "[target.'cfg(unix)'.dependencies]\ngmp-sync = '1'",
            "[build-dependencies]\ngmp-sync = '1'",
        ] {
            let complaints = complaints("gmp-stack", rest);
            assert_eq!(complaints.len(), 1, "{rest}");
            assert!(complaints[0].contains("may not depend on gmp-s"), "{complaints:?}");
        }
    }

    #[test]
    fn those_outside_the_workspace_build_on_the_facade() {
        let at = "examples/x/Cargo.toml";
        assert_eq!(complaints_at(at, "x", "[dependencies]\ngmp = '1'\nlibc = '1'"), Vec::<String>::new());
        let complaints = complaints_at(at, "x", "[dependencies]\ngmp-core = '1'");
        assert!(complaints[0].contains("may not depend on gmp-core"), "{complaints:?}");
        assert_eq!(complaints_at(at, "x", "[dev-dependencies]\ngmp-core = '1'").len(), 1);
    }

    #[test]
    fn bites_the_unknown_and_the_outsider() {
        assert!(complaints("gmp-new", "")[0].contains("has no floor"));
        assert!(complaints("xtask", "[dependencies]\ngmp-core = '1'")[0].contains("stands outside"));
    }
}
