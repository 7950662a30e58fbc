//! Goroutines, machines and processors: the contracts, the protocols and the scheduler of gmp.
//!
//! Users import the crate `gmp`; this one is for those who write a policy, a stack allocator or a context switch, and
//! for those who read how it works. Start at [`contract`], then follow one goroutine: `spawn`, `submit`, `g0` (find,
//! execute, leave), [`park`]. `ARCHITECTURE.md` has the map.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

pub mod contract;
pub mod event;
pub mod fatal;
pub mod goroutine;
pub mod idle;
pub mod local;
pub mod overflow;
pub mod park;
pub mod procs;
pub mod queue;
pub mod runtime;
pub mod scope;
pub mod settings;
pub mod slice;
pub mod sole;
pub mod stats;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
pub mod sync;
pub mod timer;

mod abandon;
mod blocking;
mod close;
mod current;
mod deadlock;
mod erased;
mod g;
mod g0;
mod gate;
mod handle;
mod hop;
mod locked;
mod m;
mod p;
mod panics;
mod rt;
mod run;
mod sched;
mod spawn;
mod submit;
mod sysmon;
mod wake;
mod world;

pub use abandon::Leftover;
pub use blocking::blocking;
pub use deadlock::{DeadlockReport, Sleeper};
pub use g::parked::Parked;
pub use g::runnable::Runnable;
pub use g::{Ancestor, WaitReason, Wake};
pub use handle::{JoinError, JoinHandle};
pub use panics::Payload;
pub use run::{Finished, RunError};
pub use sched::Config;
pub use spawn::{NoRecord, Spec};
