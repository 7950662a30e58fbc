//! Waiting: how a goroutine parks.

pub mod park;
