//! Late look: sysmon looks into the poller if nobody has for 10 ms, because all Ps have work in their queues. Go: `sysmon`
//! (proc.go, Go 1.27), the part with `netpoll(0)`.

use crate::contract::Config;
use crate::ground::clock::nanos;
use crate::shared::sched::Sched;
use std::time::Duration;

/// Go's 10 ms.
const LATE: Duration = Duration::from_millis(10);

impl<C: Config> Sched<C> {
    /// Looks, if nobody has for so long.
    pub(super) fn look_if_late(&self, now: u64) {
        let is_late = self.polling.poller().is_some() && self.polling.is_late(now, nanos(LATE));
        if is_late && self.somebody_waits_outside(&self.lock()) {
            self.inject_outside(self.look().unwrap_or_default());
        }
    }
}
