//! `Ring`: Go's local run queue, a ring of 256 slots and one slot beside it for the goroutine to run next.
//!
//! ```text
//!   run_next: AtomicPtr      null --push Next--> token --pop, or a thief in its last round--> null
//!                                                  \--push Next--> kicked to the ring's tail
//!
//!   slots:   . . . . [head] a b c d e [tail] . . . .          length = tail - head <= 256, both only ever grow
//!                       |                |
//!        owner and thieves take here     only the owner puts here
//!        by compare-and-swap             by a release store
//! ```
//!
//! | who | does | locked instructions |
//! | --- | --- | --- |
//! | owner | push Back, push_batch: fill slots, then publish `tail` | 0 |
//! | owner | push Next: store into an empty `run_next` | 0 |
//! | owner | push Next: swap into a filled one, kick the old one to the tail | 1 |
//! | owner | pop: `run_next` if it is set, else the slot at `head` | 1 |
//! | owner | overflow: the oldest half leaves by one compare-and-swap of `head` | 1 a half |
//! | thief | half of the victim, rounded up, by one compare-and-swap of `head` | 1 a steal |
//!
//! **Invariant.** The slots from `head` up to `tail` hold the queued tokens, each once; `run_next` holds one more or
//! null. Whoever moves `head` past a slot owns the token that the slot held when `head` was read.
//!
//! *Why a successful compare-and-swap owns what was read before it.* Slots are written by the owner alone. It reuses
//! the slot of position `p` for `p + 256` only after it has read (Acquire) a `head` beyond `p`. Suppose a thief's read
//! of slot `p` gave the newer token although its compare-and-swap from a `head <= p` succeeded. That success comes
//! before every later value of `head`, all of them compare-and-swaps and therefore one release sequence; so the
//! thief's read happens before the owner's overwriting store and cannot have seen it. `head` and `tail` are as wide
//! as a word, so no value comes back while a thief sleeps (Go's 32 bits come round after 4 billion takes).
//!
//! *Why `is_empty` reads `tail` twice.* A push Next moves the old token from `run_next` to the ring, and a pop right
//! after empties `run_next`: a thief that looked at the ring before the first and at `run_next` after the second would
//! miss a token that was there all along. The second look at `tail` sees the move, because the null in `run_next` was
//! released after it. One window remains, in Go as here: a push has swapped its token into `run_next` and holds the old
//! one, and a thief takes the new one in that instant. The push is not over then, and what follows it (fence, look at
//! the spinning count) is what the strong law rests on.
//!
//! *With one P* ([`OnlyP`]) there is no thief, so push Next and pop are plain loads and stores. They keep the orderings
//! that a thief relies on, because the world is stopped, but no queue emptied, when there come to be more Ps.
//!
//! Go: `runqput`, `runqputslow`, `runqputbatch`, `runqget`, `runqgrab`, `runqsteal`, `runqempty` (Go 1.27).

mod thief;

#[cfg(all(test, not(loom)))]
mod go_tests;
#[cfg(all(test, not(loom)))]
mod tests;

use crate::contract::{Link, List, OnlyP, Popped, Promise, QueueConfig, RunQueue, Slot, Spill, Token};
use crate::ground::sync::{Arc, AtomicPtr, AtomicUsize};
use crate::queue::ahead;
use crate::queue::run_next::RunNext;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crossbeam_utils::CachePadded;

/// How many tokens the ring holds besides the one in `run_next`. Go: `len(p.runq)`. A power of two; four under loom,
/// so that a model reaches the overflow.
const CAPACITY: usize = if cfg!(loom) { 4 } else { 256 };

/// A pop asks for the memory of the token that comes so many later. More than one, since a goroutine that does nothing is
/// over before memory answers.
const AHEAD: usize = 4;

/// A handle for stealing from a [`Ring`].
pub struct RingThief<T: Token> {
    words: Arc<Words>,
    tokens: PhantomData<fn() -> T>,
}

impl<T: Token> RingThief<T> {
    fn new(words: Arc<Words>) -> Self {
        Self { words, tokens: PhantomData }
    }
}

/// What both halves share.
#[derive(Debug)]
struct Words {
    /// Where tokens leave. On a cache line of its own: thieves write it.
    head: CachePadded<AtomicUsize>,
    /// What the owner writes and thieves mostly read.
    own: CachePadded<OwnWords>,
    slots: [AtomicPtr<Link>; CAPACITY],
}

