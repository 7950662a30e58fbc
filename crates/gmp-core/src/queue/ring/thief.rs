//! `RingThief`: the thieves' half of the ring.

use super::{CAPACITY, Ring, RingThief, Words};
use crate::contract::{Steal, StealRound, Thief, Token};
use crate::ground::sync::{Arc, spin_loop};
use core::fmt;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// What one look at a victim's ring came to.
enum Grab<T> {
    Empty,
    Lost,
    Taken(T),
}

impl<T: Token> RingThief<T> {
    /// Takes half of the victim's ring, rounded up: the last one to run, those before it into `into`.
    ///
    /// Go: `runqgrab`, `runqsteal` (Go 1.27).
    #[inline]
    fn grab(&self, into: &mut Ring<T>) -> Grab<T> {
        let victim = &*self.words;
        // ORDER: ring-head. Pairs with the other takers' compare-and-swaps: they had seen a tail beyond it, so the one
        // that we read next is not older.
        let head = victim.head.load(Acquire);
        // ORDER: ring-tail. Pairs with `Ring::publish`: the slots before `tail` are filled.
        let tail = victim.own.tail.load(Acquire);
        let queued = tail.wrapping_sub(head);
        if queued == 0 {
            return Grab::Empty;
        }
        let half = queued - queued / 2;
        if half > CAPACITY / 2 {
            // More than ever fits: others took and the owner put between the two loads, so the swap would fail.
            return Grab::Lost;
        }
        let (own_tail, room) = into.tail_and_room();
        // The caller's queue is empty, says the contract; if it is not, take what fits.
        let others = (half - 1).min(room);
        for offset in 0..others {
            let raw = victim.load_slot(head.wrapping_add(offset));
            into.words.slot(own_tail.wrapping_add(offset)).store(raw, Relaxed);
        }
        let last = victim.load_slot(head.wrapping_add(others));
        // ORDER: ring-head. Release, for the owner's `tail_and_room`: the reads above are done before it sees the slots
        // free; and for `is_empty`: whoever sees this head sees the tail that we have seen.
        let taken = victim.head.compare_exchange(head, head.wrapping_add(others + 1), Release, Relaxed);
        if taken.is_err() {
            return Grab::Lost;
        }
        if others > 0 {
            into.publish(own_tail.wrapping_add(others));
        }
        Grab::Taken(Ring::token(last))
    }
}

impl<T: Token> Thief<T> for RingThief<T> {
    type Queue = Ring<T>;

    fn steal_into(&self, into: &mut Ring<T>, round: StealRound) -> Steal<T> {
        if core::ptr::eq(&*self.words, &*into.words) {
            return Steal::Empty;
        }
        let awaited = core::mem::take(&mut into.awaited);
        loop {
            match self.grab(into) {
                Grab::Taken(token) => return Steal::Taken(token),
                Grab::Empty if !round.last => return Steal::Empty,
                Grab::Empty => {
                    if let Some(outcome) = self.words.own.run_next.steal(round, awaited, &mut into.awaited) {
                        return outcome.map(|next| Ring::token(next.as_ptr()));
                    }
                }
                Grab::Lost => {}
            }
            spin_loop();
        }
    }

    fn is_empty(&self) -> bool {
        let Words { head, own, .. } = &*self.words;
        loop {
            // ORDER: ring-head. Pairs with whoever moved `head`: the tail that we read next is not older than the one it
            // knew, so if they are equal the ring was empty when `tail` was read. That is Relaxed: no slot is read.
            let from = head.load(Acquire);
            let to = own.tail.load(Relaxed);
            if from != to {
                return false;
            }
            if !own.run_next.is_empty() {
                return false;
            }
            // Relaxed: the load before has ordered this one behind the kick.
            if own.tail.load(Relaxed) == to {
                return true;
            }
            spin_loop();
        }
    }

    fn len(&self) -> usize {
        let Words { head, own, .. } = &*self.words;
        // ORDER: ring-head, as in `is_empty`.
        let from = head.load(Acquire);
        let queued = own.tail.load(Relaxed).wrapping_sub(from);
        let next = usize::from(!own.run_next.is_empty());
        // Others may take and put between the two loads; more than fits there never is.
        queued.min(CAPACITY) + next
    }
}

impl<T: Token> Clone for RingThief<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.words))
    }
}

impl<T: Token> fmt::Debug for RingThief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RingThief").field("len", &self.len()).finish()
    }
}
