//! The clock of all runtimes: nanoseconds since the process first asked for the time.

use std::sync::OnceLock;
use std::time::Instant;

/// When this process first asked for the time: the zero of all clocks here. One for all runtimes, since one timer may be
/// set in several.
pub(crate) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// A duration in nanoseconds, at most 584 years.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
