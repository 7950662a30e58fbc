//! Whose turn it is on a P: that of the goroutines pinned to the M which holds it (the inbox), or that of the queues,
//! local and shared.
//!
//! ```text
//!   inbox ──► queues ──► inbox ──► queues ──► inbox: a pinned goroutine computes until its slice is over
//!                                                │
//!                                                └──► queues, for as long as a slice or until they are empty ──► inbox
//! ```
//!
//! A goroutine that is not pinned and whose slice is over goes to the tail of the shared queue, and whoever waited
//! there runs before it. One that is pinned cannot: it goes to its M's inbox. If inbox and queues merely took turns, a
//! pinned goroutine that computes would leave to all others together one slice for each of its own, and most of theirs
//! are short. So after a slice that was used up the queues come first for as long as that slice was.
//!
//! **Invariant.** While the inbox has work, the queues run at least one goroutine for each of the inbox, and after each
//! whole slice of the inbox they run for as long; and the inbox waits for no longer than that.
//!
//! Go has no pinned goroutines: those that `LockOSThread` has locked go through the shared queue there, as they do here.

use crate::ground::clock::nanos;
use crate::records::p::slice::SLICE;
use core::cell::Cell;

/// Whose turn is next. The owner's.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Whether the inbox had the last turn.
    queues: Cell<bool>,
    /// Until when the queues come first, in nanoseconds since the runtime's epoch; 0: they do not.
    queues_until: Cell<u64>,
}

impl Turns {
    /// Whether the next goroutine comes from the queues, if both they and the inbox have work. Called once for each
    /// goroutine.
    pub(crate) fn queues_are_next(&self, now: impl FnOnce() -> u64) -> bool {
        if self.queues_come_first(now) {
            return true;
        }
        self.queues.replace(!self.queues.get())
    }

    /// Whether a pinned goroutine has used up a slice a short time ago.
    pub(crate) fn queues_come_first(&self, now: impl FnOnce() -> u64) -> bool {
        if self.queues_until.get() == 0 {
            return false;
        }
        let first = now() < self.queues_until.get();
        if !first {
            self.queues_until.set(0);
            self.queues.set(false);
        }
        first
    }

    /// The queues had a turn and are empty: it passes to the inbox, and so does the rest of their time.
    pub(crate) fn queues_are_empty(&self) {
        self.queues_until.set(0);
        self.queues.set(true);
    }

    /// A pinned goroutine has used up a slice.
    pub(crate) fn pinned_slice_is_over(&self, now: u64) {
        self.queues_until.set(now.saturating_add(nanos(SLICE)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(turns: &Turns, now: u64) -> &'static str {
        if turns.queues_are_next(|| now) { "queues" } else { "inbox" }
    }

    #[test]
    fn they_take_turns() {
        let turns = Turns::default();
        let order: Vec<_> = (0..4).map(|now| next(&turns, now)).collect();
        assert_eq!(order, ["inbox", "queues", "inbox", "queues"]);
    }

    #[test]
    fn the_queues_have_as_long_as_a_slice_that_was_used_up() {
        let turns = Turns::default();
        turns.pinned_slice_is_over(5);
        let slice = nanos(SLICE);
        assert_eq!((next(&turns, 6), next(&turns, slice + 4)), ("queues", "queues"));
        assert_eq!(next(&turns, slice + 5), "inbox");
        assert_eq!(next(&turns, slice + 6), "queues");
    }

    #[test]
    fn empty_queues_leave_the_rest_of_their_time_to_the_inbox() {
        let turns = Turns::default();
        turns.pinned_slice_is_over(5);
        assert_eq!(next(&turns, 6), "queues");
        turns.queues_are_empty();
        assert!(!turns.queues_come_first(|| 6));
        assert_eq!((next(&turns, 6), next(&turns, 6)), ("queues", "inbox"));
    }
}
