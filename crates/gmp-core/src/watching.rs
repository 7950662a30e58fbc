//! Watching: sysmon, and the search for deadlocks.

pub(crate) mod deadlock;
mod late_look;
mod late_timers;
mod look;
mod overrun;
mod retake;
mod schedule;
mod seen;
mod sleepers;
mod stack_waiters;
pub(crate) mod sysmon;
