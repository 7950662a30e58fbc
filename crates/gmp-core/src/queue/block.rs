//! `Blocks`: a run queue of blocks, whose owner pops without a locked instruction.
//!
//! ```text
//!   run_next: beside the blocks, as in the `Ring`
//!
//!   number   k            k+1            k+2            k+3
//!          [....abcd]   [efghijkl]     [mnopqrst]     [uv......]        8 blocks of 32 slots, used round and round
//!           kept          open           open           kept
//!           |             |                             |
//!           owner pops    thieves take halves,          owner pushes
//!           here          or all but the last block     here
//! ```
//!
//! | who | does | locked instructions |
//! | --- | --- | --- |
//! | owner | push: fill a slot, publish `tail` | 0 |
//! | owner | pop: announce `head`, look whether the block is still kept | 0 |
//! | owner | push into the next block: enter it; open the one before it for thieves, if the owner pops elsewhere | 1 or 2 a block |
//! | owner | pop from the next block: claim it, if it is open | 1 a block |
//! | thief | up to a block, by one compare-and-swap of the block's word | 1 a steal |
//! | thief | in its last round, where nothing is open: revokes a kept block | 2, and a heavy fence |
//!
//! After Wang et al., "BWoS: Formally Verified Block-based Work Stealing for Parallel Processing" (OSDI 2023): owner and
//! thieves work in different blocks, so the owner's steps need no strong ordering, and synchronisation is paid once for
//! each block. There a block that the owner works in cannot be stolen from. A scheduler cannot have that: a goroutine
//! would wait behind one that runs for long, beside idle Ps. So thieves can *revoke* a kept block, which is rare and may
//! cost: they set the block's word, make the owner pass a fence ([`heavy_fence`](crate::ground::fence::heavy_fence)),
//! and read how far it got. From then on that block is open, and the owner too takes from it by compare-and-swap until
//! it is through; so each block is revoked twice at most (`word.rs`).
//!
//! **Invariant.** A token at position `p` (block `p / 32`) is inside if `p < tail` and no one has taken it. From a kept
//! block only the owner takes, at `head`, which is exact. From an open block, whoever moves its place takes. Thieves
//! see `head` and `tail` only in their last round, so the owner's cache line stays with it.
//!
//! *Why revoking is safe.* The owner announces `head = p + 1`, passes a fence, and looks at the word: kept, so `p` is its
//! own. A thief writes "revoked", passes a fence, and reads `head`. One of the two sees the other (Dekker). If both do,
//! the block is opened by one of them, by a compare-and-swap, from the place `base`: the thief's reading was `p + 1` or
//! `p`, and the owner, who would open from `p + 1`, learns from `base` whether `p` was left to it. Nobody waits: a thief
//! that loses its CPU between revoking and opening leaves the opening to the owner or to another thief.
//!
//! *The fences.* With a heavy fence the owner's is the compiler's alone. Where there is none when the queue is made, both
//! sides pass a full one, and a pop then costs about what a `Ring`'s does.
//!
//! *Why slots may be filled again.* Thieves read slots before the compare-and-swap that takes them, and the owner enters a
//! block for the next time by a swap that comes after all those (`word.rs`).
//!
//! *`is_empty`* goes through the blocks and looks at `tail` before and after, for the reason that the `Ring` gives.
//!
//! Memory for each P: 2 KiB of slots, and 1.3 KiB of words, most of it padding that keeps them on cache lines of their own.

mod owner;
mod thief;
mod word;

#[cfg(all(test, not(loom)))]
mod tests;

use crate::contract::{
    BackPromise, Link, List, NextPromise, OnlyP, Popped, Promise, QueueConfig, RunQueue, Slot, Spill,
    StealPromise, Token,
};
use crate::ground::sync::{Arc, AtomicPtr, AtomicUsize, full_fence, light_fence};
use crate::queue::run_next::RunNext;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use crossbeam_utils::CachePadded;
use word::{BlockWord, LEN, Seen, State};

/// Blocks of a queue, so that as many tokens fit as into Go's ring.
const BLOCKS: usize = if cfg!(loom) { 2 } else { 8 };

/// How many tokens fit beside `run_next`, if the owner has passed no block in part. A power of two.
const CAPACITY: usize = LEN * BLOCKS;

// A position never comes back: at a token each nanosecond 2^64 of them take 580 years.
const _: () = assert!(usize::BITS == 64, "positions are compared, not subtracted");

/// A handle for stealing from [`Blocks`]. What it does stands in `queue/block/thief.rs`.
pub struct BlocksThief<T: Token> {
    words: Arc<Words>,
    tokens: PhantomData<fn() -> T>,
}

impl<T: Token> BlocksThief<T> {
    fn new(words: Arc<Words>) -> Self {
        Self { words, tokens: PhantomData }
    }
}

