//! The idle word: how many Ps are idle, how many Ms spin, and whether a spinner is wanted.
//!
//! It is one word, so that a submission asks one question of one cache line. **Invariant**: `idle` counts the Ps on the
//! idle list (both change under the scheduler's lock), `spinning` counts the Ms that hold the right to spin; a *wanted*
//! mark is left by an M that found work and no P for it, and taken by one that has a P and found no work.
//!
//! `g0/idle/README.md` describes the protocols over it, with the danger and the proof. Go: `npidle`, `nmspinning` and
//! `needspinning` of `schedt` (runtime2.go, Go 1.27).

use crate::contract::IdleView;
use crate::ground::sync::AtomicU64;
use core::sync::atomic::Ordering;

/// A count has 21 bits, which is far above the 10,000 threads that there can be.
const COUNT: u64 = (1 << 21) - 1;
const SPINNING_SHIFT: u32 = 21;
const IDLE: u64 = 1;
const SPINNING: u64 = 1 << SPINNING_SHIFT;
const WANTED: u64 = 1 << 63;

/// The word.
///
/// Public for the simulator, whose virtual Ms keep the same protocol over it.
#[derive(Debug)]
pub struct IdleWord(AtomicU64);

impl IdleWord {
    /// No P is idle, and nobody spins.
    #[allow(clippy::new_without_default)] // A word that nobody keeps a protocol over means nothing.
    pub fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// What the word says, for a policy.
    #[inline]
    pub fn view(&self, procs: usize) -> IdleView {
        let word = self.0.load(Ordering::Relaxed);
        IdleView { procs, idle: idle(word), spinning: spinning(word) }
    }

    /// A P was put on the idle list. Under the scheduler's lock.
    pub fn p_idle(&self) {
        // ORDER: idle. Relaxed suffices for the count: the last look's `full_fence` orders it against submissions.
        self.0.fetch_add(IDLE, Ordering::Relaxed);
    }

    /// A P was taken off the idle list. Under the scheduler's lock.
    pub fn p_busy(&self) {
        self.0.fetch_sub(IDLE, Ordering::Relaxed);
    }

    /// Takes the right to spin, if `agree` returns `true` for what the word says. A submitter and an idle M both ask in
    /// this way.
    #[must_use]
    pub fn try_spin(&self, procs: usize, agree: impl Fn(IdleView) -> bool) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        loop {
            if !agree(IdleView { procs, idle: idle(word), spinning: spinning(word) }) {
                return false;
            }
            match self.0.compare_exchange_weak(word, word + SPINNING, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Takes the right to spin without asking, since work was seen.
    pub fn spin(&self) {
        self.0.fetch_add(SPINNING, Ordering::Relaxed);
    }

    /// Gives up the right to spin.
    pub fn give_up(&self) {
        let before = self.0.fetch_sub(SPINNING, Ordering::Relaxed);
        if cfg!(debug_assertions) && spinning(before) == 0 {
            crate::fatal!("an M that gives up spinning was spinning", "word {before:#x}");
        }
    }

    /// Leaves the mark that a spinner is wanted.
    pub fn want_spinner(&self) {
        self.0.fetch_or(WANTED, Ordering::Relaxed);
    }

    /// Takes the mark, and the right to spin with it.
    #[must_use]
    pub fn take_wanted(&self) -> bool {
        let mut word = self.0.load(Ordering::Relaxed);
        while word & WANTED != 0 {
            let next = (word & !WANTED) + SPINNING;
            match self.0.compare_exchange_weak(word, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }
}

fn idle(word: u64) -> usize {
    (word & COUNT) as usize
}

fn spinning(word: u64) -> usize {
    (word >> SPINNING_SHIFT & COUNT) as usize
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let word = IdleWord::new();
        for _ in 0..5 {
            word.p_idle();
        }
        word.spin();
        word.want_spinner();
        assert_eq!(word.view(8), IdleView { procs: 8, idle: 5, spinning: 1 });
        assert!(word.take_wanted());
        assert!(!word.take_wanted());
        assert_eq!(word.view(8).spinning, 2);
        word.give_up();
        word.give_up();
        word.p_busy();
        assert_eq!(word.view(8), IdleView { procs: 8, idle: 4, spinning: 0 });
    }

    #[test]
    fn one_submitter_becomes_the_waker() {
        let word = IdleWord::new();
        word.p_idle();
        let nobody_spins = |view: IdleView| view.idle > 0 && view.spinning == 0;
        assert!(word.try_spin(1, nobody_spins));
        assert!(!word.try_spin(1, nobody_spins));
    }
}
