//! What a select looks at: the part of a channel that is the same for every type of values, and whether it is ready.

use super::protocol::{Chan, Refusal, Slot, State};
use crate::wait::{Queue, RawLock, WakeHandle};

/// A channel whose type of values is forgotten: what a select locks, glances at and waits in.
///
/// With `repr(C)` all the way down, and no more of a value's type in it than a thin pointer, a channel looks the same
/// for every type of values: a pointer to one may be cast to a pointer to this, which never touches a value.
#[repr(transparent)]
pub(crate) struct ErasedChannel(Chan<()>);

impl ErasedChannel {
    /// The channel's lock.
    #[inline]
    pub(crate) fn lock(&self) -> &RawLock {
        self.0.lock.raw()
    }

    /// Where senders, or receivers, wait.
    ///
    /// # Safety
    /// The lock is held as long as this is used.
    #[inline]
    pub(crate) unsafe fn queue(&self, senders: bool) -> &Queue<Slot> {
        let state = self.0.state();
        if senders { &state.senders } else { &state.receivers }
    }

    /// Whether a send, or a receive, has something to look at: nothing is ready without.
    ///
    /// # Safety
    /// The lock is held.
    #[inline]
    pub(crate) unsafe fn may_be_ready(&self, sends: bool) -> bool {
        let state = self.0.state();
        let (others, ring) = (if sends { &state.receivers } else { &state.senders }, &state.ring);
        let unready = if sends { ring.capacity() } else { 0 };
        !others.is_empty() | (ring.len() != unready) | state.closed.is()
    }
}

impl<T> State<T> {
    /// Whether a send, or a receive, would not have to wait. A select that waits on the other side counts, though
    /// another of its cases may come first.
    pub(crate) fn is_ready(&self, sends: bool) -> Result<Option<WakeHandle>, Refusal> {
        let (others, buffer) = match sends {
            true => (&self.receivers, !self.ring.is_full()),
            false => (&self.senders, self.ring.len() > 0),
        };
        if self.closed.is() && (sends || !buffer) {
            return Err(Refusal::Closed);
        }
        let ready = buffer || others.any_waits(|node| node.extra.is_some());
        if ready { Ok(None) } else { Err(Refusal::NotReady) }
    }
}
