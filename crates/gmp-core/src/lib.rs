//! Goroutines, machines and processors: the contracts, the protocols and the scheduler of gmp.
//!
//! Users import the crate `gmp`; this one is for those who write a policy, a stack allocator or a context switch, and
//! for those who read how it works. Start at [`contract`], then follow one goroutine: `life::spawn`, `waking::submit`,
//! `g0` (find, execute, leave), [`park`]. `ARCHITECTURE.md` has the map.
//!
//! The rooms, lowest floor first: `ground`, `contract`, `search`, `records`, `entering`, `waiting`, `life`, `shared`,
//! `waking`, `watching`, `g0`, `runtime`. Beside them stand `queue`, on which policies build, and `suite`, which judges
//! policies; the scheduler imports neither.

#![cfg_attr(loom, allow(dead_code, unused_imports))]

pub mod contract;
mod entering;
mod g0;
mod ground;
mod life;
mod records;
pub mod runtime;
pub mod search;
mod shared;
mod waiting;
mod waking;
mod watching;

pub mod queue;
#[cfg(any(test, feature = "suite"))]
pub mod suite;

pub use entering::{foreign, only_p, overflow};
pub use ground::{contention, event, fatal, helpers, procs, settings, sync, ticks};
pub use life::{local, scope, timer};
pub use queue::idle;
pub use records::{latency, schedule, sight, standing, stats, trace};
pub use runtime::goroutine;
pub use waiting::{descriptor, park};

pub use contract::Config;
pub use entering::caller::thread_home;
pub use entering::gate::{give_way, step_aside};
pub use ground::overrun::{Overrun, OverrunHook};
pub use life::blocking::blocking;
pub use life::handle::{JoinError, JoinHandle};
pub use life::join_future::JoinFuture;
pub use life::panics::Payload;
pub use life::spawn::{NoRecord, Spec};
pub use records::g::extra::Ancestor;
pub use records::g::parked::Parked;
pub use records::g::runnable::Runnable;
pub use records::g::{WaitReason, Wake};
pub use runtime::run::{Finished, RunError};
pub use shared::idle_word::IdleWord;
pub use shared::reports::{DeadlockReport, Leftover, WaitingGoroutine};
