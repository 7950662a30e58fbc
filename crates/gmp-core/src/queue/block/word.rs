//! The word of a block: who may take from it, and from which place on.
//!
//! ```text
//!            enter             revoke               open
//!   passed ────────► Kept(0) ────────► Revoked(0) ────────► Open(0) ──┐
//!                       │                                   ▲   │     │ take: its place grows
//!                       └─────────────── grant ─────────────┘   │     │
//!                                                     claim     │ ◄───┘
//!                    Kept(1) ◄──────────────────────────────────┘
//!                       │      revoke               open
//!                       └─────────────► Revoked(1) ────────► Open(1), for good; take
//! ```
//!
//! *Kept*: the owner's alone. *Revoked*: a thief has revoked it, and the owner may not know yet. *Open*: whoever moves
//! the place by a compare-and-swap has the tokens before the new place. `base` is the place from which it was opened.
//!
//! Invariant: a value never comes back. The number of the block only grows as the block is used again, the turn grows
//! within a number, the states within a turn go one way, and the place of an open block grows. So a compare-and-swap
//! that succeeds knows that nothing happened since its value was read.

use crate::ground::sync::AtomicU64;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// Slots of a block. Longer ones share the locked instructions among more tokens and give thieves more at once; shorter
/// ones keep fewer tokens from the thieves' first rounds. 32 pointers are four cache lines. Two under loom.
pub(super) const LEN: usize = if cfg!(loom) { 2 } else { 32 };

/// What a word says. Bits: place 0..6, base 6..12, state 12..14, turn 14, number 15..64 (the low 49 bits of it, which
/// come back after 2^54 tokens: years of nothing but pushes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen(u64);

const PLACE: u64 = 0x3f;
const BASE: u32 = 6;
const STATE: u32 = 12;
const TURN: u64 = 1 << 14;
const NUMBER: u32 = 15;
const KEPT: u64 = 0;
const REVOKED: u64 = 1;
const OPEN: u64 = 2;

const _: () = assert!(LEN <= PLACE as usize, "a place fits its bits, the one past the end too");

/// Who may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The owner.
    Kept,
    /// The owner, until it or a thief opens the block.
    Revoked,
    /// Anybody.
    Open,
}

impl Seen {
    /// The word of no block: its number is never reached.
    pub(super) const NONE: Seen = Seen(u64::MAX);

    fn new(number: usize, turn: u64, state: u64, base: usize, place: usize) -> Self {
        Self((number as u64) << NUMBER | turn | state << STATE | (base as u64) << BASE | place as u64)
    }

    fn same_turn(self, state: u64, base: usize, place: usize) -> Self {
        Self(self.0 >> NUMBER << NUMBER | Self::new(0, self.0 & TURN, state, base, place).0)
    }

    /// Whether this is the block with that number, counted from the queue's first.
    pub(super) fn is_of(self, number: usize) -> bool {
        self.0 >> NUMBER == (number as u64) << NUMBER >> NUMBER
    }

    pub(super) fn state(self) -> State {
        match self.0 >> STATE & 3 {
            KEPT => State::Kept,
            REVOKED => State::Revoked,
            _ => State::Open,
        }
    }

    /// Whether it is this block, and open.
    pub(super) fn is_open(self, number: usize) -> bool {
        self.is_of(number) && self.state() == State::Open
    }

    /// Of an open block: the place of its next token.
    pub(super) fn place(self) -> usize {
        (self.0 & PLACE) as usize
    }

    /// Of an open block: the place that it was opened with, before which the owner took all.
    pub(super) fn base(self) -> usize {
        (self.0 >> BASE & PLACE) as usize
    }

    /// Whether the owner may claim it: nobody but thieves has taken from it. Once only, so that a block that was
    /// revoked while the owner kept it stays open, and is not revoked again and again.
    pub(super) fn is_claimable(self) -> bool {
        self.0 & TURN == 0 && self.base() == 0
    }
}

