//! `watch`: a value that some change and others watch. Whoever watches it sees the last value, and not every value on
//! the way.
//!
//! ```text
//!   Shared ── value: RwLock<T>            the user's code runs under it: closures, borrows
//!          └─ versions: Changing<Versions>  the number of the last value, who is left; never waited for long
//! ```
//!
//! **Invariant.** The number goes up while the value is locked for writing. So whoever holds the value for reading
//! finds the number of the value that it reads.

mod receiver;
mod sender;
mod shared;

pub use receiver::{Receiver, Ref};
pub use sender::Sender;

use shared::Shared;
use std::sync::Arc;

/// A watched value, which is `initial` until another is sent. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::sync::watch;
///
/// runtime.run(|| {
///     let (level, mut watched) = watch::channel("info");
///     let watcher = gmp::go(move || {
///         let mut seen = vec![*watched.borrow()];
///         while watched.changed().is_ok() {
///             seen.push(*watched.borrow_and_update());
///         }
///         seen
///     });
///     level.send("debug").unwrap();
///     level.send("trace").unwrap();
///     drop(level);
///     // It may have missed the one in the middle, but not the last.
///     assert_eq!(watcher.join().unwrap().last(), Some(&"trace"));
/// }).unwrap();
/// ```
#[doc(alias = "Notify")]
pub fn channel<T>(initial: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared::new(initial));
    (Sender { shared: shared.clone() }, Receiver { shared, seen: 0 })
}
