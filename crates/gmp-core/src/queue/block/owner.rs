//! The owner's way from block to block: entering one to push, claiming one to pop, and what to do when a thief has
//! revoked its block.

use super::word::{LEN, State};
use super::{BLOCKS, Blocks};
use crate::contract::{Link, Token};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Relaxed, Release};

impl<T: Token> Blocks<T> {
    /// Takes the oldest token. `FENCED`: there may be thieves.
    #[inline(always)]
    pub(super) fn pop_front<const FENCED: bool>(&mut self) -> Option<NonNull<Link>> {
        if self.head == self.tail {
            return None;
        }
        let position = self.head;
        self.announce::<FENCED>(position + 1);
        if self.words.block(position / LEN).is(self.claim) {
            return self.popped(position);
        }
        self.pop_elsewhere::<FENCED>()
    }

    /// Announces that the owner takes the tokens below `head`. The owner then checks whether it may.
    #[inline(always)]
    fn announce<const FENCED: bool>(&self, head: usize) {
        // ORDER: blocks-head. Pairs with `Words::inside`: whoever sees the token gone sees the tail that we know.
        self.words.own.head.store(head, Release);
        if FENCED {
            self.words.light_fence();
        }
    }

    /// The token at `position` is ours.
    #[inline(always)]
    fn popped(&mut self, position: usize) -> Option<NonNull<Link>> {
        self.head = position + 1;
        NonNull::new(self.words.slot(position).load(Relaxed))
    }

    /// The block at `head`, which has been announced, is not the one that we keep: it is the next one, or was revoked.
    #[cold]
    #[inline(never)]
    fn pop_elsewhere<const FENCED: bool>(&mut self) -> Option<NonNull<Link>> {
        loop {
            let (number, place) = (self.head / LEN, self.head % LEN);
            let (start, block) = (number * LEN, self.words.block(number));
            let seen = block.look();
            debug_assert!(seen.is_of(number), "only the owner enters blocks");
            match seen.state() {
                State::Kept => {
                    self.claim = seen;
                    self.words.range.oldest.store(number, Relaxed);
                    return self.popped(self.head);
                }
                // A thief waits for the opening; ours leaves the token at `head` to us.
                State::Revoked if block.open(seen, place + 1, place + 1).is_ok() => {
                    return self.popped(self.head);
                }
                State::Revoked => continue,
                // A thief has opened it, and had seen the announcement.
                State::Open if seen.base() == place + 1 => return self.popped(self.head),
                State::Open => {}
            }
            let next = start + seen.place();
            if next == self.tail {
                self.head = next;
                return None;
            }
            if seen.place() == LEN {
                self.pass(number);
                self.announce::<FENCED>(self.head + 1);
            } else if seen.is_claimable() {
                // Announced before the claim, so that a thief which revokes the block at once knows of it.
                self.announce::<false>(next + 1);
                if let Ok(kept) = block.claim(seen) {
                    self.claim = kept;
                    self.words.range.oldest.store(number, Relaxed);
                    return self.popped(next);
                }
            } else if block.take(seen, 1).is_ok() {
                return self.popped(next);
            }
        }
    }

    /// Goes on to the block after `number`, of which everything is taken.
    fn pass(&mut self, number: usize) {
        self.head = (number + 1) * LEN;
        // Relaxed: a hint.
        self.words.range.oldest.store(number + 1, Relaxed);
    }

    /// Begins the block that `tail` stands before: `false` if that would be one block too many.
    #[cold]
    #[inline(never)]
    pub(super) fn enter_block(&mut self) -> bool {
        let number = self.tail / LEN;
        if number == 0 {
            // Made entered.
            return true;
        }
        if number - self.head / LEN == BLOCKS {
            self.pass_what_thieves_emptied();
            if number - self.head / LEN == BLOCKS {
                return false;
            }
        }
        // The full block behind us is the thieves', unless we pop from it, or are about to.
        if self.head < (number - 1) * LEN {
            self.words.block(number - 1).grant(number - 1);
        }
        self.words.block(number).enter(number);
        // ORDER: blocks-newest. Pairs with the load in `BlocksThief::steal_into`: the blocks before it are full.
        self.words.range.newest.store(number, Release);
        true
    }

    /// Passes the open blocks at the queue's head that have nothing left.
    pub(super) fn pass_what_thieves_emptied(&mut self) {
        while self.head != self.tail {
            let number = self.head / LEN;
            let seen = self.words.block(number).look();
            if seen.state() != State::Open || seen.place() < LEN {
                return;
            }
            self.pass(number);
        }
    }
}
