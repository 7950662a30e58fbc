//! `BlocksThief`: the thieves' half.

use super::word::LEN;
use super::word::{Seen, State};
use super::{BLOCKS, Blocks, BlocksThief};
use crate::contract::{Link, RunQueue, Steal, StealRound, Thief, Token};
use crate::ground::sync::{Arc, spin_loop};
use core::fmt;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// Copies of a block's slots, from which nothing may be made before the compare-and-swap that takes them.
struct Stolen {
    raws: [*mut Link; LEN],
    count: usize,
}

impl<T: Token> BlocksThief<T> {
    /// How many tokens block `number` was filled with, at least.
    fn filled(&self, number: usize, newest: usize) -> usize {
        if number < newest { LEN } else { self.words.load_tail().saturating_sub(number * LEN).min(LEN) }
    }

    /// What lies in block `number` from `place` on.
    fn copy(&self, number: usize, place: usize, count: usize) -> Stolen {
        let mut raws = [null_mut(); LEN];
        for (offset, raw) in raws[..count].iter_mut().enumerate() {
            *raw = self.words.slot(number * LEN + place + offset).load(Relaxed);
        }
        Stolen { raws, count }
    }

    /// Takes from block `number` if it is open: all if the one after it is open too, else half. So a long queue is soon
    /// spread, and a short one shared.
    fn take_open(&self, number: usize, newest: usize, room: usize) -> Option<Stolen> {
        let block = self.words.block(number);
        loop {
            let seen = block.look();
            if !seen.is_open(number) {
                return None;
            }
            let inside = self.filled(number, newest).saturating_sub(seen.place());
            if inside == 0 {
                return None;
            }
            let more = number < newest && self.words.block(number + 1).look().is_open(number + 1);
            let count = if more { inside } else { inside.div_ceil(2) }.min(room);
            let stolen = self.copy(number, seen.place(), count);
            if block.take(seen, count).is_ok() {
                return Some(stolen);
            }
            spin_loop();
        }
    }

    /// Revokes block `number` if the owner keeps it and has something in it, and takes half of that.
    #[cold]
    fn revoke_block(&self, number: usize, newest: usize, room: usize) -> Option<Stolen> {
        let block = self.words.block(number);
        loop {
            let seen = block.look();
            if !seen.is_of(number) {
                return None;
            }
            let revoked = match seen.state() {
                State::Open => return self.take_open(number, newest, room),
                // A fence costs microseconds: not for nothing.
                _ if self.words.inside(number, self.words.load_tail()) == 0 => return None,
                State::Revoked => seen,
                State::Kept => match block.revoke(seen) {
                    Ok(revoked) => revoked,
                    Err(_) => continue,
                },
            };
            self.words.heavy_fence();
            if let Some(stolen) = self.open(number, newest, room, revoked) {
                return (stolen.count > 0).then_some(stolen);
            }
        }
    }

    /// Opens a revoked block, behind the fence; `None` if somebody else did.
    fn open(&self, number: usize, newest: usize, room: usize, revoked: Seen) -> Option<Stolen> {
        // Relaxed: the fence has ordered it behind the revocation. It is where the owner is, or one before.
        let head = self.words.own.head.load(Relaxed);
        let base = head.saturating_sub(number * LEN).min(LEN);
        let inside = self.filled(number, newest).saturating_sub(base);
        let stolen = self.copy(number, base, inside.div_ceil(2).min(room));
        self.words.block(number).open(revoked, base, base + stolen.count).ok().map(|_| stolen)
    }

    /// The first of what was stolen, to run, the others into `into`.
    fn keep(stolen: &Stolen, into: &mut Blocks<T>) -> T {
        let mut tokens = stolen.raws[..stolen.count].iter().map(|&raw| {
            // SAFETY: slots below `tail` hold what `into_raw` gave, which is not null.
            Blocks::<T>::token(unsafe { NonNull::new_unchecked(raw) })
        });
        let first = tokens.next().expect("something was stolen");
        into.push_batch(&mut tokens.collect());
        first
    }
}

impl<T: Token> Thief<T> for BlocksThief<T> {
    type Queue = Blocks<T>;

    fn steal_into(&self, into: &mut Blocks<T>, round: StealRound) -> Steal<T> {
        if core::ptr::eq(&*self.words, &*into.words) {
            return Steal::Empty;
        }
        let awaited = core::mem::take(&mut into.awaited);
        let room = into.room() + 1;
        loop {
            // ORDER: blocks-newest. Pairs with `Blocks::enter_block`.
            let newest = self.words.range.newest.load(Acquire);
            let oldest = self.words.range.oldest.load(Relaxed).max((newest + 1).saturating_sub(BLOCKS));
            let mut stolen = (oldest..=newest).find_map(|number| self.take_open(number, newest, room));
            if stolen.is_none() && round.last {
                stolen = (oldest..=newest).find_map(|number| self.revoke_block(number, newest, room));
            }
            if let Some(stolen) = stolen {
                return Steal::Taken(Self::keep(&stolen, into));
            }
            if !round.last {
                return Steal::Empty;
            }
            if let Some(outcome) = self.words.own.run_next.steal(round, awaited, &mut into.awaited) {
                return outcome.map(Blocks::token);
            }
            spin_loop();
        }
    }

    fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    fn len(&self) -> usize {
        self.words.len()
    }
}

impl<T: Token> Clone for BlocksThief<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.words))
    }
}

impl<T: Token> fmt::Debug for BlocksThief<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlocksThief").field("len", &self.len()).finish()
    }
}