#[derive(Debug)]
struct OwnWords {
    tail: AtomicUsize,
    run_next: RunNext,
}

impl Words {
    fn new(start: usize) -> Self {
        Self {
            head: CachePadded::new(AtomicUsize::new(start)),
            own: CachePadded::new(OwnWords { tail: AtomicUsize::new(start), run_next: RunNext::new() }),
            slots: core::array::from_fn(|_| AtomicPtr::new(null_mut())),
        }
    }

    #[inline(always)]
    fn slot(&self, position: usize) -> &AtomicPtr<Link> {
        &self.slots[position % CAPACITY]
    }

    /// The token at `position`. Slots are Relaxed throughout: `tail` publishes them, `head` gives them back.
    #[inline(always)]
    fn load_slot(&self, position: usize) -> *mut Link {
        self.slot(position).load(Relaxed)
    }
}

/// The owner's half: the local run queue of a P.
#[doc(alias = "runq")]
#[doc(alias = "runnext")]
#[derive(Debug)]
pub struct Ring<T: Token> {
    words: Arc<Words>,
    /// The address of a victim's `run_next` for which this P's M is backing off, or 0; see [`RingThief`].
    awaited: usize,
    owns: PhantomData<T>,
}

impl<T: Token> Ring<T> {
    /// A ring whose positions begin at `start`.
    fn starting_at(start: usize) -> (Self, RingThief<T>) {
        let words = Arc::new(Words::new(start));
        let thief = RingThief::new(Arc::clone(&words));
        (Self { words, awaited: 0, owns: PhantomData }, thief)
    }

    /// Where the next token goes, and for how many there is room. Owner only.
    #[inline(always)]
    fn tail_and_room(&self) -> (usize, usize) {
        // ORDER: ring-head. Pairs with each compare-and-swap of `head`: what was read from a slot there was read
        // before we fill that slot again.
        let head = self.words.head.load(Acquire);
        // Relaxed: the owner alone writes `tail`.
        let tail = self.words.own.tail.load(Relaxed);
        (tail, CAPACITY - tail.wrapping_sub(head))
    }

    /// Publishes the slots that were filled up to `tail`.
    #[inline(always)]
    fn publish(&self, tail: usize) {
        // ORDER: ring-tail. Pairs with the load of `tail` in `RingThief::grab`: whoever sees the new tail sees the
        // slots and what the tokens point to.
        self.words.own.tail.store(tail, Release);
    }

    /// Puts a token at the ring's tail. No locked instruction unless the ring is full.
    #[inline]
    fn push_back(&mut self, mut raw: NonNull<Link>, spill: &mut dyn Spill<T>) {
        loop {
            let (tail, room) = self.tail_and_room();
            if room > 0 {
                self.words.slot(tail).store(raw.as_ptr(), Relaxed);
                self.publish(tail.wrapping_add(1));
                return;
            }
            match self.overflow(tail, raw, spill) {
                Ok(()) => return,
                Err(again) => raw = again,
            }
        }
    }

    /// Moves the oldest half of a full ring and the token being put to `spill`, as one batch in this order. Gives the
    /// token back if a thief came first, since there is room then.
    ///
    /// Go: `runqputslow` (Go 1.27): 128 + 1 tokens, so 128 pushes pay for one trip to the shared queue.
    #[doc(alias = "runqputslow")]
    #[cold]
    #[inline(never)]
    fn overflow(
        &mut self,
        tail: usize,
        raw: NonNull<Link>,
        spill: &mut dyn Spill<T>,
    ) -> Result<(), NonNull<Link>> {
        let head = tail.wrapping_sub(CAPACITY);
        // ORDER: ring-head. Pairs with the load of `head` in `RingThief::is_empty`: whoever sees the head that we move sees
        // the tail that we know, and does not take an older tail, equal by chance, for an empty ring.
        let taken = self.words.head.compare_exchange(head, head.wrapping_add(CAPACITY / 2), Release, Relaxed);
        if taken.is_err() {
            return Err(raw);
        }
        let mut batch = List::new();
        for position in (0..CAPACITY / 2).map(|offset| head.wrapping_add(offset)) {
            // Reading after the swap is the owner's privilege: nobody else fills slots.
            batch.push_back(Self::token(self.words.load_slot(position)));
        }
        // SAFETY: `raw` came from `into_raw` in `push` and was published nowhere since.
        batch.push_back(unsafe { T::from_raw(raw) });
        spill.spill(batch);
        Ok(())
    }

