//! Timing: when a timer's channel gives what. It is the other side of such a channel, in place of senders and a buffer.
//!
//! ```text
//!   a receive     is it time? ── yes: take the time that was planned; of a ticker, plan the next
//!                      │ no
//!                      └─► does the alarm come in time? ── no: set it, with no lock held, and look again
//!                               └─► wait
//!   the alarm     is it time? ── the receiver that has waited longest gets the time
//!                 do others still wait? set it again
//! ```
//!
//! Nothing happens when the time comes and nobody waits: whoever looks reads the clock. So a timer that nobody waits for
//! costs no more than its channel, and lies in no P's heap. The alarm, a timer of core's, is made when somebody first
//! waits. It is left where it is when they go, and does nothing if it comes too early or to nobody.
//!
//! **Invariant.** While somebody waits, the alarm comes no later than the timer is due, or somebody is on the way to set it
//! (`alarm.rs`): whoever is about to wait looks, under the lock under which it waits; so does a reset while somebody
//! waits, and so does the alarm itself when others still wait. All fields change under the channel's lock, which comes
//! before core's lock of a timer.
//!
//! A tick that nobody has taken stays as it is, with the time at which it was due, and those after it are left out: as if
//! it lay in a buffer of one. So does one that a task had received and never saw, unless the timer was stopped or set anew,
//! or has given another time, since. Go: `timer` with `isChan`, `maybeRunChan`, `blockTimerChan` (time.go, Go 1.27).

use super::protocol::{Refusal, State};
use crate::wait::WakeHandle;
use core::cell::{Cell, OnceCell};
use gmp_core::timer::{self, AnyTimer, Setting};
use std::time::{Duration, Instant};

/// No time: the timer is stopped, or over; the alarm is not set.
pub(super) const NEVER: u64 = u64::MAX;

/// When the channel gives what.
pub(crate) struct Timing {
    /// [`NEVER`]: stopped, or over.
    pub(super) when: Cell<u64>,
    /// 0: once.
    pub(super) period: Cell<u64>,
    /// The time that was given last, while it may come back ([`Chan::return_time`](super::protocol::Chan::return_time)).
    pub(super) given: Cell<u64>,
    /// When the alarm comes; [`NEVER`]: it is not set.
    pub(super) alarm_at: Cell<u64>,
    /// The runtime that keeps the timer, by its serial number.
    pub(super) runtime: Cell<u64>,
    /// Put in once, under the lock, by somebody who has a receiver; taken out by the last receiver's end.
    pub(super) alarm: OnceCell<AnyTimer>,
}

impl Timing {
    /// A timer that was set at `setting`.
    pub(super) fn new(setting: Setting, delay: Duration, period: Duration) -> Self {
        let (runtime, alarm_at, given) = (Cell::new(setting.runtime), Cell::new(NEVER), Cell::new(NEVER));
        let (when, period) = (Cell::new(after(setting.now, delay)), Cell::new(nanos(period)));
        Self { when, period, given, alarm_at, runtime, alarm: OnceCell::new() }
    }

    /// Whether the alarm comes in time, if it is needed at all.
    pub(super) fn is_armed(&self) -> bool {
        self.when.get() >= self.alarm_at.get()
    }

    /// Takes the time that was planned, if it has come.
    pub(super) fn take(&self, now: u64) -> Option<u64> {
        let (when, period) = (self.when.get(), self.period.get());
        if when > now {
            return None;
        }
        self.when.set(timer::next_tick(when, period, now));
        self.given.set(when);
        Some(when)
    }

    /// Nothing comes any more. `true`: something would have come.
    pub(super) fn end(&self) -> bool {
        if self.alarm_at.replace(NEVER) != NEVER
            && let Some(alarm) = self.alarm.get()
        {
            alarm.stop();
        }
        self.given.set(NEVER);
        self.when.replace(NEVER) != NEVER
    }

    /// The channel is closed: what is due stays, as what was sent before, and what was given may still come back.
    pub(super) fn close(&self) {
        self.period.set(0);
        if self.when.get() > timer::now() {
            let given = self.given.get();
            self.end();
            self.given.set(given);
        }
    }
}

/// So long after `now`, at most a long time.
pub(super) fn after(now: u64, delay: Duration) -> u64 {
    now.saturating_add(nanos(delay)).min(NEVER - 1)
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

impl<T> State<T> {
    /// What a timer's channel has.
    #[inline]
    pub(super) fn timing(&self) -> Option<&Timing> {
        // SAFETY: such a channel was made with it in place of slots (`counter.rs`), and it lives as long as the channel.
        self.timed.then(|| unsafe { self.ring.slots().cast().as_ref() })
    }

    /// Whether this is a timer's channel at which nobody may wait yet. Under the lock.
    #[inline]
    pub(crate) fn is_unarmed(&self) -> bool {
        self.timing().is_some_and(|timing| !timing.is_armed())
    }

    /// Whether a receive would get a time. Under the lock.
    #[cold]
    pub(super) fn is_due(&self) -> bool {
        self.timing().is_some_and(|timing| timing.when.get() <= timer::now())
            && !self.receivers.any_waits(|_| true)
    }

    /// A receive from a timer's channel, under the lock.
    ///
    /// # Safety
    /// The slot is as [`receive_now`](super::protocol::Chan::receive_now) requires, and this is a timer's channel.
    #[inline(never)]
    pub(super) unsafe fn receive_time(&self, slot: *mut T) -> Result<Option<WakeHandle>, Refusal> {
        // What has come belongs to who waits, and the alarm brings it.
        let mine = self.receivers.is_empty() || !self.receivers.any_waits(|_| true);
        let time = self.timing().filter(|_| mine).and_then(|timing| timing.take(timer::now()));
        match time {
            Some(when) => {
                // SAFETY: the slot has room for a value, and the values of a timer's channel are of this type.
                unsafe { slot.cast::<Instant>().write(timer::instant(when)) };
                Ok(None)
            }
            None if self.closed.is() => Err(Refusal::Closed),
            None => Err(Refusal::NotReady),
        }
    }
}
