//! `BlockFifo`: the shared queue on crossbeam's `Injector`, a lock-free list of blocks.
//!
//! The injector cannot take tokens at its front, which a removed P needs (clause S4). Such tokens wait in a list
//! under a lock, which is served first; its length is an atomic, so that the lock is taken only while something is in
//! it.

use core::sync::atomic::{AtomicUsize, Ordering};
use crossbeam_deque::{Injector, Steal};
use gmp_core::contract::List;
use gmp_core::contract::{SharedQueue, Token};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The goroutines that belong to no P, first in first out.
#[derive(Debug)]
pub struct BlockFifo<T: Token> {
    front: Mutex<List<T>>,
    front_len: AtomicUsize,
    blocks: Injector<T>,
}

impl<T: Token> Default for BlockFifo<T> {
    fn default() -> Self {
        Self { front: Mutex::default(), front_len: AtomicUsize::new(0), blocks: Injector::new() }
    }
}

impl<T: Token> BlockFifo<T> {
    /// The list at the front. No foreign code runs under the lock, so a poisoned lock is as good as any.
    fn front(&self) -> MutexGuard<'_, List<T>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pop_front(&self) -> Option<T> {
        // Relaxed: it is written under the lock, and whoever reads it without the lock has fences of its own (clause
        // S2).
        if self.front_len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut front = self.front();
        let token = front.pop_front();
        self.front_len.store(front.len(), Ordering::Relaxed);
        token
    }

    fn pop_block(&self) -> Option<T> {
        loop {
            match self.blocks.steal() {
                Steal::Success(token) => return Some(token),
                Steal::Empty => return None,
                Steal::Retry => core::hint::spin_loop(),
            }
        }
    }
}

impl<T: Token> SharedQueue<T> for BlockFifo<T> {
    fn push(&self, token: T) {
        self.blocks.push(token);
    }

    fn push_batch(&self, batch: List<T>) {
        batch.for_each(|token| self.blocks.push(token));
    }

    fn push_front(&self, mut batch: List<T>) {
        let mut front = self.front();
        batch.append(core::mem::take(&mut *front));
        *front = batch;
        self.front_len.store(front.len(), Ordering::Relaxed);
    }

    fn pop(&self) -> Option<T> {
        self.pop_front().or_else(|| self.pop_block())
    }

    /// Go's share (`globrunqgetbatch`, Go 1.27), computed before tokens are taken: another thread may leave fewer.
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T> {
        let share = self.len() / procs.max(1) + 1;
        (0..share.min(limit)).map_while(|_| self.pop()).collect()
    }

    fn is_empty(&self) -> bool {
        self.front_len.load(Ordering::Relaxed) == 0 && self.blocks.is_empty()
    }

    fn len(&self) -> usize {
        self.front_len.load(Ordering::Relaxed) + self.blocks.len()
    }
}
