//! The refusal to give goroutines thread-locals of their own.

use core::fmt;

/// Why goroutines cannot have thread-locals of their own here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    what: String,
    refused: bool,
}

impl Missing {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), refused: false }
    }

    /// The operating system has refused something, which it may give another time.
    pub(super) fn refused(what: impl Into<String>) -> Self {
        Self { what: what.into(), refused: true }
    }

    /// Whether it is only that the operating system has refused memory or a thread: it may be asked again.
    pub fn is_refusal(&self) -> bool {
        self.refused
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Missing {}
