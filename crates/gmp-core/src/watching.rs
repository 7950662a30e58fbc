//! Watching: sysmon, and the search for deadlocks.

pub(crate) mod deadlock;
pub(crate) mod sysmon;
