//! Waiting: how a goroutine parks.

pub mod descriptor;
pub mod park;
pub(crate) mod ready;
