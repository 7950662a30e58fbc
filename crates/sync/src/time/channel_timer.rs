//! `ChannelTimer`: a timer that delivers the time on a channel. It *is* that channel: `channel/timing.rs` describes what
//! happens when, and what becomes of it when its receivers have gone.

use crate::channel::{Receiver, of_timer};
use std::time::{Duration, Instant};

pub(super) struct ChannelTimer {
    pub(super) receiver: Receiver<Instant>,
}

impl ChannelTimer {
    /// A timer that goes off after `delay`, and then every `period` if that is not zero.
    #[track_caller]
    pub(super) fn start(delay: Duration, period: Duration) -> Self {
        Self { receiver: of_timer(delay, period) }
    }

    pub(super) fn stop(&self) -> bool {
        self.receiver.chan().stop_timer()
    }

    #[track_caller]
    pub(super) fn reset(&self, delay: Duration, period: Duration) -> bool {
        self.receiver.chan().reset_timer(delay, period)
    }
}
