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
//! wait, which is named by its serial number, so a goroutine that timed out and went on to wait for something else is not
//! woken by it.
//!
//! **Whose permit it is.** A goroutine that first parks, or gives an `Unparker` away, *owns up*: it notes the present
//! serial number of its record as its own, and no other goroutine ever has that one (`word.rs`). Every value of the word
//! carries a serial number: Empty and Notified the owner's, Parked the wait's, which is higher. A value with another's
//! number means Empty. So a spawn need not touch the word, and an `Unparker` of an ended goroutine changes nothing, however
//! long it is kept.
//!
//! Go has no counterpart (`notetwakeup` of an M comes nearest); the rules are those of `std::thread::park`.

use super::word::{Serial, TAG, Wait};
use crate::ground::sync::AtomicU64;
use core::sync::atomic::Ordering;

const EMPTY: u64 = 0;
const NOTIFIED: u64 = 1;
const PARKED: u64 = 2;

/// The word, and the serial number of the goroutine that owned up last.
#[derive(Debug)]
pub(crate) struct Permit {
    word: AtomicU64,
    owner: AtomicU64,
}

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
    /// The word of a record without a goroutine.
    pub(crate) fn new() -> Self {
        Self { word: AtomicU64::new(EMPTY), owner: AtomicU64::new(0) }
    }

    /// The calling goroutine, which has not done so before, takes `serial` as its own number.
    pub(crate) fn own_up(&self, serial: Serial) {
        // Relaxed: before anybody else can have an `Unparker` of ours the number travels with that. Unparkers of an earlier
        // goroutine see it by the release of `offer`.
        self.owner.store(serial.tagged(0), Ordering::Relaxed);
    }

    /// The number of the goroutine that owned up last.
    #[inline]
    pub(crate) fn owner(&self) -> Serial {
        Serial::untagged(self.owner.load(Ordering::Relaxed))
    }

    /// Takes the permit if it is there. By the goroutine itself, which is `owner`.
    #[must_use]
    #[inline]
    pub(crate) fn take(&self, owner: Serial) -> bool {
        let notified = owner.tagged(NOTIFIED);
        // ORDER: permit. Acquire pairs with the release of `unpark`: what the unparker wrote is seen.
        self.word.load(Ordering::Relaxed) == notified
            && self
                .word
                .compare_exchange(notified, owner.tagged(EMPTY), Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Offers the wait to unparkers. `false`: there is a permit already (it is taken). By the park's commit.
    #[inline]
    #[must_use]
    pub(crate) fn offer(&self, wait: Wait, owner: Serial) -> bool {
        let offered = wait.serial().tagged(PARKED);
        let mut word = self.word.load(Ordering::Relaxed);
        while word != owner.tagged(NOTIFIED) {
            // ORDER: offer. Release pairs with the acquire of `unpark`: the wait is fully there.
            match self.word.compare_exchange_weak(word, offered, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return true,
                // A permit has come, or an `Unparker` of an earlier goroutine was late: only the first counts.
                Err(now) => word = now,
            }
        }
        // ORDER: permit. Acquire pairs with the release of `unpark`.
        self.word.swap(owner.tagged(EMPTY), Ordering::Acquire);
        false
    }

    /// Takes an offer back after a time-out. `false`: an unparker had it already, so the permit is used up.
    #[must_use]
    pub(crate) fn withdraw(&self, owner: Serial) -> bool {
        // ORDER: permit. Acquire pairs with the release of `unpark`.
        self.word.swap(owner.tagged(EMPTY), Ordering::Acquire) & TAG == PARKED
    }

    /// Leaves a permit, or takes the offered wait, on behalf of an `Unparker` of `owner`.
    ///
    /// The word is read before the owner's number, each time: if a later goroutine has begun to use the word by the time
    /// of the compare-and-swap, then either that fails, or we had read the later value, and the number says so.
    pub(crate) fn unpark(&self, owner: Serial) -> Unpark {
        // ORDER: permit-owner. Acquire pairs with the release of `offer` by a later goroutine: having seen its
        // value, we see that the record is not ours any more.
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if self.owner() != owner {
                return Unpark::Done;
            }
            let serial = Serial::untagged(word);
            let (next, then) = match word & TAG {
                // An earlier goroutine's has a lower number than its owner; it was left behind by a closed runtime.
                PARKED if serial > owner => (owner.tagged(EMPTY), Unpark::Ready(Wait::numbered(serial))),
                // A permit that is there already is still written again: its release hands over what we wrote.
                _ => (owner.tagged(NOTIFIED), Unpark::Done),
            };
            // ORDER: permit. Release pairs with `take` and `offer`; acquire with `offer`.
            match self.word.compare_exchange_weak(word, next, Ordering::AcqRel, Ordering::Acquire) {
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

    fn running() -> (GWord, Permit, Serial) {
        let (word, permit) = (GWord::new(), Permit::new());
        let owner = next_runs(&word, &permit);
        (word, permit, owner)
    }

    /// The record's next goroutine runs, and owns up.
    fn next_runs(word: &GWord, permit: &Permit) -> Serial {
        word.to_spawned();
        word.to_running();
        permit.own_up(word.serial());
        permit.owner()
    }

    #[test]
    fn one_permit_is_kept() {
        let (_, permit, owner) = running();
        assert!(!permit.take(owner));
        assert_eq!(permit.unpark(owner), Unpark::Done);
        assert_eq!(permit.unpark(owner), Unpark::Done);
        assert!(permit.take(owner));
        assert!(!permit.take(owner));
    }

    #[test]
    fn an_unpark_takes_the_offered_wait() {
        let (word, permit, owner) = running();
        let wait = word.to_waiting();
        assert!(permit.offer(wait, owner));
        assert_eq!(permit.unpark(owner), Unpark::Ready(wait));
        assert!(word.to_ready(wait));
        assert!(!permit.take(owner));
    }

    #[test]
    fn a_permit_that_came_first_calls_the_park_off() {
        let (word, permit, owner) = running();
        assert_eq!(permit.unpark(owner), Unpark::Done);
        let wait = word.to_waiting();
        assert!(!permit.offer(wait, owner));
        assert!(!permit.take(owner), "the park took it");
    }

    #[test]
    fn a_withdrawn_offer_is_not_readied() {
        let (word, permit, owner) = running();
        let wait = word.to_waiting();
        assert!(permit.offer(wait, owner));
        assert!(permit.withdraw(owner));
        assert_eq!(permit.unpark(owner), Unpark::Done);
        assert!(permit.take(owner));
    }

    /// An `Unparker` that is kept while its record is used again, and again: it once worked after 2^28 goroutines.
    #[test]
    fn an_old_unparker_never_works_again() {
        for bits in 0..60 {
            let (word, permit, first) = running();
            word.to_exited();
            word.skip((1 << bits) - 1);
            let later = next_runs(&word, &permit);
            assert_eq!(permit.unpark(first), Unpark::Done);
            assert!(!permit.take(later), "after 2^{bits} uses");
            let wait = word.to_waiting();
            assert!(permit.offer(wait, later));
            assert_eq!(permit.unpark(first), Unpark::Done, "after 2^{bits} uses");
            assert_eq!(permit.unpark(later), Unpark::Ready(wait));
        }
    }

    /// One that lives long and parks often keeps its number: an `Unparker` of it works for ever.
    #[test]
    fn an_unparker_works_after_any_number_of_parks() {
        for bits in 0..60 {
            let (word, permit, owner) = running();
            word.skip((1 << bits) - 1);
            let wait = word.to_waiting();
            assert!(permit.offer(wait, owner));
            assert_eq!(permit.unpark(owner), Unpark::Ready(wait), "after 2^{bits} parks");
        }
    }

    /// A goroutine that its runtime abandoned leaves its offer behind; the next one in the record has not parked yet.
    #[test]
    fn an_offer_left_behind_is_nobodys() {
        let (word, permit, first) = running();
        let left = word.to_waiting();
        assert!(permit.offer(left, first));
        assert!(word.to_abandoned(left));
        let second = next_runs(&word, &permit);
        assert_eq!(permit.unpark(second), Unpark::Done);
        assert!(permit.take(second), "the second one's permit was left for it");
    }

    /// The number must be asked for after the word is read: else a late unparker overwrites a later goroutine's offer,
    /// and that one sleeps for ever.
    #[test]
    fn a_late_unparker_leaves_a_later_offer_alone() {
        let (word, permit, first) = running();
        word.to_exited();
        let second = next_runs(&word, &permit);
        let wait = word.to_waiting();
        assert!(permit.offer(wait, second));
        assert_eq!(permit.unpark(first), Unpark::Done);
        assert_eq!(permit.unpark(second), Unpark::Ready(wait));
    }

    /// A permit that an earlier goroutine's unparker left too late is nobody's.
    #[test]
    fn an_earlier_permit_does_not_end_a_park() {
        let (word, permit, first) = running();
        word.to_exited();
        assert_eq!(permit.unpark(first), Unpark::Done);
        let second = next_runs(&word, &permit);
        assert!(!permit.take(second));
        let wait = word.to_waiting();
        assert!(permit.offer(wait, second));
    }
}
