//! Late look: sysmon looks into each shard of the poller into which nobody has for 10 ms, because all Ps have work in
//! their queues. Go: `sysmon` (proc.go, Go 1.27), the part with `netpoll(0)`.

use crate::contract::Config;
use crate::ground::clock::nanos;
use crate::shared::sched::Sched;
use std::time::Duration;

/// Go's 10 ms.
const LATE: Duration = Duration::from_millis(10);

impl<C: Config> Sched<C> {
    /// Looks, if nobody has for so long.
    pub(super) fn look_if_late(&self, now: u64) {
        let mut late = self.polling.late_shards(now, nanos(LATE)).peekable();
        if late.peek().is_some() && self.somebody_waits_outside(&self.lock()) {
            late.for_each(|shard| self.inject_outside(self.look(None, shard).unwrap_or_default()));
        }
    }
}
