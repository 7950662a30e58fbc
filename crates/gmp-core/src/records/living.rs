//! Living: the runtimes of this process that have not gone, by their serial numbers: for threads that act for a runtime
//! which is not their own.

use super::m::AnyRuntime;
use std::sync::{Arc, Mutex, PoisonError, Weak};

static LIVING: Mutex<Vec<(u64, Weak<AnyRuntime>)>> = Mutex::new(Vec::new());

fn with<R>(look: impl FnOnce(&mut Vec<(u64, Weak<AnyRuntime>)>) -> R) -> R {
    // Nothing under this lock can panic but for want of memory, which leaves the list as it was.
    look(&mut LIVING.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A runtime has been made.
pub(crate) fn enter(runtime: &Arc<AnyRuntime>) {
    let entry = (runtime.header().serial, Arc::downgrade(runtime));
    with(|living| living.push(entry));
}

/// The runtime of this serial number goes.
pub(crate) fn leave(serial: u64) {
    with(|living| living.retain(|(known, _)| *known != serial));
}

/// The runtime of this serial number, unless it has gone.
pub(crate) fn find(serial: u64) -> Option<Arc<AnyRuntime>> {
    with(|living| {
        living.iter().find(|(known, _)| *known == serial).and_then(|(_, runtime)| runtime.upgrade())
    })
}
