//! `cargo xtask tidy`: the laws of the house, each in a file with a specimen that proves that it bites.

mod above;
mod floors;
mod heads;
mod imports;
mod inline;
mod ledger;
mod links;
mod orders;
mod rooms;
mod size;
mod source;
mod strays;
mod unsafety;
mod width;
mod words;

use crate::root;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// One file of the project, its path relative to the root.
#[derive(Debug)]
struct File {
    path: String,
    text: String,
}

impl File {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Code that ships, as opposed to tests, suites, models, benches and examples.
    fn ships(&self) -> bool {
        let apart =
            ["/tests/", "/benches/", "/examples/", "/suite/"].iter().any(|folder| self.path.contains(folder));
        self.is_rust() && !apart && !self.path.ends_with("tests.rs") && !self.file_name().starts_with("loom")
    }
}

/// `xtask/floors.toml`.
#[derive(Debug, Default, Deserialize)]
struct House {
    floors: BTreeMap<String, u32>,
    rooms: BTreeMap<String, Vec<String>>,
    circles: BTreeMap<String, String>,
    outside: BTreeMap<String, String>,
    #[serde(rename = "unsafe")]
    opens_unsafe: BTreeMap<String, String>,
    long: BTreeMap<String, String>,
}

/// All files under version control, and the house's table.
#[derive(Debug, Default)]
struct Tree {
    files: Vec<File>,
    house: House,
}

/// A law says what is wrong, a line for each complaint: `path:line: what`.
type Law = fn(&Tree) -> Vec<String>;

const LAWS: &[(&str, Law)] = &[
    ("floors only look down", floors::law),
    ("rooms only look down, and no files import each other", rooms::law),
    ("every file opens with //!", heads::law),
    ("files stay short", size::law),
    ("comments stay narrow", width::law),
    ("what refers to a comment above has one above", above::law),
    ("no file lies about", strays::law),
    ("unsafe only where it is listed", unsafety::law),
    ("orderings say what they pair with", orders::law),
    ("the ledger of orderings names what is there", ledger::law),
    ("links lead somewhere", links::law),
    ("the facade shows what it re-exports", inline::law),
    ("no words of one machine", words::law),
];

pub(crate) fn run() -> Result<bool> {
    let tree = Tree::load(root::root())?;
    let mut well = true;
    for (name, law) in LAWS {
        let complaints = law(&tree);
        println!("{:4} {name}", if complaints.is_empty() { "ok" } else { "BAD" });
        complaints.iter().for_each(|complaint| println!("     {complaint}"));
        well &= complaints.is_empty();
    }
    Ok(well)
}

impl Tree {
    /// What git knows or would add: build output and editors' leavings are none of our business.
    fn load(root: &Path) -> Result<Self> {
        let listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let output =
            Command::new("git").current_dir(root).args(listing).output().context("cannot start git")?;
        let mut files = Vec::new();
        for path in String::from_utf8(output.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A deleted file is still listed; a binary one has no text to judge.
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                files.push(File { path: path.to_owned(), text });
            }
        }
        let table = std::fs::read_to_string(root.join("xtask/floors.toml")).context("xtask/floors.toml")?;
        Ok(Self { files, house: toml::from_str(&table).context("xtask/floors.toml")? })
    }

    /// The crate that a file belongs to: the nearest manifest above it.
    fn package_of(&self, path: &str) -> Option<String> {
        let mut folder = path;
        while let Some(end) = folder.rfind('/') {
            folder = &folder[..end];
            let manifest = self.files.iter().find(|file| file.path == format!("{folder}/Cargo.toml"));
            if let Some(name) = manifest.and_then(|file| floors::package_name(&file.text)) {
                return Some(name);
            }
        }
        None
    }

    /// A tree of these files, for the specimens.
    #[cfg(test)]
    fn specimen(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect(), house: House::default() }
    }
}
