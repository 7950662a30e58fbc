//! Ground: what everything stands on, and what knows nothing of goroutines: atomics and fences, broken invariants, events,
//! settings, the machine's CPUs.

pub(crate) mod clock;
pub mod contention;
pub mod event;
pub mod fatal;
pub(crate) mod fence;
pub(crate) mod frames;
pub mod helpers;
#[cfg(all(test, loom))]
mod loom_flight;
pub(crate) mod overrun;
pub mod procs;
pub(crate) mod ring;
pub mod settings;
pub mod sync;
pub(crate) mod tell;
pub(crate) mod threads;
pub mod ticks;
