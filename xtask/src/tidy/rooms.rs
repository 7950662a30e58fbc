//! Law: inside a crate, too, floors look down. Where `xtask/floors.toml` lists a crate's rooms, a file imports from its own
//! room and from those before it; and in no crate do files import each other in a circle.

use crate::tidy::imports::{Crate, Module};
use crate::tidy::tree::{Tree, package_name};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for manifest in tree.files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let folder = manifest.path.replace("Cargo.toml", "src/");
        let arrows = Crate::of(&tree.files, &folder).arrows();
        if let Some(rooms) = package_name(&manifest.text).and_then(|name| tree.house.rooms.get(&name)) {
            complaints.extend(upward(rooms, &arrows).into_iter().map(|wrong| format!("{folder}{wrong}")));
        }
        let circles = circles(&arrows).into_iter();
        complaints.extend(circles.map(|circle| format!("{folder}: a circle: {circle}")));
    }
    complaints
}

/// Files that import from a higher room, or that lie in none.
fn upward(rooms: &[String], arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let floor = |module: &str| {
        let room = module.split('/').next().unwrap_or_default();
        rooms.iter().position(|known| known == room)
    };
    let mut wrong = Vec::new();
    // The root declares the rooms and hands on what is public, so it is above them all.
    for (from, to) in arrows.iter().filter(|(from, _)| !from.is_empty()) {
        let Some(own) = floor(from) else {
            wrong.push(format!("{from}.rs: lies in no room of xtask/floors.toml"));
            continue;
        };
        for to in to.iter().filter(|to| floor(to).is_none_or(|floor| floor > own)) {
            wrong.push(format!("{from}.rs: imports from {to}, a floor up"));
        }
    }
    wrong
}

/// Sets of files in which each can be reached from every other.
fn circles(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<String> {
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        arrows.keys().map(|from| (from, reachable(arrows, from))).collect();
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    for (&from, reached) in &reach {
        if !reached.contains(from) || told.contains(from) {
            continue;
        }
        let circle: Vec<&Module> = reached.iter().copied().filter(|to| reach[*to].contains(from)).collect();
        told.extend(circle.iter().copied());
        let names: Vec<&str> = circle
            .iter()
            .map(|module| if module.is_empty() { "the root" } else { module.as_str() })
            .collect();
        found.push(names.join(", "));
    }
    found
}

fn reachable<'a>(arrows: &'a BTreeMap<Module, BTreeSet<Module>>, from: &Module) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = arrows[from].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(arrows.get(module).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        let mut all = vec![("crates/x/Cargo.toml", "[package]\nname = \"x\"")];
        all.extend(files);
        let mut tree = Tree::specimen(&all);
        tree.house.rooms = [("x".to_owned(), vec!["low".to_owned(), "high".to_owned()])].into();
        law(&tree)
    }

    #[test]
    fn down_is_fine_and_so_is_handing_on() {
        let files = [
            ("crates/x/src/lib.rs", "mod low;\nmod high;\npub use high::a::A;"),
            ("crates/x/src/low.rs", "mod b;\npub use b::B;"),
            (
                "crates/x/src/low/b.rs",
                "pub struct B;\n#[cfg(test)]\nmod tests {\n    use crate::high::a::A;\n}",
            ),
            ("crates/x/src/high.rs", "pub mod a;\npub struct House {}"),
            ("crates/x/src/high/a.rs", "use crate::low::B;\nuse std::fmt;\npub struct A(B);"),
        ];
        assert_eq!(complaints(&files), Vec::<String>::new());
    }

    #[test]
    fn bites_imports_that_run_up() {
        for text in ["use crate::high::A;", "use super::high::{A, self};", "fn f() -> crate::high::A {}"] {
            let found = complaints(&[
                ("crates/x/src/lib.rs", ""),
                ("crates/x/src/low.rs", text),
                ("crates/x/src/high.rs", "pub struct A;"),
            ]);
            assert_eq!(found, ["crates/x/src/low.rs: imports from high, a floor up"], "{text}");
        }
    }

    #[test]
    fn bites_files_without_a_room() {
        let found = complaints(&[("crates/x/src/lib.rs", ""), ("crates/x/src/else.rs", "")]);
        assert_eq!(found, ["crates/x/src/else.rs: lies in no room of xtask/floors.toml"]);
    }

    #[test]
    fn bites_circles_behind_re_exports_and_modules() {
        let found = complaints(&[
            ("crates/x/src/lib.rs", ""),
            ("crates/x/src/low.rs", "mod a;\nmod b;\npub use a::A;\npub(crate) use b::B;"),
            ("crates/x/src/low/a.rs", "use crate::low::b;\npub struct A(b::B);"),
            ("crates/x/src/low/b.rs", "pub struct B(super::A);"),
        ]);
        assert_eq!(found, ["crates/x/src/: a circle: low/a, low/b"]);
    }

    #[test]
    fn bites_a_file_that_uses_what_its_child_takes_from_it() {
        let child = "use super::Width;\npub struct B(Width);";
        let found = complaints(&[
            ("crates/x/src/lib.rs", ""),
            ("crates/x/src/low.rs", "mod b;\npub use b::B;\npub type Width = u8;\npub fn f(_: B) {}"),
            ("crates/x/src/low/b.rs", child),
        ]);
        assert_eq!(found, ["crates/x/src/: a circle: low, low/b"]);
    }
}
