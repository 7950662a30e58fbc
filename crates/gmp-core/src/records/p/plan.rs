//! The plan of a user timer: when it is to go off, what of it lies in a heap, and which expiry still counts.
//!
//! ```text
//!                      reset                            due, once
//!   stopped ──────────────────────► pending ──────────────────────────► taken
//!      ▲                             │  │ ▲                              │ │
//!      │           stop: true        │  │ └──────── reset: true ◄────────┤ │ claim
//!      ├─────────────────────────────┘  └─► due, periodic: pending       │ ▼
//!      ├──────────────── stop: true ◄────────────────────────────────────┘ over ──► reset: false, pending
//!      └──────────────── stop: false ◄──────────────────────────────────── over
//! ```
//!
//! **Invariant 1.** Each arming of a timer that fires once ends once: by a claim, or by the stop or reset that says
//! `true`. *Taken* is the stretch between the moment the scheduler takes the timer out of its heap and the moment its
//! callback claims the expiry; a stop or reset that comes in that stretch still wins.
//!
//! **Invariant 2.** While `queued` is not [`NEVER`], an entry of that time lies in the heap `home`, or is in the hands of
//! an M that took it from there, and `home` lives. An entry of another time, or in another heap, is *stale*. So a later
//! `when` in the same runtime needs no new entry: the old one finds out when it is due. A stop leaves the entry where it
//! is, too. Two entries of the same time may lie in one heap (one of them was stale for a while); whichever is looked at
//! first counts, and the other is stale then. A reset by another runtime always makes an entry there: the old runtime may
//! close before the new time comes.
//!
//! Go: `timer.stop`, `modify`, `unlockAndRun` (time.go, Go 1.27), with `seq` and `isSending` for what is `round` and
//! `taken` here. Go corrects the heap for every change; here only a change to an earlier time adds to it.

use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// No time: a timer that is not set, a deadline that never comes.
pub(crate) const NEVER: u64 = u64::MAX;
/// A heap below this size is never swept.
pub(crate) const SWEEP_FLOOR: usize = 64;

/// A heap, as far as the plans of its timers know it.
#[derive(Debug)]
pub(crate) struct Home {
    /// The serial number of the P's runtime.
    runtime: u64,
    /// Stops and moves of timers that lie in the heap, since the last sweep.
    stale: AtomicUsize,
    /// With so many a sweep is worth it.
    stale_limit: AtomicUsize,
}

impl Home {
    pub(crate) fn new(runtime: u64) -> Self {
        Self { runtime, stale: AtomicUsize::new(0), stale_limit: AtomicUsize::new(SWEEP_FLOOR) }
    }

