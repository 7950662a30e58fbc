//! `Bell`: what a future rings, and its goroutine waits for. It remembers one ring, so none between a poll and the wait
//! after it is lost.

use super::lock::Lock;
use super::queue::{Node, Queue};
use super::single::{Unfired, WaitMode, wait};
use super::waiter::{Caller, Fired, Waiter};
use crate::seam::give_way;
use gmp_core::WaitReason;
use std::sync::Arc;
use std::task::Wake;

/// The bell.
pub(crate) struct Bell(Lock<State>);

struct State {
    /// It has rung, and nobody has waited since.
    rung: bool,
    queue: Queue<()>,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self(Lock::new(State { rung: false, queue: Queue::new() }))
    }

    /// Waits until it rings, or has rung. **Suspends.**
    #[track_caller]
    pub(crate) fn wait(&self) {
        // A future that wakes itself has rung already, and would never wait.
        give_way();
        let caller = Caller::enter("block_on");
        let mut mode = WaitMode::new(WaitReason::Future, None);
        let mut state = self.0.lock();
        while !core::mem::take(&mut state.rung) {
            let waiter = Waiter::alone();
            let node = Node::new(&waiter, 0, ());
            // SAFETY: `wait` returns when the node is off the queue, and until then nothing of it moves.
            unsafe { state.queue.push_back(&node) };
            // SAFETY: the node is queued, and the waiter's only one.
            state = match unsafe { wait(&caller, state, |state| &state.queue, &waiter, &node, mode) } {
                Ok(_) => return,
                Err(Unfired { guard, .. }) => {
                    drop(guard);
                    mode = mode.retry_after_closing();
                    self.0.lock()
                }
            };
        }
    }

    fn ring(&self) {
        let mut state = self.0.lock();
        let handle = state.queue.pop_if(|()| true, |()| ()).map(|node| node.fire(Fired::Done));
        state.rung |= handle.is_none();
        drop(state);
        if let Some(handle) = handle {
            handle.wake();
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
