//! Watching: sysmon, and the search for deadlocks.

pub(crate) mod deadlock;
mod late_look;
mod late_timers;
mod look;
mod retake;
mod schedule;
pub(crate) mod sysmon;
