//! Close: the end of a channel, in two steps for those who hold a lock of their own.

use super::protocol::Chan;
use super::ring::drop_all;
use crate::wait::{Fired, WakeHandle};

impl<T> Chan<T> {
    /// Closes the channel. `false`: it was closed already. Never suspends.
    #[doc(alias = "closechan")]
    pub(crate) fn close(&self) -> bool {
        let Some(closing) = self.close_quietly() else { return false };
        if !closing.0.is_empty() {
            closing.wake();
        }
        true
    }

    /// [`Chan::close`] that leaves it to the caller to wake those who waited: for who closes a channel under a lock of its
    /// own, where a task's waker, which is foreign code, must not be rung. `None`: it was closed already.
    pub(crate) fn close_quietly(&self) -> Option<Closing> {
        let state = self.lock.lock();
        if !state.closed.close() {
            return None;
        }
        if let Some(timing) = state.timing() {
            timing.close();
        }
        if state.receivers.is_empty() && state.senders.is_empty() {
            return Some(Closing(Vec::new()));
        }
        // Go readies its list from the end: the goroutine that has waited longest is readied last, and so runs next.
        let (mut woken, mut returned) = (Vec::new(), Vec::new());
        for queue in [&state.receivers, &state.senders] {
            while let Some(node) = queue.pop() {
                // What was sent before is still to be received (`channel/task.rs`).
                if node.wakes_nobody() { returned.push(node) } else { woken.push(node.fire(Fired::Closed)) }
            }
        }
        for node in returned {
            // SAFETY: it was in this queue a moment ago.
            unsafe { state.senders.push_back(node) };
        }
        drop(state);
        Some(Closing(woken))
    }

    /// Closes the channel and drops what is buffered: nobody can receive from it any more.
    pub(crate) fn close_and_empty(&self) {
        self.close();
        // This happens under no lock, since destructors are the user's code.
        drop_all(|| self.lock.lock().ring.pop());
        self.drop_returned();
    }
}

/// Those who waited at a channel that was closed, and are still to be woken.
#[must_use = "nobody else wakes them"]
pub(crate) struct Closing(Vec<WakeHandle>);

impl Closing {
    /// Wakes them, with no lock held.
    pub(crate) fn wake(self) {
        self.0.into_iter().rev().for_each(WakeHandle::wake);
    }
}
