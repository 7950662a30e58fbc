//! What a timer does with its channel: each operation is one step under the channel's lock.

use super::protocol::{Chan, Refusal, wake};

impl<T: Copy> Chan<T> {
    /// A timer's expiry: sends the value if a receiver waits or there is room, and if the expiry still counts, which
    /// is asked under the lock. `false`: the channel is closed. Never suspends.
    #[doc(alias = "sendTime")]
    pub(crate) fn deliver(&self, value: T, counts: impl FnOnce() -> bool) -> bool {
        let mut slot = value;
        let state = self.lock.lock();
        if !counts() {
            return !state.closed.is();
        }
        // SAFETY: the slot holds a value, and a `Copy` value may be moved out and still be left in place.
        let sent = unsafe { self.send_now(&state, &raw mut slot) };
        drop(state);
        match sent {
            Ok(receiver) => wake(receiver),
            Err(refusal) => return refusal == Refusal::NotReady,
        }
        true
    }

    /// Stops or resets a timer, by `stop`, under the lock, and takes away the value that the timer has left in the
    /// buffer. `true`: an expiry was still to come, or its value still to be received. Never suspends.
    #[doc(alias = "timerchandrain")]
    pub(crate) fn undo(&self, stop: impl FnOnce() -> bool) -> bool {
        let state = self.lock.lock();
        let stopped = stop();
        stopped | state.ring.pop().is_some()
    }
}
