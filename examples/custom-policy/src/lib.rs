//! `Aging`: a scheduling policy that runs the newest goroutine first, but lets nobody grow old.
//!
//! What was readied last has its data in the caches, so last in, first out is quick. It is also unfair: two goroutines
//! that wake each other are always the newest, and everybody else waits. So every eighth pop serves age instead:
//!
//! ```text
//!   spawned, readied ──► fresh, a stack ──── 7 pops of 8: the newest ────► run
//!                           │ the oldest, at each 8th pop                   ▲
//!                           ▼                                               │
//!   yielded, batches ──► old, a queue ────── the 8th pop: the oldest ───────┘
//! ```
//!
//! A goroutine with `n` others in its way, fresher or older, leaves after at most `8 * (n + 1)` pops, whatever is
//! pushed meanwhile: each eighth pop takes one of them out of the way.
//!
//! A thief takes the older half: what the owner would come to last, and what is no longer in its cache. So does the
//! shared queue when the queue is full.

#![forbid(unsafe_code)]

use gmp::contract::queue::{Coprime, List, SharedFifo};
use gmp::contract::{
    Policy, Popped, QueueConfig, Rules, RunQueue, Slot, Spill, Steal, StealRound, Thief, Token,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

/// Age is served once in this many pops.
pub const EVERY: u32 = 8;

/// The policy: a queue of its own, and Go's other parts.
pub struct Aging;

impl Policy for Aging {
    const NAME: &'static str = "aging";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = AgingQueue<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = <gmp::policy::Go as Policy>::Idle;
    type Order = Coprime;
}

/// What owner and thieves share.
struct Tokens<T> {
    /// Spawned or readied; the newest at the back.
    fresh: VecDeque<T>,
    /// Served by age; the oldest at the front.
    old: VecDeque<T>,
    pops: u32,
}

impl<T> Tokens<T> {
    fn len(&self) -> usize {
        self.fresh.len() + self.old.len()
    }

    fn pop(&mut self) -> Option<T> {
        self.pops = self.pops.wrapping_add(1);
        if !self.pops.is_multiple_of(EVERY) {
            return self.fresh.pop_back().or_else(|| self.old.pop_front());
        }
        self.old.extend(self.fresh.pop_front());
        self.old.pop_front()
    }

    fn take_oldest(&mut self) -> Option<T> {
        self.old.pop_front().or_else(|| self.fresh.pop_front())
    }
}

/// The owner's half. The lock is held for a few moves of pointers, and thieves do not wait for it.
pub struct AgingQueue<T>(Arc<Mutex<Tokens<T>>>);

impl<T> AgingQueue<T> {
    fn lock(&self) -> MutexGuard<'_, Tokens<T>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

impl<T: Token> RunQueue<T> for AgingQueue<T> {
    type Thief = AgingThief<T>;

    /// As many as Go's: what waits longer than that is better seen by all Ps.
    const CAPACITY: Option<usize> = Some(256);

    fn new(_: &QueueConfig) -> (Self, AgingThief<T>) {
        let tokens = Tokens { fresh: VecDeque::new(), old: VecDeque::new(), pops: 0 };
        let tokens = Arc::new(Mutex::new(tokens));
        (Self(tokens.clone()), AgingThief(tokens))
    }

    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>) {
        let mut tokens = self.lock();
        let full = Self::CAPACITY.is_some_and(|most| tokens.len() == most);
        let half = if full { tokens.len() / 2 } else { 0 };
        let older: List<T> = (0..half).filter_map(|_| tokens.take_oldest()).collect();
        match slot {
            Slot::Next => tokens.fresh.push_back(token),
            Slot::Back => tokens.old.push_back(token),
        }
        drop(tokens);
        if !older.is_empty() {
            spill.spill(older);
        }
    }

    fn push_batch(&mut self, batch: &mut List<T>) {
        let mut tokens = self.lock();
        let room = Self::CAPACITY.map_or(usize::MAX, |most| most - tokens.len());
        tokens.old.extend(batch.by_ref().take(room));
    }

    fn pop(&mut self) -> Option<Popped<T>> {
        // Nothing inherits: each goroutine has a time slice of its own.
        self.lock().pop().map(|token| Popped { token, inherits: false })
    }

    fn is_empty(&self) -> bool {
        self.lock().len() == 0
    }
}

/// Thieves may keep their half for longer; the goroutines go with the owner's.
impl<T> Drop for AgingQueue<T> {
    fn drop(&mut self) {
        let mut tokens = self.lock();
        let left = (std::mem::take(&mut tokens.fresh), std::mem::take(&mut tokens.old));
        // A token's drop is somebody else's code.
        drop(tokens);
        drop(left);
    }
}

/// The thieves' half.
pub struct AgingThief<T>(Arc<Mutex<Tokens<T>>>);

impl<T> Clone for AgingThief<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Token> Thief<T> for AgingThief<T> {
    type Queue = AgingQueue<T>;

    fn steal_into(&self, into: &mut AgingQueue<T>, _: StealRound) -> Steal<T> {
        if Arc::ptr_eq(&self.0, &into.0) {
            return Steal::Empty;
        }
        let Ok(mut tokens) = self.0.try_lock() else { return Steal::Retry };
        let half = tokens.len().div_ceil(2);
        let mut stolen: List<T> = (0..half).filter_map(|_| tokens.take_oldest()).collect();
        // Two thieves that rob each other must not wait for each other: one lock at a time.
        drop(tokens);
        let Some(first) = stolen.pop_front() else { return Steal::Empty };
        into.lock().old.extend(stolen);
        Steal::Taken(first)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.0.lock().expect("nothing panics under this lock").len()
    }
}
