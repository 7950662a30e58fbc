//! The relief: an idle M that comes up by itself soon after the watcher, and looks for work then. The scheduler's lock
//! guards it.
//!
//! A watcher that comes back for a timer would have to wake a second M: for what the timer's goroutine readies, and for
//! the timers to come. Most such goroutines ready one other at most, and suspend before a thread could have been woken.
//! So the second M has gone to sleep with a deadline of its own, a little after the watcher's, and nobody wakes it.
//!
//! ```text
//!   watcher  ─ sleeps until T ──► up: promises that the relief looks ─► runs the timer's goroutine, and what that readied
//!                                                                        └─► idle: looks itself, calls the promise off
//!   relief   ─ sleeps until T + GRACE ───────────────────────────────────► up: promised? spins : sleeps until after the
//!                                                                                                next watcher's deadline
//! ```
//!
//! **What is promised** is the mark in the idle word. While it stands, no M is woken for a single goroutine that its P runs
//! next (`waking/submit.rs`), nor to watch for a timer that is due after the relief; everything else wakes an M as ever.
//!
//! **Invariant.** The mark stands only while an M is here, and that M sees to it, whoever wakes it: it comes up with the
//! right to spin, or leaves a request for a spinner. Whoever gives a P up may call the promise off, since it looks at all
//! queues afterwards. Both happen under the lock.

/// How long after the watcher the relief is due. More than the 50 us by which Linux may let a sleep be longer (timerslack,
/// prctl(2)), or both would come up at the same interrupt; so the relief is up 60 to 110 us after the watcher.
pub(crate) const GRACE: u64 = 60_000;

/// The relief.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Relief<M> {
    pub(crate) m: M,
    /// When it comes up, on the runtime's clock.
    pub(crate) at: u64,
}
