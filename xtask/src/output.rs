//! A file that is written at the end of some work, and found out to be writable before it.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that can be written: it is open.
#[derive(Debug)]
pub(crate) struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    /// Opens the file, so that one which cannot be written is found out before any work. Its content stays until there is
    /// something new.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let file = File::options().write(true).create(true).truncate(false).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes all of its new content.
    pub(crate) fn write(mut self, text: &str) -> Result<()> {
        let about = || format!("cannot write {}", self.path.display());
        // A pipe has no length.
        if self.file.metadata().with_context(about)?.is_file() {
            self.file.set_len(0).with_context(about)?;
        }
        self.file.write_all(text.as_bytes()).with_context(about)
    }
}
