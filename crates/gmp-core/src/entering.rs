//! Entering: who is calling, and the one way from a goroutine's code into the runtime.

pub(crate) mod caller;
pub mod foreign;
pub(crate) mod gate;
pub(crate) mod locked;
pub mod only_p;
pub mod overflow;
