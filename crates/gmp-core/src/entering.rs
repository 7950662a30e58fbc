//! Entering: who is calling, and the one way from a goroutine's code into the runtime.

pub(crate) mod current;
pub(crate) mod gate;
pub(crate) mod locked;
pub mod overflow;
pub mod sole;
