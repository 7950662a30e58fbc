//! A file of JSON, one object a line, that grows while a run goes on.
//!
//! Each line is on its way to the disk before the next one is made, so no crash, signal or full disk takes away what is
//! there. A line that one of these cut short is left out when the file is read, and cut off before anything is added.

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use std::fs::{File, OpenOptions, read_to_string};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file that lines are added to, or none.
#[derive(Debug)]
pub(crate) struct Lines {
    file: Option<(PathBuf, File)>,
}

impl Lines {
    /// Keeps nothing.
    pub(crate) fn none() -> Self {
        Self { file: None }
    }

    /// A new file. One that is there already is not overwritten if it `holds` something of an earlier run: how many,
    /// and of what.
    pub(crate) fn create(path: &Path, holds: (usize, &str)) -> Result<Self> {
        if let (count @ 1.., what) = holds {
            bail!(
                "{} holds {count} {what} of an earlier run; name another file, remove it, or go on with --resume {0}",
                path.display(),
            );
        }
        let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: Some((path.to_owned(), file)) })
    }

    /// Goes on with a file; an incomplete last line is cut off.
    pub(crate) fn resume(path: &Path) -> Result<Self> {
        let text = read_to_string(path)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let file = OpenOptions::new().append(true).open(path);
        let file = file.with_context(|| format!("cannot write {}", path.display()))?;
        file.set_len(whole as u64)?;
        Ok(Self { file: Some((path.to_owned(), file)) })
    }

    /// A disk that is full from the start.
    #[cfg(test)]
    pub(crate) fn full() -> Self {
        let path = Path::new("/dev/full");
        Self { file: Some((path.to_owned(), File::create(path).expect("Linux has it"))) }
    }

    pub(crate) fn add(&mut self, entry: &impl Serialize) -> Result<()> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        let line = serde_json::to_string(entry)? + "\n";
        file.write_all(line.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The lines of a file that are whole.
pub(crate) fn read(path: &Path) -> Result<Vec<String>> {
    let about = || format!("cannot read {}", path.display());
    // A pipe or a device may never end.
    ensure!(std::fs::metadata(path).with_context(about)?.is_file(), "{}: this is no file", about());
    let text = read_to_string(path).with_context(about)?;
    Ok(text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect())
}