/// What both halves share.
#[derive(Debug)]
struct Words {
    /// What the owner writes with each operation.
    own: CachePadded<OwnWords>,
    /// What the owner writes once a block, and thieves read first.
    range: CachePadded<Range>,
    blocks: [CachePadded<BlockWord>; BLOCKS],
    slots: [AtomicPtr<Link>; CAPACITY],
    /// Whether thieves make the owner pass a fence, so that it needs none of its own.
    far: bool,
}

#[derive(Debug)]
struct OwnWords {
    /// In a kept block: the position of the next token to pop. Else anything below the owner's next kept block.
    head: AtomicUsize,
    /// The position of the next token to push.
    tail: AtomicUsize,
    run_next: RunNext,
}

/// Between which blocks, both included, thieves look.
#[derive(Debug)]
struct Range {
    /// Not above the block that the owner pops from.
    oldest: AtomicUsize,
    /// The block that the owner pushes into: all before it are full.
    newest: AtomicUsize,
}

impl Words {
    fn new() -> Self {
        let counter = || AtomicUsize::new(0);
        Self {
            own: CachePadded::new(OwnWords { head: counter(), tail: counter(), run_next: RunNext::new() }),
            range: CachePadded::new(Range { oldest: counter(), newest: counter() }),
            blocks: core::array::from_fn(|index| CachePadded::new(BlockWord::new(index))),
            slots: core::array::from_fn(|_| AtomicPtr::new(null_mut())),
            far: cfg!(loom) || crate::ground::fence::has_heavy_fence(),
        }
    }

    /// The word of the block with this number.
    #[inline(always)]
    fn block(&self, number: usize) -> &BlockWord {
        &self.blocks[number % BLOCKS]
    }

    /// The token at `position`. Slots are Relaxed throughout: `tail` and the blocks' words publish them.
    #[inline(always)]
    fn slot(&self, position: usize) -> &AtomicPtr<Link> {
        &self.slots[position % CAPACITY]
    }

    /// The owner's fence between an announced `head` and the look at the block's word.
    #[inline(always)]
    fn light_fence(&self) {
        if self.far { light_fence() } else { full_fence() }
    }

    /// The thief's fence between "revoked" and its look at `head`.
    fn heavy_fence(&self) {
        #[cfg(not(loom))]
        if self.far {
            return crate::ground::fence::heavy_fence();
        }
        full_fence();
    }

    /// How many tokens of block `number` are inside, as its word, `head` and `tail` tell.
    fn inside(&self, number: usize, tail: usize) -> usize {
        let (start, seen) = (number * LEN, self.block(number).look());
        let filled = tail.saturating_sub(start).min(LEN);
        match seen.state() {
            _ if !seen.is_of(number) => 0,
            State::Open => filled.saturating_sub(seen.place()),
            State::Kept | State::Revoked => {
                // ORDER: blocks-head. Pairs with the owner's announcements: the tail that is read next is not older than
                // the one that the owner knew.
                let head = self.own.head.load(Acquire);
                filled.saturating_sub(head.saturating_sub(start))
            }
        }
    }

    /// The blocks below `tail` that may hold something.
    fn numbers(&self, tail: usize) -> core::ops::Range<usize> {
        let end = tail.div_ceil(LEN);
        // Relaxed: too old a number costs looks at blocks that are used again, which say so.
        let oldest = self.range.oldest.load(Relaxed);
        oldest.max(end.saturating_sub(BLOCKS))..end
    }

    fn load_tail(&self) -> usize {
        // ORDER: blocks-tail. Pairs with `Blocks::publish`: the slots before it are filled.
        self.own.tail.load(Acquire)
    }

    fn len(&self) -> usize {
        let tail = self.load_tail();
        self.numbers(tail).map(|number| self.inside(number, tail)).sum::<usize>()
            + usize::from(!self.own.run_next.is_empty())
    }

    fn is_empty(&self) -> bool {
        let mut tail = self.load_tail();
        loop {
            if self.numbers(tail).any(|number| self.inside(number, tail) > 0) {
                return false;
            }
            if !self.own.run_next.is_empty() {
                return false;
            }
            // A null in `run_next` comes after the kicks before it, and an empty block after the pushes that its last
            // taker knew. If `tail` is still the same, all before it had gone when it was read.
            let newer = self.load_tail();
            if newer == tail {
                return true;
            }
            tail = newer;
        }
    }
}

/// The owner's half: a run queue of blocks.
#[derive(Debug)]
pub struct Blocks<T: Token> {
    words: Arc<Words>,
    /// The next token to pop, or of an open block one that is not behind it.
    head: usize,
    /// Where the next token goes.
    tail: usize,
    /// What the word of `head`'s block says while the owner keeps it.
    claim: Seen,
    /// The address of a victim's `run_next` for which this P's M is backing off, or 0; see [`RunNext::steal`].
    awaited: usize,
    owns: PhantomData<T>,
}

