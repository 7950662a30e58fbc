//! `ErasedChannel`: the part of a channel that is the same for every type of value, for a select; and whether a
//! channel is ready.

use super::protocol::{Chan, Refusal, Slot, State};
use crate::wait::{Queue, RawLock, WakeHandle};

/// A channel whose type of value is erased: a select locks it, looks at it and waits at it.
///
/// A channel is `repr(C)` all the way down and holds no more of its values' type than a thin pointer, so its layout
/// is the same for every type. A pointer to a channel may therefore be cast to a pointer to this, which never touches
/// a value.
#[repr(transparent)]
pub(crate) struct ErasedChannel(Chan<()>);

impl ErasedChannel {
    /// The channel's lock.
    #[inline]
    pub(crate) fn lock(&self) -> &RawLock {
        self.0.lock.raw()
    }

    /// The queue of the senders or of the receivers that wait.
    ///
    /// # Safety
    /// The caller holds the lock for as long as it uses the queue.
    #[inline]
    pub(crate) unsafe fn queue(&self, senders: bool) -> &Queue<Slot> {
        let state = self.0.state();
        if senders { &state.senders } else { &state.receivers }
    }

    /// Whether it is a timer's channel at which nobody may wait yet ([`ErasedChannel::arm`]).
    ///
    /// # Safety
    /// The lock is held.
    #[inline]
    pub(crate) unsafe fn is_unarmed(&self) -> bool {
        self.0.state().is_unarmed()
    }

    /// [`Chan::arm`].
    pub(crate) fn arm(&self) {
        self.0.arm();
    }

    /// Whether a send, or a receive, could be ready. If this is `false` it is not.
    ///
    /// # Safety
    /// The lock is held.
    #[inline]
    pub(crate) unsafe fn may_be_ready(&self, sends: bool) -> bool {
        let state = self.0.state();
        let (others, ring) = (if sends { &state.receivers } else { &state.senders }, &state.ring);
        let unready = if sends { ring.capacity() } else { 0 };
        !others.is_empty() | (ring.len() != unready) | state.closed.is() | state.timed
    }
}

impl<T> State<T> {
    /// Whether a send, or a receive, would not have to wait. A select that waits on the other side counts as ready,
    /// though another of its cases may come first.
    pub(crate) fn is_ready(&self, sends: bool) -> Result<Option<WakeHandle>, Refusal> {
        let (others, buffer) = match sends {
            true => (&self.receivers, !self.ring.is_full()),
            false => (&self.senders, self.ring.len() > 0 || self.is_due()),
        };
        if self.closed.is() && sends {
            return Err(Refusal::Closed);
        }
        match buffer || others.any_waits(|node| node.extra.is_some()) {
            true => Ok(None),
            false if self.closed.is() => Err(Refusal::Closed),
            false => Err(Refusal::NotReady),
        }
    }
}
