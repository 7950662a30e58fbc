//! `Refusals`: for how long the operating system has refused something while nothing could go on without it.

use crate::ground::clock::nanos;
use std::time::Duration;

/// For so long the system is asked again before a refusal is an answer.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);

/// The refusals of one kind of thing. Times are in nanoseconds since the epoch.
#[derive(Default)]
pub(crate) struct Refusals {
    last: u64,
    /// Since when nothing could go on each time.
    since: Option<u64>,
}

impl Refusals {
    /// It was refused again. `stuck`: nothing can go on without it. `true`: so it has been for [`PATIENCE`]. While that is
    /// so the system is asked every few milliseconds: if the last time is older, that was another time.
    pub(crate) fn again(&mut self, now: u64, stuck: bool) -> bool {
        let goes_on = stuck && now.saturating_sub(self.last) < nanos(PATIENCE / 2);
        let since = self.since.filter(|_| goes_on).unwrap_or(now);
        (self.last, self.since) = (now, stuck.then_some(since));
        now.saturating_sub(since) >= nanos(PATIENCE)
    }

    /// When it was refused last; 0: never.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// It was not refused.
    pub(crate) fn end(&mut self) {
        self.since = None;
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn only_what_goes_on_counts() {
        let mut refusals = Refusals::default();
        let begin = 1_000 * MS;
        for at in (0..200).step_by(10) {
            assert!(!refusals.again(begin + at * MS, true));
        }
        assert!(refusals.again(begin + 200 * MS, true));
        assert!(!refusals.again(begin + 300 * MS, true), "the last one was long ago");
        assert!(!refusals.again(begin + 310 * MS, false) && !refusals.again(begin + 510 * MS, true));
        for at in (520..700).step_by(10) {
            assert!(!refusals.again(begin + at * MS, true));
        }
        refusals.end();
        assert!(!refusals.again(begin + 710 * MS, true), "it began anew");
    }
}