    /// Somebody has stopped or moved a timer that lies here.
    fn count_stale(&self) {
        self.stale.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether so many timers were stopped that looking through all of them is worth it.
    #[inline]
    pub(crate) fn wants_sweep(&self) -> bool {
        self.stale.load(Ordering::Relaxed) >= self.stale_limit.load(Ordering::Relaxed)
    }

    /// All entries of `other` lie here now: what was stopped among them is to be swept here.
    pub(crate) fn take_over(&self, other: &Home) {
        self.stale.fetch_add(other.stale.swap(0, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A sweep begins.
    pub(crate) fn begin_sweep(&self) {
        self.stale.store(0, Ordering::Relaxed);
    }

    /// A sweep has left so many entries.
    pub(crate) fn end_sweep(&self, left: usize) {
        self.stale_limit.store((left / 4).max(SWEEP_FLOOR), Ordering::Relaxed);
    }
}

/// When a timer is to go off.
#[derive(Debug)]
pub(crate) struct Plan {
    /// [`NEVER`]: stopped, or over.
    when: u64,
    /// 0: once.
    period: u64,
    /// The time of the entry that counts; [`NEVER`]: none.
    queued: u64,
    home: *const Home,
    /// One more for each reset, stop and expiry.
    round: u64,
    /// An expiry of this round was taken and not claimed yet.
    taken: bool,
}

// SAFETY: `home` is used only while an entry is in that heap, which outlives its entries (invariant 2), and a heap may
// be used from any thread.
unsafe impl Send for Plan {}

/// What a timer that has come up in a heap is to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing: it was stopped, or another entry counts.
    Nothing,
    /// It was moved: its entry goes back into the heap under this time.
    Later(u64),
    /// It goes off, for this time; if `again` is not [`NEVER`], the entry goes back under that time.
    Fire { round: u64, when: u64, again: u64 },
}

/// When a timer goes off next that was due at `when`, by `now`: `u64::MAX` if its period is 0. Missed ticks are left out.
/// Go: `unlockAndRun`.
#[must_use]
pub fn next_tick(when: u64, period: u64, now: u64) -> u64 {
    let Some(missed) = now.saturating_sub(when).checked_div(period) else { return NEVER };
    missed
        .checked_add(1)
        .and_then(|ticks| period.checked_mul(ticks))
        .and_then(|ahead| when.checked_add(ahead))
        .map_or(NEVER - 1, |at| at.min(NEVER - 1))
}

impl Plan {
    pub(crate) fn stopped() -> Self {
        Self { when: NEVER, period: 0, queued: NEVER, home: ptr::null(), round: 0, taken: false }
    }

    /// Whether an expiry is still to come.
    pub(crate) fn is_pending(&self) -> bool {
        self.when != NEVER || (self.period == 0 && self.taken)
    }

    /// Ends what was planned. `true`: an expiry was still to come, and will not.
    pub(crate) fn stop(&mut self) -> bool {
        let pending = self.is_pending();
        if self.when != NEVER && self.queued != NEVER {
            self.entry_is_stale();
        }
        self.when = NEVER;
        self.begin_round();
        pending
    }

    /// Plans anew. Says whether an expiry was still to come, and whether the caller is to add an entry to `home`.
    pub(crate) fn reset(&mut self, when: u64, period: u64, home: &Home) -> (bool, bool) {
        let pending = self.is_pending();
        self.when = when;
        self.period = period;
        self.begin_round();
        let add = when < self.queued || !self.is_queued_beside(home);
        if add {
            if self.queued != NEVER {
                self.entry_is_stale();
            }
            self.queued = when;
            self.home = home;
        }
        (pending, add)
    }

    /// The entry of `entry`, of the heap `heap`, has come up at `now`.
    pub(crate) fn due(&mut self, entry: u64, heap: &Home, now: u64) -> Due {
        if !self.counts(entry, heap) {
            return Due::Nothing;
        }
        if self.when == NEVER {
            self.queued = NEVER;
            return Due::Nothing;
        }
        if self.when > now {
            self.queued = self.when;
            return Due::Later(self.when);
        }
        let when = self.when;
        let again = next_tick(when, self.period, now);
        self.when = again;
        self.queued = again;
        self.begin_round();
        self.taken = true;
        Due::Fire { round: self.round, when, again }
    }

    /// Whether the expiry of `round` still counts; from here on nothing undoes it. At most one claim of a round is told
    /// so.
    pub(crate) fn claim(&mut self, round: u64) -> bool {
        let counts = self.taken && self.round == round;
        if counts {
            self.taken = false;
        }
        counts
    }

    /// A sweep asks whether the entry of `entry` is to stay.
    pub(crate) fn keeps(&mut self, entry: u64, heap: &Home) -> bool {
        if !self.counts(entry, heap) {
            return false;
        }
        if self.when == NEVER {
            self.queued = NEVER;
            return false;
        }
        true
    }

    /// `heap` goes, or lets go of the entry of `entry`; the timer is as if stopped.
    pub(crate) fn forget(&mut self, entry: u64, heap: &Home) {
        if self.counts(entry, heap) {
            self.queued = NEVER;
            self.when = NEVER;
        }
    }

    /// The entry of `entry` moves from a heap to another one of its runtime.
    pub(crate) fn move_home(&mut self, entry: u64, from: &Home, to: &Home) {
        if self.counts(entry, from) {
            self.home = to;
        }
    }

    /// Whether the entry of `entry` in `heap` is the one that counts.
    fn counts(&self, entry: u64, heap: &Home) -> bool {
        self.queued == entry && ptr::eq(self.home, heap)
    }

    /// Whether the entry that counts lies in a heap of the same runtime as `other`.
    fn is_queued_beside(&self, other: &Home) -> bool {
        // SAFETY: invariant 2: there is an entry, so the heap lives.
        let beside = || ptr::eq(self.home, other) || unsafe { &*self.home }.runtime == other.runtime;
        self.queued != NEVER && beside()
    }

    fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.taken = false;
    }

    fn entry_is_stale(&self) {
        // SAFETY: invariant 2: there is an entry, so the heap lives.
        unsafe { &*self.home }.count_stale();
    }
}
