//! `Overrun`: a goroutine that computed for longer than its time slice, as the builder's hook is told.

use core::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// A goroutine that computed for longer than its time slice without a call of the runtime, so that its P was taken. Told when it
/// has come back.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Overrun {
    /// Its number.
    pub number: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// How long it went on after its P had been taken.
    pub lasted: Duration,
}

/// Told of each overrun.
pub type OverrunHook = Arc<dyn Fn(&Overrun) + Send + Sync>;
