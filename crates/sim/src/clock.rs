//! Virtual time: the events to come, in one order that depends on nothing but the run itself.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Picoseconds since the run began. Costs are fractions of a nanosecond, and whole numbers add up the same everywhere.
pub(crate) type Time = u64;

/// A cost in nanoseconds, as a time.
pub(crate) fn time(ns: f64) -> Time {
    (ns * 1e3).round() as Time
}

/// A time in nanoseconds.
pub(crate) fn nanoseconds(time: Time) -> f64 {
    time as f64 / 1e3
}

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// An M goes on, or begins.
    Resume(usize),
    /// An M that was woken is up, unless it was to come at another moment since.
    Up(usize, u64),
    /// An M's sleep is over, unless the M has slept anew since.
    Timeout(usize, u64),
    /// sysmon's round.
    Sysmon,
}

/// The clock, and the events that are announced. Of two at the same moment, the one that was announced first comes
/// first.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    now: Cell<Time>,
    announced: Cell<u64>,
    coming: RefCell<BinaryHeap<Reverse<(Time, u64, Event)>>>,
}

impl Clock {
    pub(crate) fn now(&self) -> Time {
        self.now.get()
    }

    pub(crate) fn announce(&self, at: Time, event: Event) {
        debug_assert!(at >= self.now());
        self.announced.set(self.announced.get() + 1);
        self.coming.borrow_mut().push(Reverse((at, self.announced.get(), event)));
    }

    /// Goes on to the next event.
    pub(crate) fn next(&self) -> Option<Event> {
        let Reverse((at, _, event)) = self.coming.borrow_mut().pop()?;
        self.now.set(at);
        Some(event)
    }

    /// Goes on to a moment if nothing happens before it or at it; `false`: something does.
    pub(crate) fn skip_to(&self, at: Time) -> bool {
        let free = self.coming.borrow().peek().is_none_or(|Reverse((first, _, _))| *first > at);
        if free {
            self.now.set(at);
        }
        free
    }

    /// Whether nothing is announced.
    pub(crate) fn is_empty(&self) -> bool {
        self.coming.borrow().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_by_announcement() {
        let clock = Clock::default();
        for (at, m) in [(5, 1), (3, 2), (5, 3)] {
            clock.announce(at, Event::Resume(m));
        }
        assert!(clock.skip_to(2) && !clock.skip_to(3), "M 2 is first");
        let order: Vec<_> = std::iter::from_fn(|| clock.next()).collect();
        assert_eq!(order, [2, 1, 3].map(Event::Resume));
        assert_eq!((clock.now(), clock.is_empty()), (5, true));
    }
}
