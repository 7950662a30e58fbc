//! `Config`: the size of guards and how much free memory is kept warm.

use thiserror::Error;

/// The largest guard, in bytes. The kernel itself keeps 1 MiB below a main thread's stack; more than that is a
/// mistake.
const MOST_GUARD: usize = 1 << 20;

/// How the allocator behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes that fault below each stack; a multiple of the page size, at most 1 MiB.
    ///
    /// Rust code touches every page of a large frame in order, so one page is enough for it. C code compiled without
    /// stack-clash protection can step over a guard with a frame larger than it.
    pub guard_size: usize,
    /// What `trim` keeps.
    pub retention: Retention,
}

/// How much memory of free stacks stays when the allocator is trimmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// How many stacks of each class stay warm. They are those that were freed last.
    pub warm: usize,
    /// How many bytes at the top of each of those stay, rounded up to whole pages; deeper pages are given back.
    pub keep_bytes: usize,
}

impl Default for Config {
    /// A guard of one page of 4 KiB, and [`Retention::default`].
    fn default() -> Self {
        Self { guard_size: 4 << 10, retention: Retention::default() }
    }
}

impl Default for Retention {
    /// 256 stacks of 16 KiB, which is 4 MiB for each class in use. So a burst of goroutines that empties four Ps'
    /// caches of stacks runs without a page fault, and the pages that std needs for formatting and file access stay
    /// as well.
    fn default() -> Self {
        Self { warm: 256, keep_bytes: 16 << 10 }
    }
}

/// The error of a [`Config`] that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The guard is empty, not made of whole pages, or absurdly large.
    #[error(
        "a guard of {asked} bytes is not possible: it must be a multiple of the page size, {page} to {most} bytes"
    )]
    GuardSize {
        /// What was asked for, in bytes.
        asked: usize,
        /// Bytes in a page, and the least.
        page: usize,
        /// The most, in bytes.
        most: usize,
    },
}

impl Config {
    /// Checks the configuration for a system with pages of this size.
    pub(crate) fn check(&self, page: usize) -> Result<(), ConfigError> {
        let asked = self.guard_size;
        let good = (page..=MOST_GUARD).contains(&asked) && asked.is_multiple_of(page);
        if good { Ok(()) } else { Err(ConfigError::GuardSize { asked, page, most: MOST_GUARD }) }
    }
}
