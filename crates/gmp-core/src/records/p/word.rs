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
//! lock (for Stopped: to the one that stopped the world). Only a Blocked P is contended: its M coming back, sysmon, and
//! a stop of the world compete for it, and one compare-and-swap decides. The word carries a count of blocking calls, so
//! an M that comes back late cannot take the P from under a later call of another M.
//!
//! Go: P states and `retake` (proc.go, Go 1.21; 1.27 moved this state into the G).

use crate::ground::sync::AtomicU64;
use core::sync::atomic::Ordering;

const STATE: u64 = 0x7;
const CALL: u64 = 0x8;

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
            2 => PStatus::Blocked,
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
}

/// The word.
#[derive(Debug)]
pub(crate) struct PWord(AtomicU64);

impl PWord {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(PStatus::Stopped as u64))
    }

    #[inline]
    pub(crate) fn status(&self) -> PStatus {
        PStatus::of(self.0.load(Ordering::Relaxed))
    }

    /// Idle or Stopped to Running, by the M that got it from the idle list or from a restart of the world.
    #[doc(alias = "acquirep")]
    #[doc(alias = "wirep")]
    #[inline]
    pub(crate) fn acquire(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Idle, PStatus::Stopped]);
        self.set(word, PStatus::Running);
    }

    /// Running or Stopped to Idle, by its holder, who gives it away.
    #[doc(alias = "releasep")]
    #[inline]
    pub(crate) fn release(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running, PStatus::Stopped]);
        self.set(word, PStatus::Idle);
    }

    /// Running or Idle to Stopped, by its M or under the scheduler's lock.
    pub(crate) fn stop(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running, PStatus::Idle, PStatus::Dead, PStatus::Stopped]);
        self.set(word, PStatus::Stopped);
    }

    /// Stopped to Dead, with the world stopped.
    pub(crate) fn remove(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Stopped]);
        self.set(word, PStatus::Dead);
    }

    /// Running to Blocked, by its M.
    #[doc(alias = "entersyscall")]
    #[inline]
    pub(crate) fn enter_blocking(&self) -> Call {
        let word = self.0.load(Ordering::Relaxed);
        self.check(word, &[PStatus::Running]);
        let call = ((word & !STATE) + CALL) | PStatus::Blocked as u64;
        // ORDER: lend. Release pairs with the acquire of `take`: the P's queue is as its M left it.
        self.0.store(call, Ordering::Release);
        Call(call)
    }

    /// Blocked to Running, by the M that comes back. `false`: somebody took the P.
    #[doc(alias = "exitsyscall")]
    #[inline]
    #[must_use]
    pub(crate) fn leave_blocking(&self, call: Call) -> bool {
        self.take(call, PStatus::Running)
    }

    /// Blocked to Idle, by sysmon: the taker owns the P now and hands it off.
    #[must_use]
    pub(crate) fn retake(&self, call: Call) -> bool {
        self.take(call, PStatus::Idle)
    }

    /// Blocked to Stopped, by the one that stops the world.
    #[must_use]
    pub(crate) fn stop_blocked(&self, call: Call) -> bool {
        self.take(call, PStatus::Stopped)
    }

    /// Changes with each blocking call.
    pub(crate) fn calls(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & !STATE
    }

    /// The blocking call that this P is lent out to, if any.
    pub(crate) fn call(&self) -> Option<Call> {
        let word = self.0.load(Ordering::Relaxed);
        (PStatus::of(word) == PStatus::Blocked).then_some(Call(word))
    }

    fn take(&self, call: Call, to: PStatus) -> bool {
        let next = (call.0 & !STATE) | to as u64;
        // ORDER: take. Acquire pairs with `enter_blocking` (lend): the taker sees the queue; release hands it on.
        call != Call::NONE
            && self.0.compare_exchange(call.0, next, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn set(&self, word: u64, to: PStatus) {
        // ORDER: p-step. Release for those who read the status without the lock (sysmon, thieves).
        self.0.store((word & !STATE) | to as u64, Ordering::Release);
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
        assert!(word.retake(first));
        word.acquire();
        let second = word.enter_blocking();
        assert_ne!(first, second);
        assert!(!word.leave_blocking(first));
        assert!(word.leave_blocking(second));
        assert_eq!(word.status(), PStatus::Running);
    }

    #[test]
    fn one_taker_wins() {
        let word = PWord::new();
        word.acquire();
        let call = word.enter_blocking();
        assert_eq!(word.call(), Some(call));
        assert!(word.stop_blocked(call));
        assert!(!word.retake(call));
        assert!(!word.leave_blocking(call));
        assert_eq!(word.call(), None);
        assert!(!word.retake(Call::NONE));
    }
}
