//! Which file imports which: the files of one crate, and the arrows between them.
//!
//! An arrow goes from a file that names something to the file that defines it. A `pub use` hands a name on and makes no
//! arrow from its own file, unless that file uses the name, too; whoever uses the name gets an arrow straight to where
//! it is defined. `mod` declares and makes no arrow. Tests import what they like.

use crate::tidy::source;
use crate::tidy::tree::File;
use std::collections::{BTreeMap, BTreeSet};

/// A module by its path below `src`: `records/g`; the crate's root is empty.
pub(crate) type Module = String;

/// What one file says.
#[derive(Default)]
struct Seen {
    /// Names that it hands on, and where they come from.
    handed_on: BTreeMap<String, Vec<String>>,
    /// Names that it imports, and where they come from.
    imported: BTreeMap<String, Vec<String>>,
    /// Paths that it uses in place.
    in_place: Vec<Vec<String>>,
    /// Every word outside of `use`.
    words: BTreeSet<String>,
}

/// The files of a crate.
pub(crate) struct Crate {
    seen: BTreeMap<Module, Seen>,
}

impl Crate {
    /// The crate whose sources lie in `folder`, which ends with `src/`.
    pub(crate) fn of(files: &[File], folder: &str) -> Self {
        let ours = files.iter().filter(|file| file.ships() && file.path.starts_with(folder));
        let seen = ours.map(|file| (module(&file.path[folder.len()..]), Seen::of(&file.text))).collect();
        Self { seen }
    }

    /// Each file's arrows.
    pub(crate) fn arrows(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        self.seen.iter().map(|(from, seen)| (from.clone(), self.arrows_of(from, seen))).collect()
    }

    fn arrows_of(&self, from: &Module, seen: &Seen) -> BTreeSet<Module> {
        let used_here = seen.handed_on.iter().filter(|(name, _)| seen.words.contains(*name));
        let mut paths: Vec<Vec<String>> =
            seen.imported.values().chain(used_here.map(|(_, path)| path)).cloned().collect();
        for path in &seen.in_place {
            let named = seen.imported.get(&path[0]).or_else(|| seen.handed_on.get(&path[0]));
            paths.push(named.map_or_else(|| path.clone(), |named| [named, &path[1..]].concat()));
        }
        let ends = paths.iter().filter_map(|path| self.defining(from, path, 8));
        ends.filter(|to| to != from).collect()
    }

    /// The file that defines what `path`, written in `from`, names. `None`: it is in another crate, or it is a module
    /// itself.
    fn defining(&self, from: &Module, path: &[String], depth: u32) -> Option<Module> {
        if path == ["super", "*"] {
            // An inline module takes all that its file has.
            return None;
        }
        let mut at: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first if self.seen.contains_key(&join(&at, first)) => {}
            _ => return None,
        }
        while let Some(part) = rest.first()
            && self.seen.contains_key(&join(&at, part))
        {
            at.push(part);
            rest = &rest[1..];
        }
        let (module, name) = (at.join("/"), rest.first()?);
        match self.seen.get(&module)?.handed_on.get(name) {
            Some(further) if depth > 0 => self.defining(&module, &[further, &rest[1..]].concat(), depth - 1),
            _ => Some(module),
        }
    }
}

fn join(at: &[&str], part: &str) -> String {
    at.iter().copied().chain([part]).collect::<Vec<_>>().join("/")
}

fn module(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") { String::new() } else { path.to_owned() }
}

impl Seen {
    fn of(text: &str) -> Self {
        let code = source::code(text);
        let code = &code[..tests_begin(&code)];
        let mut seen = Self::default();
        let mut rest = String::new();
        let mut at = 0;
        while let Some((start, end)) = next_use(code, at) {
            rest.push_str(&code[at..start]);
            let statement = &code[start..end];
            let public = statement.starts_with("pub");
            let tree = statement.split_once("use ").map_or("", |(_, tree)| tree);
            for (name, path) in paths(tree) {
                let names = if public { &mut seen.handed_on } else { &mut seen.imported };
                names.insert(name, path);
            }
            at = end + 1;
        }
        rest.push_str(&code[at.min(code.len())..]);
        seen.read(&rest);
        seen
    }

    /// Words, and paths of two and more of them, outside of `use`.
    fn read(&mut self, code: &str) {
        let mut path: Vec<String> = Vec::new();
        let mut rest = code;
        while let Some(start) = rest.find(|c: char| c.is_alphanumeric() || c == '_') {
            rest = &rest[start..];
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, tail) = rest.split_at(end);
            self.words.insert(word.to_owned());
            path.push(word.to_owned());
            rest = tail;
            if let Some(further) = tail.strip_prefix("::")
                && further.starts_with(|c: char| c.is_alphabetic() || c == '_')
            {
                rest = further;
                continue;
            }
            // A macro's path is where it is exported, not where it is written.
            if path.len() > 1 && !tail.starts_with('!') {
                self.in_place.push(std::mem::take(&mut path));
            }
            path.clear();
        }
    }
}

/// Where the file's own tests begin, which stand at its end.
fn tests_begin(code: &str) -> usize {
    let test = |at: &usize| {
        let rest = &code[*at..];
        let mut lines = rest.lines();
        let gate = lines.next().is_some_and(|line| line.contains("test"));
        gate && lines.next().is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    code.match_indices("#[cfg(").map(|(at, _)| at).find(test).unwrap_or(code.len())
}

/// The next `use`, from its visibility to its semicolon.
fn next_use(code: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let found = at + code.get(at..)?.find("use ")?;
        let line = code[..found].rfind('\n').map_or(0, |end| end + 1);
        let before = code[line..found].trim();
        // `pub struct House {` ends in the same letters.
        let is_word = code[line..found].chars().next_back().is_none_or(char::is_whitespace);
        if is_word && (before.is_empty() || (before.starts_with("pub") && !before.contains([';', '{']))) {
            let start = line + (code[line..found].len() - code[line..found].trim_start().len());
            return Some((start, found + code[found..].find(';')?));
        }
        at = found + 4;
    }
}

/// The names that a tree of `use` brings, and the path of each.
fn paths(tree: &str) -> Vec<(String, Vec<String>)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let close = tree.rfind('}').unwrap_or(tree.len());
        let prefix: Vec<String> = split(&tree[..open]);
        let parts = branches(&tree[open + 1..close]);
        return parts
            .into_iter()
            .flat_map(paths)
            .map(|(name, path)| match path.as_slice() {
                [own] if own == "self" => (prefix.last().cloned().unwrap_or_default(), prefix.clone()),
                path => (name, [&prefix[..], path].concat()),
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
    let path = split(path);
    let name = alias.map(|alias| alias.trim().to_owned()).or_else(|| path.last().cloned());
    name.map(|name| (name, path)).into_iter().collect()
}

fn split(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The parts of a list, at its commas outside of braces.
fn branches(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}
