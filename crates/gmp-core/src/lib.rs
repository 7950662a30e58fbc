//! Goroutines, machines and processors: the contracts, the protocols and the scheduler of gmp.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

pub mod contract;
pub mod queue;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
pub mod sync;
