//! A glance at a channel: what an operation that does not wait can tell without the lock.

use super::protocol::{Refusal, State};

impl<T> State<T> {
    /// The outcome of an operation that does not wait, if it can be told without the lock.
    ///
    /// It first looks whether anything can be had, and then whether the channel is closed. If it is not closed at the
    /// second look, it was not at the first one either, and the operation took place at that moment. (The first look
    /// is an acquire: had whoever left the channel in that state seen it closed, we would see it closed, too.) If it
    /// is closed, nothing more will come, so the third look is final. Go looks at `closed` first in `chansend` and
    /// second in `chanrecv` (chan.go, Go 1.27).
    #[inline(always)]
    pub(super) fn glance(&self, sends: bool) -> Option<Refusal> {
        if !self.has_nothing_for(sends) {
            return None;
        }
        if self.timed {
            return None;
        }
        if !self.closed.is() {
            return Some(Refusal::NotReady);
        }
        (sends || self.has_nothing_for(sends)).then_some(Refusal::Closed)
    }

    /// Whether a send finds no room, or a receive no value; on an unbuffered channel, whether nobody waits on the other
    /// side.
    #[inline(always)]
    fn has_nothing_for(&self, sends: bool) -> bool {
        let (others, unready) = match sends {
            true => (&self.receivers, self.ring.capacity()),
            false => (&self.senders, 0),
        };
        if self.ring.capacity() == 0 { others.is_empty() } else { self.ring.len() == unready }
    }
}
