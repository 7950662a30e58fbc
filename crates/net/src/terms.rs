//! `Terms`: how long calls on one side of a socket may wait. Go: `setDeadline` (internal/poll, Go 1.27).
//!
//! A time-out counts from the beginning of each wait; a deadline is one moment for all of them. Both are words that
//! others may change meanwhile, and whoever changes one has the waiters look again.

use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Moments are counted from here.
static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

const NONE: u64 = u64::MAX;

/// The terms of one side. Their orderings are Relaxed throughout: a waiter that was woken to look again was woken under
/// a lock.
#[derive(Debug)]
pub(crate) struct Terms {
    timeout: AtomicU64,
    deadline: AtomicU64,
}

impl Terms {
    pub(crate) fn new() -> Self {
        Self { timeout: AtomicU64::new(NONE), deadline: AtomicU64::new(NONE) }
    }

    pub(crate) fn timeout(&self) -> Option<Duration> {
        some(self.timeout.load(Relaxed)).map(Duration::from_nanos)
    }

    pub(crate) fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a time-out of zero was asked for; None waits for ever, and set_nonblocking does not wait at all",
            ));
        }
        self.timeout.store(timeout.map_or(NONE, nanos), Relaxed);
        Ok(())
    }

    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        let since = |at: Instant| nanos(at.saturating_duration_since(*EPOCH));
        self.deadline.store(deadline.map_or(NONE, since), Relaxed);
    }

    /// Whether the deadline has passed.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        let deadline = self.deadline.load(Relaxed);
        deadline != NONE && deadline <= nanos(EPOCH.elapsed())
    }

    /// When a wait ends that began at `begun`, which the first call fills in.
    pub(crate) fn end_of_wait(&self, begun: &mut Option<Instant>) -> Option<Instant> {
        let after = |since: Instant, nanos| since.checked_add(Duration::from_nanos(nanos));
        let deadline = some(self.deadline.load(Relaxed)).and_then(|nanos| after(*EPOCH, nanos));
        let timeout = some(self.timeout.load(Relaxed));
        let timeout = timeout.and_then(|nanos| after(*begun.get_or_insert_with(Instant::now), nanos));
        deadline.into_iter().chain(timeout).min()
    }
}

fn some(nanos: u64) -> Option<u64> {
    (nanos != NONE).then_some(nanos)
}

/// The longest is 584 years, less a nanosecond.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NONE).min(NONE - 1)
}

/// What a call returns that has waited for too long.
pub(crate) fn timed_out() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the socket was not ready in time: its deadline or time-out has passed",
    )
}
