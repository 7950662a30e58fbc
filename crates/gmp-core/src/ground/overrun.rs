//! `Overrun`: a goroutine that computed for longer than its time slice, as the builder's hook is told.

use crate::ground::frames::Stack;
use core::fmt;
use core::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A goroutine that computed for longer than its time slice without a call of the runtime, so that its P was taken.
/// Told when it has come back.
///
/// Its `Display` is a line, and the stack in further ones.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Overrun {
    /// Its number.
    pub number: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// For how long it has computed without a call, as far as sysmon has seen it: it may have begun some milliseconds
    /// before.
    pub lasted: Duration,
    /// Where it stood when its P was taken. Empty without the feature `dump`, and if its thread did not show itself
    /// within 10 ms.
    pub stack: Stack,
}

impl fmt::Display for Overrun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "goroutine {}", self.number)?;
        if let Some(name) = &self.name {
            write!(f, " [{name}]")?;
        }
        write!(f, " computed for {:.1?} without a call of gmp, created at {}", self.lasted, self.created_at)?;
        write!(f, "{}", self.stack)
    }
}

/// What is told of each overrun.
pub type OverrunHook = Arc<dyn Fn(&Overrun) + Send + Sync>;
