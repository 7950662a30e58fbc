//! `ChannelTimer`: a timer and the channel on which it delivers the time.
//!
//! ```text
//!   M, on g0                                       stop or reset
//!   ────────                                       ─────────────
//!   take the timer out of its heap                 lock the channel
//!   lock the channel                               stop or set the timer
//!   claim the expiry; if it counts, send           take what is buffered
//!   unlock                                         unlock
//! ```
//!
//! **Invariant.** The buffer of one holds nothing that a stop or reset has undone: claim and send are one step under
//! the channel's lock, and so are stop and drain; a claim after a stop fails (`gmp_core::timer`). The channel's lock
//! comes before the timer's own.
//!
//! The heap's entry owns the callback, the callback owns a sender, and the channel owns the timer: a cycle of
//! references, which the last receiver breaks. Go: `sendTime` (sleep.go), `timer.stop`, `modify` and `sendLock`
//! (time.go, Go 1.27).

use crate::channel::{Receiver, Sender, of_timer};
use gmp_core::timer::{AnyTimer, Fire, Firing, Timer};
use std::time::{Duration, Instant};

pub(super) struct ChannelTimer {
    timer: AnyTimer,
    pub(super) receiver: Receiver<Instant>,
}

struct SendTime(Sender<Instant>);

impl Fire for SendTime {
    // Dropping this sender closes nothing.
    const LIGHT: bool = true;

    fn fire(timer: &Timer<Self>, firing: Firing<'_>) {
        if !timer.callback().0.chan().deliver(firing.when(), || firing.claim()) {
            firing.stop();
        }
    }
}

impl ChannelTimer {
    /// A timer that goes off after `delay`, and then every `period` if that is not zero.
    #[track_caller]
    pub(super) fn start(delay: Duration, period: Duration) -> Self {
        let (sender, receiver) = of_timer();
        let timer = Timer::new(SendTime(sender)).as_any();
        // The timer is tied to the channel only after it has been set: a caller that may not set it gets a panic, and
        // no cycle is left behind.
        timer.reset_in(delay, period);
        receiver.tie(timer.clone());
        Self { timer, receiver }
    }

    pub(super) fn stop(&self) -> bool {
        self.receiver.chan().undo(|| self.timer.stop())
    }

    #[track_caller]
    pub(super) fn reset(&self, delay: Duration, period: Duration) -> bool {
        // This is one step: of two resets at once, what an expiry of the first leaves in the channel must not survive
        // the second. SAFETY: it takes the channel's lock for a moment, and drops no value but an `Instant`.
        unsafe { self.timer.reset_in_step(delay, period, |set| self.receiver.chan().undo(set)) }
    }
}
