//! `BlocksThief`: the thieves' half.

use super::word::{Seen, State};
use super::{BLOCKS, Blocks, LEN, Words};
use crate::contract::{Link, RunQueue, Steal, StealRound, Thief, Token};
use crate::ground::sync::{Arc, spin_loop};
use core::fmt;
use core::marker::PhantomData;
use core::ptr::{NonNull, null_mut};
use core::sync::atomic::Ordering::{Acquire, Relaxed};

/// A handle for stealing from [`Blocks`].
pub struct BlocksThief<T: Token> {
    words: Arc<Words>,
    tokens: PhantomData<fn() -> T>,
}

/// Copies of a block's slots, from which nothing may be made before the compare-and-swap that takes them.
struct Loot {
    raws: [*mut Link; LEN],
    count: usize,
}

impl<T: Token> BlocksThief<T> {
    pub(super) fn new(words: Arc<Words>) -> Self {
        Self { words, tokens: PhantomData }
    }

    /// How many tokens block `number` was filled with, at least.
    fn filled(&self, number: usize, newest: usize) -> usize {
        if number < newest { LEN } else { self.words.load_tail().saturating_sub(number * LEN).min(LEN) }
    }

    /// What lies in block `number` from `place` on.
    fn copy(&self, number: usize, place: usize, count: usize) -> Loot {
        let mut raws = [null_mut(); LEN];
        for (offset, raw) in raws[..count].iter_mut().enumerate() {
            *raw = self.words.slot(number * LEN + place + offset).load(Relaxed);
        }
        Loot { raws, count }
    }

    /// Takes from block `number` if it is open: all if the one after it is open too, else half. So a long queue is soon
    /// spread, and a short one shared.
    fn take_open(&self, number: usize, newest: usize, room: usize) -> Option<Loot> {
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
            let loot = self.copy(number, seen.place(), count);
            if block.take(seen, count).is_ok() {
                return Some(loot);
            }
            spin_loop();
        }
    }

    /// Calls block `number` in if the owner keeps it and has something in it, and takes half of that.
    #[cold]
    fn call_in(&self, number: usize, newest: usize, room: usize) -> Option<Loot> {
        let block = self.words.block(number);
        loop {
            let seen = block.look();
            if !seen.is_of(number) {
                return None;
            }
            let called = match seen.state() {
                State::Open => return self.take_open(number, newest, room),
                // A fence costs microseconds: not for nothing.
                _ if self.words.inside(number, self.words.load_tail()) == 0 => return None,
                State::Called => seen,
                State::Kept => match block.call(seen) {
                    Ok(called) => called,
                    Err(_) => continue,
                },
            };
            self.words.fence_far();
            if let Some(loot) = self.open(number, newest, room, called) {
                return (loot.count > 0).then_some(loot);
            }
        }
    }

    /// Opens a called block, behind the fence; `None` if somebody else did.
    fn open(&self, number: usize, newest: usize, room: usize, called: Seen) -> Option<Loot> {
        // Relaxed: the fence has ordered it behind the call. It is where the owner is, or one before.
        let head = self.words.own.head.load(Relaxed);
        let base = head.saturating_sub(number * LEN).min(LEN);
        let inside = self.filled(number, newest).saturating_sub(base);
        let loot = self.copy(number, base, inside.div_ceil(2).min(room));
        self.words.block(number).open(called, base, base + loot.count).ok().map(|_| loot)
    }

    /// The first of the loot to run, the others into `into`.
    fn keep(loot: &Loot, into: &mut Blocks<T>) -> T {
        let mut tokens = loot.raws[..loot.count].iter().map(|&raw| {
            // SAFETY: slots below `tail` hold what `into_raw` gave, which is not null.
            Blocks::<T>::token(unsafe { NonNull::new_unchecked(raw) })
        });
        let first = tokens.next().expect("loot is not empty");
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
            let mut loot = (oldest..=newest).find_map(|number| self.take_open(number, newest, room));
            if loot.is_none() && round.last {
                loot = (oldest..=newest).find_map(|number| self.call_in(number, newest, room));
            }
            if let Some(loot) = loot {
                return Steal::Taken(Self::keep(&loot, into));
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