impl<T: Token> Blocks<T> {
    /// How many tokens surely fit.
    fn room(&mut self) -> usize {
        self.pass_what_thieves_emptied();
        (self.head / LEN + BLOCKS) * LEN - self.tail
    }

    /// Publishes the slots that were filled up to `tail`.
    #[inline(always)]
    fn publish(&mut self, tail: usize) {
        self.tail = tail;
        // ORDER: blocks-tail. Pairs with `Words::load_tail`: whoever sees the new tail sees the slots and what the tokens
        // point to.
        self.words.own.tail.store(tail, Release);
    }

    /// Puts a token at the tail. No locked instruction but at a block's end.
    #[inline(always)]
    fn push_back(&mut self, raw: NonNull<Link>, spill: &mut dyn Spill<T>) {
        if self.tail.is_multiple_of(LEN) && !self.enter_block() {
            return self.overflow(raw, spill);
        }
        self.words.slot(self.tail).store(raw.as_ptr(), Relaxed);
        self.publish(self.tail + 1);
    }

    /// There is no block free. The older half of what is inside and the token being put go to `spill`, as one batch, and at
    /// least as many as the first block still has. If thieves have left nothing meanwhile, there is room.
    ///
    /// Go: `runqputslow` (Go 1.27): 128 + 1 tokens, so 128 pushes pay for one trip to the shared queue.
    #[doc(alias = "runqputslow")]
    #[cold]
    #[inline(never)]
    fn overflow(&mut self, raw: NonNull<Link>, spill: &mut dyn Spill<T>) {
        let half = self.words.len() / 2;
        let mut batch = List::new();
        while batch.len() < half || self.tail / LEN - self.head / LEN == BLOCKS {
            let Some(oldest) = self.pop_front::<true>() else { break };
            batch.push_back(Self::token(oldest));
        }
        if batch.is_empty() {
            return self.push_back(raw, spill);
        }
        batch.push_back(Self::token(raw));
        spill.spill(batch);
    }

    /// The token that has just been taken.
    #[inline(always)]
    fn token(raw: NonNull<Link>) -> T {
        // SAFETY: T1: a slot below `tail`, `run_next`, and what `push` was given hold what `into_raw` gave; by the
        // invariant, whoever takes it out is alone in that.
        unsafe { T::from_raw(raw) }
    }
}

impl<T: Token> RunQueue<T> for Blocks<T> {
    type Thief = BlocksThief<T>;

    const CAPACITY: Option<usize> = Some(CAPACITY + 1);
    /// Thieves take from open blocks while older tokens are in the kept one.
    const PROMISE: Promise =
        Promise { next: NextPromise::Slot, back: BackPromise::Fifo, steals: StealPromise::Any };

    fn new(_config: &QueueConfig) -> (Self, BlocksThief<T>) {
        let words = Arc::new(Words::new());
        let thief = BlocksThief::new(Arc::clone(&words));
        let claim = words.block(0).look();
        (Self { words, head: 0, tail: 0, claim, awaited: 0, owns: PhantomData }, thief)
    }

    #[inline]
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        if let Some(raw) = self.words.own.run_next.admit(token.into_raw(), slot) {
            self.push_back(raw, spill);
        }
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        while !batch.is_empty() {
            if self.tail.is_multiple_of(LEN) && !self.enter_block() {
                return;
            }
            let mut tail = self.tail;
            for token in batch.take(LEN - tail % LEN) {
                self.words.slot(tail).store(token.into_raw().as_ptr(), Relaxed);
                tail += 1;
            }
            self.publish(tail);
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Popped<T>> {
        if let Some(next) = self.words.own.run_next.pop() {
            return Some(Popped { token: Self::token(next), inherits: true });
        }
        self.pop_front::<true>().map(|raw| Popped { token: Self::token(raw), inherits: false })
    }

    #[inline]
    unsafe fn push_only_p(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>, _only_p: OnlyP<'_>) {
        if let Some(raw) = self.words.own.run_next.admit_unshared(token.into_raw(), slot) {
            self.push_back(raw, spill);
        }
    }

    #[inline]
    unsafe fn pop_only_p(&mut self, _only_p: OnlyP<'_>) -> Option<Popped<T>> {
        if let Some(next) = self.words.own.run_next.pop_unshared() {
            return Some(Popped { token: Self::token(next), inherits: true });
        }
        self.pop_front::<false>().map(|raw| Popped { token: Self::token(raw), inherits: false })
    }

    fn is_empty(&self) -> bool {
        self.words.own.run_next.is_empty_to_owner() && (self.head == self.tail || self.words.is_empty())
    }
}

impl<T: Token> Drop for Blocks<T> {
    /// Hands back what is still queued, so that each token's own `drop` can speak up.
    fn drop(&mut self) {
        while let Some(popped) = self.pop() {
            drop(popped.token);
        }
    }
}
