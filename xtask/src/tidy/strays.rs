//! Law: no file is left lying about. A source file belongs to a crate, where Cargo or a `mod` finds it; any other file
//! is named by some file beside it or by what uses it.

use crate::tidy::source;
use crate::tidy::tree::{File, Tree};
use std::collections::BTreeSet;

/// Found by Cargo, by git, or by people who look for licences.
const KNOWN: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "LICENSE-THIRD-PARTY",
    ".gitignore",
    "rustfmt.toml",
];

pub(crate) fn law(tree: &Tree) -> Vec<String> {
    let modules = modules(tree);
    let (rust, others): (Vec<&File>, Vec<&File>) = tree.files.iter().partition(|file| file.is_rust());
    let mut complaints: Vec<String> = rust
        .into_iter()
        .filter(|file| !is_target(&file.path) && !modules.contains(&file.path))
        .map(|file| format!("{}: no target of Cargo's, and no `mod` names it", file.path))
        .collect();
    let unnamed =
        others.into_iter().filter(|file| !KNOWN.contains(&file.file_name()) && !is_named(tree, file));
    complaints.extend(unnamed.map(|file| format!("{}: no other file names it", file.path)));
    complaints
}

/// What Cargo finds by itself.
fn is_target(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(
        parts.as_slice(),
        [.., "src", "lib.rs" | "main.rs"]
            | [.., "build.rs"]
            | [.., "tests" | "examples" | "benches", _]
            | [.., "tests" | "examples" | "benches", _, "main.rs"]
            | [.., "src", "bin", _]
    )
}

/// The files that a `mod` may mean, with or without a `#[path]`, and those that are included.
fn modules(tree: &Tree) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in tree.files.iter().filter(|file| file.is_rust()) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let own = match file.file_name() {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => file.path.trim_end_matches(".rs").to_owned(),
        };
        for line in source::code(&file.text).lines() {
            let Some(name) = line.trim().strip_suffix(';').and_then(|line| line.rsplit_once("mod ")) else {
                continue;
            };
            // Files beside a target of Cargo's are its modules, too: `tests/a.rs` has `tests/b.rs`.
            for folder in [own.as_str(), folder] {
                found.insert(format!("{folder}/{}.rs", name.1));
                found.insert(format!("{folder}/{}/mod.rs", name.1));
            }
        }
        for quoted in file.text.split('"').filter(|text| text.ends_with(".rs")) {
            found.insert(normal(&format!("{folder}/{quoted}")));
        }
    }
    found
}

/// A path without its `..`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            ".." => _ = parts.pop(),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether some other file has the name as a word, without its ending: goldens are named by their scenario's name, and
/// the files of a Go program by their package's folder.
fn is_named(tree: &Tree, file: &File) -> bool {
    let stem = file.file_name().split('.').find(|part| !part.is_empty()).unwrap_or_default();
    let folder = file.path.rsplit('/').nth(1).unwrap_or_default();
    let named = |what: &str| {
        !what.is_empty()
            && tree.files.iter().any(|other| {
                other.path != file.path && other.text.lines().any(|line| source::has_word(line, what))
            })
    };
    named(stem) || (file.path.contains("/go/") && named(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(files: &[(&str, &str)]) -> Vec<String> {
        law(&Tree::specimen(files))
    }

    #[test]
    fn what_is_used_is_fine() {
        let files = [
            ("crates/x/Cargo.toml", ""),
            ("crates/x/src/lib.rs", "mod a;\npub(crate) mod b;\n#[path = \"../odd/c.rs\"]\nmod c;"),
            ("crates/x/src/a.rs", "#[cfg(test)]\nmod tests;"),
            ("crates/x/src/a/tests.rs", "const TEXT: &str = include_str!(\"golden.txt\");"),
            ("crates/x/src/a/golden.txt", ""),
            ("crates/x/src/b/mod.rs", ""),
            ("crates/x/odd/c.rs", ""),
            ("crates/x/tests/whole.rs", "mod help;"),
            ("crates/x/tests/help/mod.rs", ""),
            ("crates/x/examples/server/main.rs", ""),
        ];
        assert_eq!(complaints(&files), Vec::<String>::new());
    }

    #[test]
    fn bites_what_nobody_names() {
        let found = complaints(&[
            ("crates/x/src/lib.rs", "mod a;"),
            ("crates/x/src/a.rs", ""),
            ("crates/x/src/old.rs", ""),
            ("crates/x/src/a/b.rs", ""),
            ("docs/forgotten.md", "forgotten"),
            ("notes.txt", ""),
        ]);
        assert_eq!(
            found,
            [
                "crates/x/src/old.rs: no target of Cargo's, and no `mod` names it",
                "crates/x/src/a/b.rs: no target of Cargo's, and no `mod` names it",
                "docs/forgotten.md: no other file names it",
                "notes.txt: no other file names it",
            ]
        );
    }
}
