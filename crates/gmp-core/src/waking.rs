//! Waking: how a runnable goroutine gets into a queue, and which M is woken or made for it.

pub(crate) mod fire;
mod holders;
mod inject;
pub(crate) mod limit;
mod refused;
pub(crate) mod submit;
pub(crate) mod wake;
