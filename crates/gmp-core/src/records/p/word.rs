//! The P word: who may use a P, and which blocking call it is lent out to.
//!
//! ```text
//!              acquire                 enter_blocking
//!     Idle ───────────────► Running ──────────────────► Blocked(call)
//!      ▲  ▲     release       │  ▲    leave_blocking        │   │
//!      │  └───────────────────┤  └──────────────────────────┘   │
//!      │                stop  │             retake              │
//!      │                      ▼                                 │
//!      ├────start────────── Stopped ◄──────── stop_blocked ─────┤
//!      └────────────────────────────────────────────────────────┘
//!     Stopped ──remove──► Dead ──start──► Idle
//! ```
//!
//! **Invariant.** A Running P belongs to exactly one M, an Idle, Stopped or Dead one to whoever holds the scheduler's
//! lock (for Stopped: to the one that stopped the world). Only a Blocked P is contended: its M comes back while sysmon, or
//! a stop of the world, takes it. The word carries a count of blocking calls, so an M that comes back late cannot take
//! the P from under a later call of another M.
//!
//! Calls are many and takers few, so the M pays with plain stores, and the taker with a fence that all threads pass:
//!
//! ```text
//!   the M                                      a taker, under the scheduler's lock
//!   ─────                                      ───────────────────────────────────
//!   says that it is back                       Blocked(call) → Taking(call)
//!   light fence                                heavy fence
//!   Taking(call)? wait until it is not         the M is back, or the word not Taking(call) any more?
//!   Blocked(call)? → Running                     Taking(call) → Blocked(call), and nothing has happened
//!   else: the P is lost                        else: → Idle, or Stopped
//! ```
//!
//! Of the two fences one comes first: either the taker sees that the M is back, or the M sees Taking. Takers keep out of
//! each other's way by the lock.
//!
//! **The danger** is an M that is back, has overwritten Taking, and lends the P out again, so that it does not look as if
//! it were back. Whoever sees that sees the word that it wrote before, too, so the taker looks at both, in this order.
//!
//! Where the system has no such fence both sides make a full one.
//!
//! Go: P states and `retake` (proc.go, Go 1.21; 1.27 moved this state into the G); there one compare-and-swap decides.

use crate::ground::fence::{has_heavy_fence, heavy_fence};
use crate::ground::sync::{AtomicU64, full_fence, light_fence, thread};
use core::sync::atomic::Ordering;

const STATE: u64 = 0x7;
const CALL: u64 = 0x8;
/// In the place of Blocked, while somebody looks whether the P may be taken.
const TAKING: u64 = 5;

/// What a P is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum PStatus {
    /// On the idle list, or on its way from one holder to the next.
    #[doc(alias = "_Pidle")]
    Idle = 0,
    /// An M has it.
    #[doc(alias = "_Prunning")]
    Running = 1,
    /// Its M is in a declared blocking call; it may be retaken.
    #[doc(alias = "_Psyscall")]
    Blocked = 2,
    /// The world is stopped.
    #[doc(alias = "_Pgcstop")]
    Stopped = 3,
    /// Removed by a smaller number of Ps; may come back.
    #[doc(alias = "_Pdead")]
    Dead = 4,
}

impl PStatus {
    fn of(word: u64) -> PStatus {
        match word & STATE {
            0 => PStatus::Idle,
            1 => PStatus::Running,
            2 | TAKING => PStatus::Blocked,
            3 => PStatus::Stopped,
            4 => PStatus::Dead,
            other => crate::fatal!("the P word is well formed", "state {other} of word {word:#x}"),
        }
    }
}

/// One blocking call: the word's value while it lasts and nobody has taken the P.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call(u64);

impl Call {
    /// No call: never matches.
    pub(crate) const NONE: Call = Call(u64::MAX);

    /// The word's value once somebody looks whether the P may be taken from this call.
    fn taking(self) -> u64 {
        (self.0 & !STATE) | TAKING
    }
}

/// The word.
#[derive(Debug)]
pub(crate) struct PWord {
    word: AtomicU64,
    /// Whether the fence is the asymmetric one: always the same in a process.
    asymmetric: bool,
}