/// The word itself.
#[derive(Debug)]
pub(super) struct BlockWord(AtomicU64);

impl BlockWord {
    /// The first word of the block at this index. Only block 0 is in use, and kept.
    pub(super) fn new(index: usize) -> Self {
        let first = if index == 0 { Seen::new(0, 0, KEPT, 0, 0) } else { Seen::NONE };
        Self(AtomicU64::new(first.0))
    }

    /// What the word says, for a caller that acts on it.
    #[inline(always)]
    pub(super) fn look(&self) -> Seen {
        // ORDER: block. Pairs with all transitions: what the block's tokens and the owner's words were then.
        Seen(self.0.load(Acquire))
    }

    /// Whether it says just this. For the owner, behind a fence: a block that is still kept hands nothing over.
    #[inline(always)]
    pub(super) fn is(&self, seen: Seen) -> bool {
        self.0.load(Relaxed) == seen.0
    }

    /// The owner begins to fill the block with this number. It has passed the one before it: nothing is left there.
    ///
    /// A swap and no store, since it gives the whole argument for filling slots again: all that was done to the block
    /// since it was last entered are swaps and compare-and-swaps, one release sequence whose end is read here. So each
    /// thief's reads of slots happen before the owner's next stores.
    pub(super) fn enter(&self, number: usize) {
        // ORDER: block. Release pairs with `look`: whoever sees the new number sees the block before it granted.
        // Acquire pairs with `take` and `open`, as told.
        self.0.swap(Seen::new(number, 0, KEPT, 0, 0).0, AcqRel);
    }

    /// The owner, elsewhere by now, opens a full block from its beginning.
    pub(super) fn grant(&self, number: usize) {
        // Relaxed: its own store, or a thief's step from there, which the swap then finds.
        let mut seen = Seen(self.0.load(Relaxed));
        while seen.is_of(number) && seen.state() != State::Open {
            match self.step(seen, seen.same_turn(OPEN, 0, 0)) {
                Ok(_) => return,
                Err(newer) => seen = newer,
            }
        }
    }

    /// The owner takes an open block back, with all that is left in it. It has announced its place before.
    pub(super) fn claim(&self, seen: Seen) -> Result<Seen, Seen> {
        let kept = Seen(seen.same_turn(KEPT, 0, 0).0 | TURN);
        // ORDER: block. Pairs with `look`: whoever sees it kept sees the place announced.
        self.0.compare_exchange(seen.0, kept.0, Release, Relaxed).map(|_| kept).map_err(Seen)
    }

    /// A thief revokes a kept block. A fence follows.
    pub(super) fn revoke(&self, seen: Seen) -> Result<Seen, Seen> {
        let revoked = seen.same_turn(REVOKED, 0, 0);
        self.0.compare_exchange(seen.0, revoked.0, Relaxed, Relaxed).map(|_| revoked).map_err(Seen)
    }

    /// Opens a revoked block. All before `base` is the owner's; what lies from there up to `place` is the caller's.
    pub(super) fn open(&self, seen: Seen, base: usize, place: usize) -> Result<Seen, Seen> {
        self.step(seen, seen.same_turn(OPEN, base, place))
    }

    /// Takes `count` tokens from an open block: they are the caller's.
    #[inline]
    pub(super) fn take(&self, seen: Seen, count: usize) -> Result<Seen, Seen> {
        self.step(seen, Seen(seen.0 + count as u64))
    }

    #[inline]
    fn step(&self, seen: Seen, next: Seen) -> Result<Seen, Seen> {
        // ORDER: block. Pairs with `enter`: a taker has read its slots before the owner fills them again; and with `look`:
        // whoever looks for emptiness sees a tail not older than the one that the taker knew.
        self.0.compare_exchange(seen.0, next.0, Release, Relaxed).map(|_| next).map_err(Seen)
    }
}
