//! The contracts of `gmp-arch-amd64` kept by the standard library alone (but for a CPU clock, on Linux): one OS thread
//! per goroutine.
//!
//! A context is a *flow*: a thread that waits for mail. A switch sends the carry to another flow and then waits for
//! mail itself, so only one of a machine's threads runs at a time: the scheduler's own, or that of a goroutine on it.
//! That is some thousand times slower than moving a stack pointer. In exchange the thread sanitizer, the address
//! sanitizer and Miri understand every step, and it runs wherever Rust has threads.
//!
//! | file | holds |
//! | --- | --- |
//! | `flow.rs` | a flow's mailbox, and how threads start and end |
//! | `switch.rs` | [`Hosted`] and [`HostedSlot`] |
//! | `stacks.rs` | [`ThreadStacks`]: stacks that are only a size |
//!
//! # Limits
//!
//! - Every goroutine that has started costs a thread until it ends. The system allows some ten thousand; past that
//!   [`Switch::init`](gmp_core::contract::Switch::init) is an error, and goroutines wait until others have ended.
//! - A context that is never continued leaves its thread waiting until the process ends.
//! - Thread-locals belong to the goroutine here, and to the machine it runs on with real stacks: a program that relies
//!   on either is not portable between the two.

mod flow;
mod stacks;
mod switch;

pub use stacks::{ThreadStackCache, ThreadStacks};
pub use switch::{Hosted, HostedSlot};
