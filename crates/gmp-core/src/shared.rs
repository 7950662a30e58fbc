//! Shared: what all Ms of a runtime share.

pub(crate) mod idle_word;
pub(crate) mod lists;
pub(crate) mod sched;

#[cfg(all(test, loom))]
mod loom_idle;
