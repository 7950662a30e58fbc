//! `Case`: one case of a select, its channel's type forgotten.

use crate::channel::protocol::{Chan, Refusal, Slot};
use crate::wait::{Fired, Queue, RawLock, Sleeper};
use core::cell::Cell;
use core::ptr::NonNull;
use std::time::Instant;

/// What a select does with a channel beyond its lock and its queues.
pub(super) trait Port {
    /// What of the operation needs no wait. Without a slot: whether there is such a part.
    ///
    /// # Safety
    /// The channel's lock is held. The slot holds a value to send, or is room for one to receive.
    unsafe fn now(&self, sends: bool, slot: Slot) -> Result<Option<Sleeper>, Refusal>;

    /// The whole operation, in a select that has no other. **Suspends**, if it is not `try_only`.
    ///
    /// # Safety
    /// The slot as for [`Port::now`].
    unsafe fn alone(
        &self,
        sends: bool,
        slot: NonNull<()>,
        try_only: bool,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal>;
}

impl<T> Port for Chan<T> {
    #[inline]
    unsafe fn now(&self, sends: bool, slot: Slot) -> Result<Option<Sleeper>, Refusal> {
        // SAFETY: the caller holds the lock.
        let state = unsafe { &mut *self.state() };
        match slot {
            // SAFETY: the slot is as the caller promises.
            Some(slot) if sends => unsafe { self.send_now(state, slot.as_ptr().cast()) },
            // SAFETY: as above.
            Some(slot) => unsafe { self.receive_now(state, slot.as_ptr().cast()) },
            None => state.is_ready(sends),
        }
    }

    #[inline]
    unsafe fn alone(
        &self,
        sends: bool,
        slot: NonNull<()>,
        try_only: bool,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal> {
        let slot = slot.as_ptr().cast();
        // SAFETY: the slot is as the caller promises.
        unsafe {
            match (sends, try_only) {
                (true, true) => self.try_send(slot),
                (true, false) => self.send(slot, deadline),
                (false, true) => self.try_receive(slot),
                (false, false) => self.receive(slot, deadline),
            }
        }
    }
}

/// One case, for as long as `'a`: then its channel and its slot may go.
pub struct Case<'a> {
    /// `None`: the case never comes up, its channel is one on which nothing ever comes.
    pub(super) port: Option<&'a dyn Port>,
    pub(super) lock: &'a RawLock,
    /// Where it waits: the channel's senders or receivers; used under the lock.
    pub(super) queue: NonNull<Queue<Slot>>,
    /// The value to send, or room for the one received; `None` if the case only wants to know whether it is ready.
    pub(super) slot: Slot,
    /// Told when the value has been moved.
    moved: Option<&'a Cell<bool>>,
    pub(super) sends: bool,
}

impl<'a> Case<'a> {
    /// # Safety
    /// For as long as `'a`, `slot`, if any, is where a value of `T` may be moved from until `moved` is true, or moved to
    /// if not `sends`, by whichever thread.
    #[inline]
    pub(super) unsafe fn new<T>(
        chan: &'a Chan<T>,
        never: bool,
        sends: bool,
        slot: Option<NonNull<T>>,
        moved: Option<&'a Cell<bool>>,
    ) -> Self {
        let queue = chan.queue(sends);
        let port = if never { None } else { Some(chan as &dyn Port) };
        Self { port, lock: chan.raw_lock(), queue, slot: slot.map(NonNull::cast), moved, sends }
    }

    /// Notes how the case came up.
    #[inline]
    pub(super) fn end(&self, fired: Fired) {
        if let (Fired::Done, Some(moved)) = (fired, self.moved) {
            moved.set(true);
        }
    }
}
