//! What the laws judge: the files of the project, and the house's table of what is where.

use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use toml::Table;

/// One file of the project, its path relative to the root.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(crate) fn file_name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Code that ships, as opposed to tests, suites, models, benches and examples.
    pub(crate) fn ships(&self) -> bool {
        let apart =
            ["/tests/", "/benches/", "/examples/", "/suite/"].iter().any(|folder| self.path.contains(folder));
        self.is_rust() && !apart && !self.path.ends_with("tests.rs") && !self.file_name().starts_with("loom_")
    }
}

/// `xtask/floors.toml`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct House {
    pub(crate) floors: BTreeMap<String, u32>,
    pub(crate) rooms: BTreeMap<String, Vec<String>>,
    pub(crate) outside: BTreeMap<String, String>,
    #[serde(rename = "unsafe")]
    pub(crate) opens_unsafe: BTreeMap<String, String>,
    pub(crate) long: BTreeMap<String, String>,
}

/// All files under version control, and the house's table.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
    pub(crate) house: House,
}

impl Tree {
    /// The files that git knows or would add: build output and editors' leavings are none of our business.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let listing = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
        let output =
            Command::new("git").current_dir(root).args(listing).output().context("cannot start git")?;
        let mut files = Vec::new();
        for path in String::from_utf8(output.stdout)?.split('\0').filter(|path| !path.is_empty()) {
            // A deleted file is still listed; a picture has no text to judge, but must be named and may be linked to.
            if let Ok(bytes) = std::fs::read(root.join(path)) {
                files
                    .push(File { path: path.to_owned(), text: String::from_utf8(bytes).unwrap_or_default() });
            }
        }
        let table = std::fs::read_to_string(root.join("xtask/floors.toml")).context("xtask/floors.toml")?;
        Ok(Self { files, house: toml::from_str(&table).context("xtask/floors.toml")? })
    }

    /// The crate that a file belongs to: the nearest manifest above it.
    pub(crate) fn package_of(&self, path: &str) -> Option<String> {
        let mut folder = path;
        while let Some(end) = folder.rfind('/') {
            folder = &folder[..end];
            let manifest = self.files.iter().find(|file| file.path == format!("{folder}/Cargo.toml"));
            if let Some(name) = manifest.and_then(|file| package_name(&file.text)) {
                return Some(name);
            }
        }
        None
    }

    /// A tree of these files, for the specimens.
    #[cfg(test)]
    pub(crate) fn specimen(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), text: (*text).to_owned() };
        Self { files: files.iter().map(file).collect(), house: House::default() }
    }
}

/// The package's name in a manifest.
pub(crate) fn package(manifest: &Table) -> Option<String> {
    Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())
}

/// The package's name in a manifest's text.
pub(crate) fn package_name(manifest: &str) -> Option<String> {
    package(&manifest.parse().ok()?)
}
