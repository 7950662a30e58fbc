//! Shared: what all Ms of a runtime share.

pub(crate) mod blockers;
mod emit;
pub(crate) mod idle_ms;
pub(crate) mod idle_word;
pub(crate) mod lists;
pub(crate) mod look;
pub(crate) mod polling;
pub(crate) mod queues;
pub(crate) mod refusals;
pub(crate) mod reports;
pub(crate) mod sched;
pub(crate) mod sysmon_note;
pub(crate) mod watch_post;

#[cfg(all(test, loom))]
mod loom_idle;
#[cfg(all(test, loom))]
mod loom_watch_post;
