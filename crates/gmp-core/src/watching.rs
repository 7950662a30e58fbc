//! Watching: sysmon, and the search for deadlocks.

pub(crate) mod deadlock;
mod late_timers;
mod retake;
pub(crate) mod sysmon;
