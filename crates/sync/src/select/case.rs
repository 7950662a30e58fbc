//! `Case`: one case of a select, with the type of its channel erased.

use crate::channel::erased::ErasedChannel;
use crate::channel::protocol::{Chan, Refusal, Slot};
use crate::wait::{Fired, WakeHandle};
use core::cell::Cell;
use core::ptr::NonNull;
use std::time::Instant;

/// Those operations of a select on a channel that depend on the type of its values.
///
/// # Safety
/// Only a [`Chan`] implements it: a select casts its address to that of an [`ErasedChannel`].
pub(super) unsafe trait SelectHandle {
    /// Performs the part of the operation that needs no wait. Without a slot it only says whether there is such a part.
    ///
    /// # Safety
    /// The channel's lock is held. The slot holds a value to send, or has room for the value to receive.
    unsafe fn now(&self, sends: bool, slot: Slot) -> Result<Option<WakeHandle>, Refusal>;

    /// The whole operation, for a select without other cases. **Suspends.**
    ///
    /// # Safety
    /// The slot is as for [`SelectHandle::now`].
    unsafe fn alone(&self, sends: bool, slot: NonNull<()>, deadline: Option<Instant>) -> Result<(), Refusal>;

    /// The same, if it needs no wait. Never suspends.
    ///
    /// # Safety
    /// The slot is as for [`SelectHandle::now`].
    unsafe fn try_alone(&self, sends: bool, slot: NonNull<()>) -> Result<(), Refusal>;
}

// SAFETY: a channel.
unsafe impl<T> SelectHandle for Chan<T> {
    #[inline]
    unsafe fn now(&self, sends: bool, slot: Slot) -> Result<Option<WakeHandle>, Refusal> {
        let state = self.state();
        match slot {
            // SAFETY: the slot is as the caller promises.
            Some(slot) if sends => unsafe { self.send_now(state, slot.as_ptr().cast()) },
            // SAFETY: as above.
            Some(slot) => unsafe { self.receive_now(state, slot.as_ptr().cast()) },
            None => state.is_ready(sends),
        }
    }

    #[inline]
    unsafe fn alone(&self, sends: bool, slot: NonNull<()>, deadline: Option<Instant>) -> Result<(), Refusal> {
        let slot = slot.as_ptr().cast();
        // SAFETY: the slot is as the caller promises.
        unsafe { if sends { self.send(slot, deadline) } else { self.receive(slot, deadline) } }
    }

    #[inline]
    unsafe fn try_alone(&self, sends: bool, slot: NonNull<()>) -> Result<(), Refusal> {
        let slot = slot.as_ptr().cast();
        // SAFETY: the slot is as the caller promises.
        unsafe { if sends { self.try_send(slot) } else { self.try_receive(slot) } }
    }
}

/// One case. Its channel and its slot live for `'a`.
///
/// It cannot be copied, so that each case is used in one select, once.
pub struct Case<'a> {
    pub(super) handle: &'a dyn SelectHandle,
    /// The value to send, or room for the received one; `None` if the case only asks whether it is ready.
    pub(super) slot: Slot,
    /// Set when the value has been moved.
    moved: Option<&'a Cell<bool>>,
    pub(super) sends: bool,
    /// Its channel is one on which nothing ever comes, or the case has been removed.
    pub(super) never: bool,
}

impl<'a> Case<'a> {
    /// # Safety
    /// For as long as `'a`, any thread may move a value of `T` out of `slot` (if `sends`, and until `moved` is true)
    /// or into it (if not).
    #[inline]
    pub(super) unsafe fn new<T>(
        chan: &'a Chan<T>,
        never: bool,
        sends: bool,
        slot: Option<NonNull<T>>,
        moved: Option<&'a Cell<bool>>,
    ) -> Self {
        Self { handle: chan, slot: slot.map(NonNull::cast), moved, sends, never }
    }

    /// The channel, with its type erased.
    #[inline]
    pub(super) fn erased(&self) -> &'a ErasedChannel {
        // SAFETY: every handle is a channel, and an `ErasedChannel` is a channel without its type.
        unsafe { &*core::ptr::from_ref(self.handle).cast() }
    }

    /// The same case without its slot, to ask only whether it is ready.
    pub(super) fn without_slot(&self) -> Self {
        let Self { handle, sends, never, .. } = *self;
        Self { handle, slot: None, moved: None, sends, never }
    }

    /// Whether this is a send (or a receive, if not `sends`) on that channel.
    pub(super) fn is_of<T>(&self, chan: &Chan<T>, sends: bool) -> bool {
        core::ptr::addr_eq(self.handle, chan) && self.sends == sends
    }

    /// Records how the case came up.
    #[inline]
    pub(super) fn end(&self, fired: Fired) {
        if let (Fired::Done, Some(moved)) = (fired, self.moved) {
            moved.set(true);
        }
    }
}
