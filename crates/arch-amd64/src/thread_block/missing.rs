//! The refusal to give goroutines thread-locals of their own.

use core::fmt;

/// Why goroutines cannot have thread-locals of their own here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    what: String,
    for_now: bool,
}

impl Missing {
    /// It will not be here the next time either.
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), for_now: false }
    }

    /// The system refused memory, a thread or the like, which it may grant the next time.
    pub(super) fn for_now(what: impl Into<String>) -> Self {
        Self { what: what.into(), for_now: true }
    }

    /// Whether the system only refused memory, a thread or the like for the look, which it may grant the next time.
    pub fn is_for_now(&self) -> bool {
        self.for_now
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Missing {}
