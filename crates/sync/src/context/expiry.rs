//! The end of a deadline: a timer that cancels a node. Go: `timerCtx`.
//!
//! The timer's callback runs in the scheduler, and so may its destructor, which are no places for the user's code (a
//! cause is a value of anybody's type). So the callback spawns a goroutine that cancels, and a timer that is called off
//! lets its node go at once, though it may lie in the scheduler's heap for longer.

use super::tree::Node;
use super::{Cause, ContextError};
use core::panic::Location;
use gmp_core::NoRecord;
use gmp_core::timer::{Fire, Firing, Timer};
use std::sync::{Arc, Mutex, PoisonError};

/// Whom to cancel, and why; gone once that is done or called off.
pub(super) struct Expiry {
    node: Mutex<Option<(Arc<Node>, Cause)>>,
    created_at: &'static Location<'static>,
}

impl Expiry {
    /// A timer, not yet set, that cancels `node`.
    #[track_caller]
    pub(super) fn timer(node: &Arc<Node>, cause: Cause) -> Timer<Self> {
        let node = Mutex::new(Some((node.clone(), cause)));
        Timer::new(Self { node, created_at: Location::caller() })
    }

    fn take(&self) -> Option<(Arc<Node>, Cause)> {
        // Nothing under this lock can panic.
        self.node.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Fire for Expiry {
    fn fire(timer: &Timer<Self>, firing: Firing<'_>) {
        if !firing.claim() {
            return;
        }
        let expiry = timer.callback();
        let Some((node, cause)) = expiry.take() else { return };
        let cancel = move || node.cancel(ContextError::DeadlineExceeded, Some(cause));
        if let Err(NoRecord(cancel)) = firing.spawn(expiry.created_at, cancel) {
            // Nobody is served by a deadline that does not come.
            cancel();
        }
    }
}

/// Stops a timer of a node that has ended, and lets the node go.
pub(super) fn call_off(timer: &Timer<Expiry>) {
    timer.as_any().stop();
    drop(timer.callback().take());
}
