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
//! [`select!`](crate::select!) is for cases that are known when the program is written, and takes no memory from the
//! heap; [`Select`] is for sets that change. Go: `selectgo` (select.go, Go 1.27).

mod arm;
mod builder;

mod case;
mod dice;
mod macros;
mod round;

#[cfg(all(test, loom))]
mod loom_select;

pub use builder::{Select, SelectedOperation};

/// What [`select!`](crate::select!) expands to. Not for use by hand: a case made here is a promise that the macro keeps.
#[doc(hidden)]
pub mod expansion {
    pub use super::arm::{InPlace, Landing, Offer, indexes, run, sent};
    pub use super::round::Patience;
}

/// Waits for ever, as Go's `select {}`. **Suspends.** A goroutine's destructors still run when its runtime closes.
///
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     gmp::go(|| gmp::block_forever());
///     // Main's end is the program's, whoever waits.
///     gmp::yield_now();
/// }).unwrap();
/// ```
///
/// # Panics
/// In the scheduler's place: in a policy, an event sink, a call on the system stack. And in a goroutine that unwinds already
/// because its runtime closes: it would neither go on nor end.
#[doc(alias = "select")]
#[doc(alias = "block")]
#[track_caller]
pub fn block_forever() -> ! {
    round::block_forever()
}