    /// Asks for what one of the next tokens points to, as the token at `head` is taken: after a burst of spawns, or a
    /// steal, it is in no cache of ours. Nothing beyond `tail` is asked for, since another P may be at work on it.
    #[inline(always)]
    fn ask_ahead(&self, head: usize, tail: usize) {
        if tail.wrapping_sub(head) > AHEAD {
            ahead::ask_for(self.words.load_slot(head.wrapping_add(AHEAD)));
        }
    }

    /// The token that has just been taken out of a slot or out of `run_next`.
    #[inline(always)]
    fn token(raw: *mut Link) -> T {
        // SAFETY: a slot between head and tail, and a `run_next` that is taken, hold what `into_raw` gave.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: T1: taking it out was a successful compare-and-swap, which by the invariant succeeds for one only.
        unsafe { T::from_raw(raw) }
    }

    /// Takes what `pop` would take, where there is no thief: by loads and stores alone.
    #[inline]
    fn pop_unshared(&mut self) -> Option<Popped<T>> {
        let own = &self.words.own;
        if let Some(next) = own.run_next.pop_unshared() {
            return Some(Popped { token: Self::token(next.as_ptr()), inherits: true });
        }
        let (head, tail) = (self.words.head.load(Relaxed), own.tail.load(Relaxed));
        if head == tail {
            return None;
        }
        self.ask_ahead(head, tail);
        let raw = self.words.load_slot(head);
        // ORDER: ring-head. As in `pop_front`.
        self.words.head.store(head.wrapping_add(1), Release);
        Some(Popped { token: Self::token(raw), inherits: false })
    }

    /// Takes the oldest token of the ring.
    #[inline]
    fn pop_front(&mut self) -> Option<T> {
        let tail = self.words.own.tail.load(Relaxed);
        // Relaxed: the slots are the owner's own stores, and a stale head makes the swap below fail.
        let mut head = self.words.head.load(Relaxed);
        while head != tail {
            self.ask_ahead(head, tail);
            let raw = self.words.load_slot(head);
            // ORDER: ring-head. Pairs with the load in `RingThief::is_empty`, for the reason given in `overflow`.
            match self.words.head.compare_exchange(head, head.wrapping_add(1), Release, Relaxed) {
                Ok(_) => return Some(Self::token(raw)),
                Err(newer) => head = newer,
            }
        }
        None
    }
}

impl<T: Token> RunQueue<T> for Ring<T> {
    type Thief = RingThief<T>;

    /// The slots, and `run_next`.
    const CAPACITY: Option<usize> = Some(CAPACITY + 1);
    const PROMISE: Promise = Promise::GO;

    fn new(_config: &QueueConfig) -> (Self, RingThief<T>) {
        Self::starting_at(0)
    }

    #[inline]
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        if let Some(raw) = self.words.own.run_next.admit(token.into_raw(), slot) {
            self.push_back(raw, spill);
        }
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        let (start, room) = self.tail_and_room();
        let mut tail = start;
        for token in batch.take(room) {
            self.words.slot(tail).store(token.into_raw().as_ptr(), Relaxed);
            tail = tail.wrapping_add(1);
        }
        if tail != start {
            self.publish(tail);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Popped<T>> {
        if let Some(next) = self.words.own.run_next.pop() {
            return Some(Popped { token: Self::token(next.as_ptr()), inherits: true });
        }
        self.pop_front().map(|token| Popped { token, inherits: false })
    }

    #[inline]
    unsafe fn push_only_p(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>, _only_p: OnlyP<'_>) {
        if let Some(raw) = self.words.own.run_next.admit_unshared(token.into_raw(), slot) {
            self.push_back(raw, spill);
        }
    }

    #[inline]
    unsafe fn pop_only_p(&mut self, _only_p: OnlyP<'_>) -> Option<Popped<T>> {
        self.pop_unshared()
    }

    /// The owner need not look twice: nothing moves inside its queue but by its own hand.
    #[inline]
    fn is_empty(&self) -> bool {
        self.words.own.run_next.is_empty_to_owner()
            && self.words.head.load(Relaxed) == self.words.own.tail.load(Relaxed)
    }
}

impl<T: Token> Drop for Ring<T> {
    /// Hands back what is still queued, so that each token's own `drop` can speak up.
    fn drop(&mut self) {
        while let Some(popped) = self.pop() {
            drop(popped.token);
        }
    }
}
