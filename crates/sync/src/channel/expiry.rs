//! What a timer does with its channel, each in one step under the channel's lock.

use super::protocol::{Chan, Refusal, wake};

impl<T: Copy> Chan<T> {
    /// A timer's expiry: sends the value if there is somebody or room for it, and if it still counts, which is asked
    /// under the lock. `false`: the channel is closed. Never suspends.
    #[doc(alias = "sendTime")]
    pub(crate) fn deliver(&self, value: T, counts: impl FnOnce() -> bool) -> bool {
        let mut slot = value;
        let state = self.lock.lock();
        if !counts() {
            return !state.closed.is();
        }
        // SAFETY: the slot holds a value, and one that may be copied may be moved and left alone, too.
        let sent = unsafe { self.send_now(&state, &raw mut slot) };
        drop(state);
        match sent {
            Ok(receiver) => wake(receiver),
            Err(refusal) => return refusal == Refusal::NotReady,
        }
        true
    }

    /// A timer is stopped or reset: does that under the lock and takes away what it has left here. `true`: one of both
    /// was still to come. Never suspends.
    #[doc(alias = "timerchandrain")]
    pub(crate) fn undo(&self, stop: impl FnOnce() -> bool) -> bool {
        let state = self.lock.lock();
        let stopped = stop();
        stopped | state.ring.pop().is_some()
    }
}
