//! The end of a channel. Go: `closechan` (chan.go, Go 1.27).

use super::protocol::Chan;
use super::ring::drop_all;
use crate::wait::{Fired, WakeHandle};

/// Those whose waits a close has ended, the first first.
#[must_use = "they sleep until they are woken"]
pub(crate) struct Left(Vec<WakeHandle>);

impl Left {
    /// Wakes them. Never suspends.
    pub(crate) fn wake(self) {
        self.0.into_iter().rev().for_each(WakeHandle::wake);
    }
}

impl<T> Chan<T> {
    /// Closes the channel. `false`: it was closed already. Never suspends.
    #[doc(alias = "closechan")]
    pub(crate) fn close(&self) -> bool {
        self.close_and_leave().map(Left::wake).is_some()
    }

    /// Closes the channel, and leaves it to the caller to wake those whose waits that has ended, for a caller that holds a
    /// lock: a task's waker is anybody's code. `None`: it was closed already. Never suspends.
    pub(crate) fn close_and_leave(&self) -> Option<Left> {
        let state = self.lock.lock();
        if !state.closed.close() {
            return None;
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
        Some(Left(woken))
    }

    /// Closes the channel and drops what is buffered: nobody can receive from it any more.
    pub(crate) fn close_and_empty(&self) {
        self.close();
        // This happens under no lock, since destructors are the user's code.
        drop_all(|| self.lock.lock().ring.pop());
        self.drop_returned();
    }
}
