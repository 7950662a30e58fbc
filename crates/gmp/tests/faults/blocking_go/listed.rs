//! What the documentation says of each public function, against `suspends.txt` and the rows.

use super::quiet::TOUCHES_NO_RUNTIME;
use super::rows::ROWS;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One line for each public function: `suspends`, or `never`, and its name.
const LIST: &str = include_str!("suspends.txt");

/// What of core the facade gives to users; the rest is for those who build on core.
const OF_CORE: &[&str] = &[
    "JoinHandle",
    "Current",
    "ThreadLock",
    "Unparker",
    "LocalKey",
    "Scope",
    "ScopedJoinHandle",
    "blocking",
    "join",
    "scope",
];

/// A public function that says neither is found here, and so is one whose documentation changes.
pub(crate) fn the_documentation_says_who_suspends() {
    let said = documented();
    let listed: BTreeSet<String> = LIST.lines().map(str::to_owned).collect();
    let unlisted: Vec<_> = said.difference(&listed).collect();
    let gone: Vec<_> = listed.difference(&said).collect();
    assert!(
        unlisted.is_empty() && gone.is_empty(),
        "crates/gmp/tests/faults/blocking_go/suspends.txt is to have the lines {unlisted:#?}\nand not {gone:#?}"
    );
    let silent: Vec<_> = said.iter().filter(|line| line.starts_with('?')).collect();
    assert!(
        silent.is_empty(),
        "say \"**Suspends.**\" or \"Never suspends.\" in the documentation of {silent:#?}"
    );
}

pub(crate) fn every_call_that_never_suspends_has_a_row() {
    let never: BTreeSet<&str> = LIST.lines().filter_map(|line| line.strip_prefix("never ")).collect();
    let rows: BTreeSet<&str> =
        ROWS.iter().map(|row| row.name).chain(TOUCHES_NO_RUNTIME.iter().copied()).collect();
    // Destructors and calls with arguments of their own have rows beyond the functions.
    let beyond = |name: &&str| name.contains(" ");
    let (missing, surplus): (Vec<_>, Vec<_>) =
        (never.difference(&rows).collect(), rows.difference(&never).filter(|name| !beyond(name)).collect());
    assert!(missing.is_empty(), "rows.rs has no row, nor quiet.rs a line, for {missing:#?}");
    assert!(surplus.is_empty(), "rows.rs has rows for what never suspends by no documentation: {surplus:#?}");
}

/// The lines that `suspends.txt` is to have.
fn documented() -> BTreeSet<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("crates");
    let mut lines = BTreeSet::new();
    let select = fs::read_to_string(crates.join("sync/src/select.rs")).expect("the text of select");
    let macros = expansion(&select);
    for (folder, users) in
        [("gmp/src", true), ("gmp-core/src", false), ("sync/src", true), ("net/src", true), ("os/src", true)]
    {
        let mut files = Vec::new();
        find(&crates.join(folder), &mut files);
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file is text");
            read(&text, |owner, name, says| {
                let whole = owner.unwrap_or(name);
                if (users && !macros.contains(whole)) || OF_CORE.contains(&whole) {
                    let owner = owner.map_or(String::new(), |owner| format!("{owner}::"));
                    lines.insert(format!("{says} {owner}{name}"));
                }
            });
        }
    }
    lines
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        match path.extension() {
            _ if path.is_dir() => find(&path, files),
            Some(rs) if rs == "rs" => files.push(path),
            _ => {}
        }
    }
}

/// Tells `found` of each public function: whose it is, its name, and what its documentation says.
fn read(text: &str, mut found: impl FnMut(Option<&str>, &str, &str)) {
    let (mut docs, mut owner, mut all_never) = (String::new(), None, BTreeSet::new());
    for line in text.lines() {
        let code = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(doc) = code.strip_prefix("///") {
            docs += doc;
            continue;
        }
        if code.starts_with("#[") {
            continue;
        }
        if let Some(of) = code.strip_prefix("impl") {
            owner = owner_of(of).map(|name| (name, indent));
        } else if code == "}" && owner.is_some_and(|(_, begun)| begun == indent) {
            owner = None;
        } else if let Some(name) = code.strip_prefix("pub struct ").map(word)
            && docs.contains("No call of it suspends")
        {
            all_never.insert(name);
        } else if let Some(name) = name_of(code)
            && !docs.contains("For [`g_local!`]")
            && !docs.contains("For the facade")
        {
            let owner = owner.map(|(name, _)| name);
            let says = match () {
                () if owner.is_some_and(|owner| all_never.contains(owner)) => "never",
                () if docs.contains("uspends.**") || docs.contains("**Suspends**") => "suspends",
                () if docs.contains("ever suspends") => "never",
                () => "?",
            };
            found(owner, name, says);
        }
        docs.clear();
    }
}

/// What `select!` alone uses.
fn expansion(select: &str) -> BTreeSet<&str> {
    let (_, inside) = select.split_once("pub mod expansion {").expect("the macro's own module");
    let (inside, _) = inside.split_once("\n}").expect("its end");
    inside.split(|c: char| !c.is_alphanumeric()).collect()
}

fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    &text[..end.unwrap_or(text.len())]
}

/// The type of an `impl`, if it is not one of a trait.
fn owner_of(header: &str) -> Option<&str> {
    let mut rest = header.trim_start();
    if rest.starts_with('<') {
        let mut depth = 0;
        let end = rest.char_indices().find(|&(at, c)| {
            depth += match c {
                '<' => 1,
                '>' if !rest[..at].ends_with('-') => -1,
                _ => 0,
            };
            depth == 0
        })?;
        rest = rest[end.0 + 1..].trim_start();
    }
    (!rest.contains(" for ")).then(|| word(rest))
}

fn name_of(code: &str) -> Option<&str> {
    let mut rest = code.strip_prefix("pub ")?;
    for word in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.strip_prefix("fn ").map(word)
}
