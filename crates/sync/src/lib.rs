//! Channels, select, mutexes and their kin, for goroutines and for plain threads.
//!
//! They are built on park and ready alone: a goroutine that waits gives its P away, and a plain thread that waits
//! blocks itself. Users import the crate `gmp`, which re-exports all of this.

#![cfg_attr(loom, allow(dead_code, unused_imports, unused_variables, unused_mut))]

mod seam;
mod wait;

pub mod channel;
pub mod context;
pub mod future;
pub mod select;
pub mod sync;
pub mod time;