impl PWord {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(PStatus::Stopped as u64), asymmetric: has_heavy_fence() }
    }

    #[inline]
    pub(crate) fn status(&self) -> PStatus {
        PStatus::of(self.word.load(Ordering::Relaxed))
    }

    /// Idle or Stopped to Running, by the M that got it from the idle list or from a restart of the world.
    #[doc(alias = "acquirep")]
    #[doc(alias = "wirep")]
    #[inline]
    pub(crate) fn acquire(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Idle, PStatus::Stopped]);
        self.set(word, PStatus::Running);
    }

    /// Running or Stopped to Idle, by its holder, who gives it away.
    #[doc(alias = "releasep")]
    #[inline]
    pub(crate) fn release(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running, PStatus::Stopped]);
        self.set(word, PStatus::Idle);
    }

    /// Running or Idle to Stopped, by its M or under the scheduler's lock.
    pub(crate) fn stop(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running, PStatus::Idle, PStatus::Dead, PStatus::Stopped]);
        self.set(word, PStatus::Stopped);
    }

    /// Stopped to Dead, with the world stopped.
    pub(crate) fn remove(&self) {
        let word = self.word.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Stopped]);
        self.set(word, PStatus::Dead);
    }

    /// Running to Blocked, by its M.
    #[doc(alias = "entersyscall")]
    #[inline]
    pub(crate) fn enter_blocking(&self) -> Call {
        let word = self.word.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running]);
        let call = ((word & !STATE) + CALL) | PStatus::Blocked as u64;
        // ORDER: lend. The Release of `write` pairs with the acquire of `take`: the P's queue is as its M left it.
        self.write(call);
        Call(call)
    }

    /// Blocked to Running, by the M that comes back: `announce` says so to takers. `false`: somebody took the P.
    #[doc(alias = "exitsyscall")]
    #[inline]
    #[must_use]
    pub(crate) fn leave_blocking(&self, call: Call, announce: impl FnOnce()) -> bool {
        announce();
        self.light_fence();
        let mut word = self.word.load(Ordering::Relaxed);
        if word == call.taking() {
            word = self.wait_for_taker(call);
        }
        if word != call.0 {
            return false;
        }
        self.set(word, PStatus::Running);
        true
    }

    /// A taker looks whether the M is back: some microseconds.
    #[cold]
    #[inline(never)]
    fn wait_for_taker(&self, call: Call) -> u64 {
        loop {
            // Changes nothing, and reads the newest value: a model may give a plain load the old one for ever.
            let word = self.word.fetch_or(0, Ordering::Relaxed);
            if word != call.taking() {
                return word;
            }
            thread::yield_now();
        }
    }

    /// Blocked to Idle or Stopped, by sysmon or a stop of the world, under the scheduler's lock, unless the M `is_back`:
    /// that is asked, with Acquire, once the M cannot end the call any more without our seeing it.
    #[must_use]
    pub(crate) fn take(&self, call: Call, to: PStatus, is_back: impl FnOnce() -> bool) -> bool {
        // ORDER: lend. Acquire pairs with `enter_blocking`: the taker sees the queue.
        if self.word.compare_exchange(call.0, call.taking(), Ordering::Acquire, Ordering::Relaxed).is_err() {
            return false;
        }
        self.heavy_fence();
        if !is_back() && self.word.load(Ordering::Relaxed) == call.taking() {
            self.set(call.0, to);
            return true;
        }
        // Unless the M has overwritten it.
        let (from, to) = (call.taking(), call.0);
        let _ = self.word.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        false
    }

    /// Running to Idle, by sysmon, while the M waits at its door: the M is as in a blocking call whose P was taken.
    pub(crate) fn take_running(&self) -> Call {
        let call = self.enter_blocking();
        self.set(call.0, PStatus::Idle);
        call
    }

    /// Changes with each blocking call.
    pub(crate) fn calls(&self) -> u64 {
        self.word.load(Ordering::Relaxed) & !STATE
    }

    /// The blocking call that this P is lent out to, if any.
    pub(crate) fn call(&self) -> Option<Call> {
        let word = self.word.load(Ordering::Relaxed);
        (PStatus::of(word) == PStatus::Blocked).then_some(Call(word))
    }

    #[inline]
    fn light_fence(&self) {
        if self.asymmetric { light_fence() } else { full_fence() }
    }

    fn heavy_fence(&self) {
        if self.asymmetric { heavy_fence() } else { full_fence() }
    }

    fn set(&self, word: u64, to: PStatus) {
        self.write((word & !STATE) | to as u64);
    }

    fn write(&self, word: u64) {
        // ORDER: p-step. Release for those who read the status without the lock (sysmon, thieves).
        #[cfg(not(loom))]
        self.word.store(word, Ordering::Release);
        // loom knows no order of a plain store and another thread's compare-and-swap, and would let us read what we
        // have just overwritten.
        #[cfg(loom)]
        self.word.swap(word, Ordering::Release);
    }

    fn check(&self, word: u64, from: &[PStatus]) {
        if cfg!(debug_assertions) && !from.contains(&PStatus::of(word)) {
            crate::fatal!("P transitions are legal", "expected one of {from:?}, word {word:#x}");
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_late_comer_does_not_match_a_later_call() {
        let word = PWord::new();
        word.acquire();
        let first = word.enter_blocking();
        assert!(word.take(first, PStatus::Idle, || false));
        word.acquire();
        let second = word.enter_blocking();
        assert_ne!(first, second);
        assert!(!word.leave_blocking(first, || ()));
        assert!(word.leave_blocking(second, || ()));
        assert_eq!(word.status(), PStatus::Running);
    }

    #[test]
    fn one_taker_wins() {
        let word = PWord::new();
        word.acquire();
        let call = word.enter_blocking();
        assert_eq!(word.call(), Some(call));
        assert!(word.take(call, PStatus::Stopped, || false));
        assert!(!word.take(call, PStatus::Idle, || unreachable!("there is nothing to take")));
        assert!(!word.leave_blocking(call, || ()));
        assert_eq!(word.call(), None);
        assert!(!word.take(Call::NONE, PStatus::Idle, || false));
    }

    #[test]
    fn nobody_takes_from_whoever_is_back() {
        let word = PWord::new();
        word.acquire();
        let call = word.enter_blocking();
        assert!(!word.take(call, PStatus::Idle, || true));
        assert_eq!(word.call(), Some(call));
        assert!(word.leave_blocking(call, || ()));
    }

    #[test]
    fn a_running_p_is_taken_as_from_a_call() {
        let word = PWord::new();
        word.acquire();
        let call = word.take_running();
        assert_eq!((word.status(), word.call()), (PStatus::Idle, None));
        assert!(!word.leave_blocking(call, || ()));
    }
}
