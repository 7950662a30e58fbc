//! Watching: sysmon, and the search for deadlocks.

pub(crate) mod deadlock;
mod late_timers;
mod look;
mod retake;
pub(crate) mod sysmon;
