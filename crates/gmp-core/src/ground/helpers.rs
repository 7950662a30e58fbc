//! Helpers: threads of ours that are no M and wake no goroutine, so that the search for deadlocks counts them out.

use crate::ground::threads;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many of them run.
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How many there are.
pub(crate) fn count() -> usize {
    RUNNING.load(Relaxed)
}

/// Starts a thread that is neither M nor sysmon and never wakes a goroutine. Never suspends.
///
/// # Errors
/// What the operating system said.
pub fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let helper = move || {
        // Counted while the system counts it too, and no longer: one counted too many would hide a stranger.
        RUNNING.fetch_add(1, Relaxed);
        f();
        RUNNING.fetch_sub(1, Relaxed);
    };
    threads::spawn(name.into(), helper).map(drop)
}
