//! The permit word: what a public `Unparker` and `park` agree on.
//!
//! ```text
//!            unpark                 park takes it
//!   Empty ───────────► Notified ───────────────────► Empty
//!     │ park commits                        
//!     ▼            unpark: Empty, and the wait is readied
//!   Parked(wait) ───────────────────────────────────► Empty
//!     └──────────── time-out: `withdraw` ───────────► Empty
//! ```
//!
//! **Invariant.** At most one permit is kept. Whoever takes the word out of Parked(wait) has the right to ready that
//! wait, and the wait is named by epoch, so a goroutine that timed out and went on to wait for something else is not
//! woken by it. Every value carries a goroutine's generation: one of an earlier goroutine means Empty, so a spawn need not
//! touch the word, and an `Unparker` of an ended goroutine changes nothing.
//! Go has no counterpart (`notetwakeup` of an M comes nearest); the rules are those of `std::thread::park`.

use super::word::Wait;
use crate::ground::sync::AtomicU64;
use core::sync::atomic::Ordering;

const TAG: u64 = 0xff;
const EMPTY: u64 = 0;
const NOTIFIED: u64 = 1;
const PARKED: u64 = 2;

/// The word.
#[derive(Debug)]
pub(crate) struct Permit(AtomicU64);

/// What an `unpark` has to do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Unpark {
    /// Nothing more: the permit is there, or the goroutine is gone.
    Done,
    /// Ready this wait.
    Ready(Wait),
}

impl Permit {
    /// Of a record without a goroutine.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(EMPTY))
    }

    /// Takes the permit if it is there. By the goroutine itself, of this generation.
    #[must_use]
    #[inline]
    pub(crate) fn take(&self, generation: u64) -> bool {
        let notified = generation | NOTIFIED;
        // ORDER: permit. Acquire pairs with the release of `unpark`: what the unparker wrote is seen.
        self.0.load(Ordering::Relaxed) == notified
            && self
                .0
                .compare_exchange(notified, generation | EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Offers the wait to unparkers. `false`: there is a permit already (it is taken). By the park's commit.
    #[inline]
    #[must_use]
    pub(crate) fn offer(&self, wait: Wait, generation: u64) -> bool {
        let offered = wait.tagged(PARKED);
        let mut word = self.0.load(Ordering::Relaxed);
        while word != generation | NOTIFIED {
            // ORDER: offer. Release pairs with the acquire of `unpark`: the wait is fully there.
            match self.0.compare_exchange_weak(word, offered, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                // A permit has come, or an `Unparker` of an earlier goroutine was late: only the first counts.
                Err(now) => word = now,
            }
        }
        // ORDER: permit. Acquire pairs with the release of `unpark`.
        self.0.swap(generation | EMPTY, Ordering::Acquire);
        false
    }

    /// Takes an offer back after a time-out. `false`: an unparker had it already, so the permit is used up.
    #[must_use]
    pub(crate) fn withdraw(&self, generation: u64) -> bool {
        // ORDER: permit. Acquire pairs with the release of `unpark`.
        self.0.swap(generation | EMPTY, Ordering::Acquire) & TAG == PARKED
    }

    /// Leaves a permit, or takes the offered wait. `present` says which generation lives in the record now.
    ///
    /// The word is read before the generation, each time: if a later goroutine has begun to use the word by the time
    /// of the compare-and-swap, then either that fails, or we had read the later value, and the generation says so.
    pub(crate) fn unpark(&self, generation: u64, present: impl Fn() -> u64) -> Unpark {
        // ORDER: permit-generation. Acquire pairs with the release of `offer` by a later goroutine: having seen its
        // value, we see that the record is not ours any more.
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if present() != generation {
                return Unpark::Done;
            }
            let ours = Wait::generation_of(word) == generation;
            let (next, then) = match word & TAG {
                PARKED if ours => (generation | EMPTY, Unpark::Ready(Wait::untagged(word))),
                // A permit that is there already is still written again: its release hands over what we wrote.
                _ => (generation | NOTIFIED, Unpark::Done),
            };
            // ORDER: permit. Release pairs with `take` and `offer`; acquire with `offer`.
            match self.0.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return then,
                Err(now) => word = now,
            }
        }
    }
}

impl Default for Permit {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::records::g::word::GWord;

    fn running() -> (GWord, Permit, u64) {
        let word = GWord::new();
        word.to_spawned();
        word.to_running();
        let permit = Permit::new();
        let generation = word.generation();
        (word, permit, generation)
    }

    #[test]
    fn one_permit_is_kept() {
        let (word, permit, generation) = running();
        assert!(!permit.take(word.generation()));
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Done);
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Done);
        assert!(permit.take(word.generation()));
        assert!(!permit.take(word.generation()));
    }

    #[test]
    fn an_unpark_takes_the_offered_wait() {
        let (word, permit, generation) = running();
        let wait = word.to_waiting();
        assert!(permit.offer(wait, generation));
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Ready(wait));
        assert!(word.to_ready(wait));
        assert!(!permit.take(word.generation()));
    }

    #[test]
    fn a_permit_that_came_first_calls_the_park_off() {
        let (word, permit, generation) = running();
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Done);
        let wait = word.to_waiting();
        assert!(!permit.offer(wait, generation));
        assert!(!permit.take(word.generation()), "the park took it");
    }

    #[test]
    fn a_withdrawn_offer_is_not_readied() {
        let (word, permit, generation) = running();
        let wait = word.to_waiting();
        assert!(permit.offer(wait, generation));
        assert!(permit.withdraw(generation));
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Done);
        assert!(permit.take(word.generation()));
    }

    #[test]
    fn another_generation_is_left_alone() {
        let (word, permit, generation) = running();
        word.to_exited();
        word.to_spawned();
        assert_eq!(permit.unpark(generation, || word.generation()), Unpark::Done);
        assert!(!permit.take(word.generation()));
    }

    /// The generation must be asked for after the word is read: else a late unparker overwrites a later goroutine's
    /// offer, and that one sleeps for ever.
    #[test]
    fn a_late_unparker_leaves_a_later_offer_alone() {
        let (word, permit, first) = running();
        word.to_exited();
        word.to_spawned();
        word.to_running();
        let second = word.generation();
        let wait = word.to_waiting();
        assert!(permit.offer(wait, second));
        assert_eq!(permit.unpark(first, || word.generation()), Unpark::Done);
        assert_eq!(permit.unpark(second, || word.generation()), Unpark::Ready(wait));
    }

    /// A permit that an earlier goroutine's unparker left too late is nobody's.
    #[test]
    fn an_earlier_permit_does_not_end_a_park() {
        let (word, permit, first) = running();
        assert_eq!(permit.unpark(first, || first), Unpark::Done);
        word.to_exited();
        word.to_spawned();
        word.to_running();
        let second = word.generation();
        assert!(!permit.take(second));
        let wait = word.to_waiting();
        assert!(permit.offer(wait, second));
    }
}
