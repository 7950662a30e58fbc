//! Waiting: how a goroutine parks.

pub mod park;
pub(crate) mod ready;
