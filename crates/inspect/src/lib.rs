//! Dumps: every goroutine of a runtime with what it does or waits for and its stack, while the program runs on. And
//! profiles: where a program's CPU time goes, and where its goroutines stand.
//!
//! | file | is |
//! | --- | --- |
//! | `dump.rs` | [`Dump`]: goroutines grouped by equal stacks, and how they are collected |
//! | `cycles.rs` | who holds what others wait for, and who waits in a circle |
//! | `elsewhere.rs` | the threads on which that is done |
//! | `text.rs`, `json.rs` | a dump as Go prints one, and for programs |
//! | `walk.rs` | from a copied stack to addresses: framehop does that |
//! | `modules.rs` | the unwind tables of what is loaded |
//! | `symbols.rs` | from addresses to functions and lines, and which of them are shown: the crate backtrace does the first |
//! | `signals.rs` | dumps on a signal |
//! | `server.rs`, `look.rs`, `sights.rs` | a socket on which a running program answers; what it tells but for stacks |
//! | `profile.rs` | [`Profile`](profile::Profile): samples with their stacks and labels, and how they are taken. With the feature `profile` |
//! | `contention.rs` | profiles of waits and of locks that are held up. With the feature `profile` |
//! | `leaks.rs`, `reach.rs`, `memory.rs` | goroutines that never go on: how they are found, by what rule, in what memory. With the feature `profile` |
//! | `threads.rs` | the list of threads. With the feature `profile` |
//! | `pprof.rs` | a profile as pprof reads it |
//! | `schedtrace.rs` | Go's line about the scheduler, once a period |
//!
//! How goroutines are read while they run is gmp-core's part (`watching/look.rs`); how a thread's stack is read,
//! gmp-arch-amd64's (`capture.rs`). What is here works on copies, and takes its time.

#[cfg(feature = "profile")]
pub mod contention;
mod cycles;
mod dump;
mod elsewhere;
mod json;
#[cfg(feature = "profile")]
mod leaks;
mod look;
#[cfg(feature = "profile")]
mod memory;
mod modules;
#[cfg(feature = "profile")]
mod pprof;
#[cfg(feature = "profile")]
pub mod profile;
#[cfg(feature = "profile")]
mod reach;
mod report;
mod schedtrace;
mod server;
mod sights;
mod signals;
mod symbols;
mod text;
#[cfg(feature = "profile")]
mod threads;
mod walk;

pub use dump::{Dump, Group, dump, dump_elsewhere};
pub use report::install;
pub use schedtrace::{Traced, schedtrace};
pub use server::{Answer, Answers, Served, serve};
pub use signals::{Watched, dump_on};
pub use symbols::Frame;
