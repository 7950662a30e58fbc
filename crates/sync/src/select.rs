//! Select: wait for the first of several sends and receives.
//!
//! ```text
//!   cases ──shuffle──► lock and look, one channel after another ──ready──► take it, unlock, done
//!                                     │ none ready: all locks are held
//!                                     ├─ default: unlock, done
//!                                     ▼
//!                      queue a node at each channel ─► sleep, which gives the locks back
//!                                     ⋮ one waker claims the wait, moves the value and fires it
//!                      take the other nodes off, each under its channel's lock
//! ```
//!
//! [`select!`](crate::select!) is for cases that are known when the program is written, and allocates nothing on the
//! heap if none of them is a future (`select/awaited.rs`); [`Select`] is for sets of cases that change. Go: `selectgo`
//! (select.go, Go 1.27).

mod arm;
mod awaited;
mod builder;
mod case;
mod macros;
mod rng;
mod round;
mod timeout;

#[cfg(all(test, loom))]
mod loom_select;

pub use builder::{Select, SelectedOperation};
pub use round::block_forever;

/// What [`select!`](crate::select!) expands to. It is not for use by hand: whoever makes a case here makes a promise
/// that the macro keeps.
#[doc(hidden)]
pub mod expansion {
    pub use super::arm::{InPlace, RecvSlot, SendSlot, indexes, outlive, run, sent};
    pub use super::awaited::{Arm, FutureSlot, awaiting, finish};
    pub use super::timeout::Timeout;
}
