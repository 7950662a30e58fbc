//! A runtime from beginning to end, and what the facade exposes of it.

pub(crate) mod abandon;
pub(crate) mod close;
pub(crate) mod erased;
pub mod goroutine;
pub mod marks;
mod outside;
pub(crate) mod run;
mod world;

pub use outside::{Handle, OutsideError, Runtime};
