//! `RunNext`: the place for the one goroutine to run next, in front of a queue.
//!
//! ```text
//!   null --push--> token --pop, or a thief in its last round--> null
//!                        \--push--> the new token; the old one is kicked, to the queue's tail
//! ```
//!
//! Invariant: only the owner sets it, so it stays null until the owner fills it; whoever replaces a token by a
//! compare-and-swap or a swap owns that token.
//!
//! Go: `p.runnext` (Go 1.27).

use crate::contract::{Link, Slot, Steal, StealRound};
use crate::ground::sync::AtomicPtr;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::time::Duration;

/// How long a thief leaves a running victim alone with the goroutine that it has just readied. Go: `usleep(3)` in
/// `runqgrab` (Go 1.27): a victim that is about to block will run it itself, with a warm cache; shorter and thieves
/// tear ping-pong pairs apart, longer and a CPU idles.
const BACK_OFF: Duration = Duration::from_micros(3);

/// A token's address, or null.
#[derive(Debug)]
pub(super) struct RunNext(AtomicPtr<Link>);

impl RunNext {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(null_mut()))
    }

    /// What of a push to `slot` goes to the queue's tail: a token that is not for this place, or the one that it kicks.
    /// Owner only.
    #[inline(always)]
    pub(super) fn admit(&self, raw: NonNull<Link>, slot: Slot) -> Option<NonNull<Link>> {
        match slot {
            Slot::Next => self.push(raw),
            Slot::Back => Some(raw),
        }
    }

    /// [`RunNext::admit`] where there is no thief.
    #[inline(always)]
    pub(super) fn admit_unshared(&self, raw: NonNull<Link>, slot: Slot) -> Option<NonNull<Link>> {
        match slot {
            Slot::Next => self.push_unshared(raw),
            Slot::Back => Some(raw),
        }
    }

    /// Puts a token in: the one that it kicks.
    #[inline(always)]
    fn push(&self, raw: NonNull<Link>) -> Option<NonNull<Link>> {
        if self.0.load(Relaxed).is_null() {
            // Thieves only empty it, so it stays empty until we fill it, without a locked instruction.
            // ORDER: run-next. As below.
            self.0.store(raw.as_ptr(), Release);
            return None;
        }
        // ORDER: run-next. Release pairs with the thief's compare-and-swap, which takes the token over. No Acquire: what
        // comes out is the owner's own.
        NonNull::new(self.0.swap(raw.as_ptr(), Release))
    }

    /// [`RunNext::push`] where there is no thief.
    #[inline(always)]
    fn push_unshared(&self, raw: NonNull<Link>) -> Option<NonNull<Link>> {
        let old = self.0.load(Relaxed);
        // ORDER: run-next. As in `push`: a thief may come when there are more Ps.
        self.0.store(raw.as_ptr(), Release);
        NonNull::new(old)
    }

    /// Takes the token, if there is one. A lost race is not tried again: a thief has it. Owner only.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<NonNull<Link>> {
        // Relaxed: only the owner sets it, a thief can only clear it.
        let next = NonNull::new(self.0.load(Relaxed))?;
        // ORDER: run-next. Pairs with the load in `is_empty`: whoever sees the null sees the tail that a kicked token has
        // moved.
        self.0.compare_exchange(next.as_ptr(), null_mut(), Release, Relaxed).ok()?;
        Some(next)
    }

    /// [`RunNext::pop`] where there is no thief.
    #[inline(always)]
    pub(super) fn pop_unshared(&self) -> Option<NonNull<Link>> {
        let next = NonNull::new(self.0.load(Relaxed))?;
        // ORDER: run-next. As in `pop`.
        self.0.store(null_mut(), Release);
        Some(next)
    }

    /// Whether there is no token. Whoever sees this also sees the tail that the last kick has moved.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        // ORDER: run-next. Pairs with the owner's compare-and-swap in `pop`, and with its swap through the release
        // sequence when a thief took it: a null tells of every kick before it.
        self.0.load(Acquire).is_null()
    }

    /// Whether there is no token, as the owner sees it.
    #[inline(always)]
    pub(super) fn is_empty_to_owner(&self) -> bool {
        self.0.load(Relaxed).is_null()
    }

    /// Takes the token that the victim is to run next, if it may; `None` if somebody else took it meanwhile.
    ///
    /// The back-off is for one certain goroutine: if another one is to run next by the time it is over, that one
    /// deserves a back-off of its own, so the look ends with `Retry`. (Go's compare-and-swap with the old value fails
    /// then, and it starts over.) `awaited` is the thief's memory of it, 0 for none.
    #[cold]
    pub(super) fn steal(
        &self,
        round: StealRound,
        before: usize,
        awaited: &mut usize,
    ) -> Option<Steal<NonNull<Link>>> {
        // Relaxed: the compare-and-swap below is what takes it over.
        let Some(next) = NonNull::new(self.0.load(Relaxed)) else { return Some(Steal::Empty) };
        if round.victim_runs && !round.backed_off {
            *awaited = next.addr().get();
            return Some(Steal::BackOff(BACK_OFF));
        }
        if round.victim_runs && before != 0 && before != next.addr().get() {
            return Some(Steal::Retry);
        }
        // ORDER: run-next. Pairs with the swap in `push`: what the token points to comes with it.
        self.0.compare_exchange(next.as_ptr(), null_mut(), Acquire, Relaxed).ok()?;
        Some(Steal::Taken(next))
    }
}
