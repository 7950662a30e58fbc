//! `SharedFifo`: Go's global run queue, a locked list.
//!
//! One [`SpinLock`] around an intrusive [`List`], and beside it the list's length in a word of its own, so that the
//! look every scheduling round takes ("anything for me?") is one load. Putting or taking a batch costs one locked
//! instruction, whatever its size.
//!
//! With one P its holder alone takes, and most that is put it puts itself: so it keeps a list of its own in front of the
//! locked one, and pays no locked instruction. It is an array and not linked: after a burst of a million spawns the tokens
//! are in no cache, and a list through them makes each step wait for memory. Others put into the locked list; its holder
//! fetches that whenever it sees it non-empty, behind what it has. Where there is no memory for a larger array, tokens stay
//! in the locked list, whose links lie in themselves.
//!
//! Invariants: `near` is touched only by those who show an [`OnlyP`], and is empty when there is more than one P. Outside
//! the lock `far_len` is the locked list's length; `near_len` is that of `near`.

use crate::contract::{List, OnlyP, SharedQueue, Token};
use crate::ground::sync::{AtomicUsize, SpinLock};
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Relaxed;
use crossbeam_utils::CachePadded;
use std::collections::VecDeque;

/// The runnable goroutines that belong to no P, first in first out.
///
/// Go: `sched.runq` and `sched.runqsize` under `sched.lock` (Go 1.27). The lock here guards the queue alone.
#[doc(alias = "sched.runq")]
#[derive(Debug)]
pub struct SharedFifo<T: Token> {
    far: CachePadded<SpinLock<List<T>>>,
    far_len: CachePadded<AtomicUsize>,
    near: CachePadded<UnsafeCell<VecDeque<T>>>,
    near_len: AtomicUsize,
}

// SAFETY: `near` is touched only with an `OnlyP`, of which one thread at a time has one; tokens are `Send`.
unsafe impl<T: Token> Sync for SharedFifo<T> {}

impl<T: Token> SharedFifo<T> {
    #[inline]
    fn with<R>(&self, change: impl FnOnce(&mut List<T>) -> R) -> R {
        self.far.with(|list| {
            let outcome = change(list);
            // Relaxed: inside the lock only its holder writes, and whoever looks without the lock has a full fence on
            // both sides (clause S2) or takes a stale length for the hint that it is.
            self.far_len.store(list.len(), Relaxed);
            outcome
        })
    }

    /// Changes the list of the only P's holder.
    #[inline]
    fn with_near<R>(&self, _only_p: OnlyP<'_>, change: impl FnOnce(&mut VecDeque<T>) -> R) -> R {
        // SAFETY: the evidence says that nobody else takes or puts here, and `change` cannot reach us.
        let near = unsafe { &mut *self.near.get() };
        let outcome = change(near);
        self.near_len.store(near.len(), Relaxed);
        outcome
    }

    /// Puts what others have put behind what the only P's holder has. `false`: there is no memory for all of it, and the
    /// rest stays in the locked list, which needs none.
    #[inline]
    fn fetch(&self, near: &mut VecDeque<T>) -> bool {
        self.far_len.load(Relaxed) == 0 || self.fetch_some(near)
    }

    #[cold]
    #[inline(never)]
    fn fetch_some(&self, near: &mut VecDeque<T>) -> bool {
        // More may come meanwhile; it is fetched next time.
        let coming = self.far_len.load(Relaxed);
        let fits = near.try_reserve(coming).is_ok();
        let room = if fits { coming } else { near.capacity() - near.len() };
        near.extend(self.with(|list| list.split_front(room.min(list.len()))));
        fits
    }
}

impl<T: Token> Default for SharedFifo<T> {
    fn default() -> Self {
        Self {
            far: CachePadded::new(SpinLock::new(List::new())),
            far_len: CachePadded::new(AtomicUsize::new(0)),
            near: CachePadded::new(UnsafeCell::new(VecDeque::new())),
            near_len: AtomicUsize::new(0),
        }
    }
}

impl<T: Token> SharedQueue<T> for SharedFifo<T> {
    fn push(&self, token: T) {
        self.with(|list| list.push_back(token));
    }

    fn push_batch(&self, batch: List<T>) {
        self.with(|list| list.append(batch));
    }

    fn push_front(&self, mut batch: List<T>) {
        self.with(|list| {
            batch.append(core::mem::take(list));
            *list = batch;
        });
    }

    fn pop(&self) -> Option<T> {
        if self.far_len.load(Relaxed) == 0 {
            return None;
        }
        self.with(List::pop_front)
    }

    /// Go: `globrunqgetbatch` (Go 1.27): `min(limit, size, size / procs + 1)`, so that the Ps together empty the
    /// queue and none of them takes it all.
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T> {
        if self.far_len.load(Relaxed) == 0 {
            return List::new();
        }
        self.with(|list| {
            let share = list.len() / procs.max(1) + 1;
            list.split_front(share.min(limit))
        })
    }

    #[inline]
    unsafe fn push_only_p(&self, token: T, only_p: OnlyP<'_>) {
        self.with_near(only_p, |near| {
            if self.fetch(near) && (near.len() < near.capacity() || near.try_reserve(1).is_ok()) {
                near.push_back(token);
            } else {
                self.push(token);
            }
        });
    }

    #[inline]
    unsafe fn pop_only_p(&self, only_p: OnlyP<'_>) -> Option<T> {
        self.with_near(only_p, |near| {
            self.fetch(near);
            near.pop_front().or_else(|| self.pop())
        })
    }

    #[inline]
    unsafe fn pop_batch_only_p(&self, limit: usize, only_p: OnlyP<'_>) -> List<T> {
        self.with_near(only_p, |near| {
            self.fetch(near);
            let next = || near.pop_front().or_else(|| self.pop());
            core::iter::from_fn(next).take(limit).collect()
        })
    }

    unsafe fn settle(&self, only_p: OnlyP<'_>) {
        let near = self.with_near(only_p, core::mem::take);
        self.push_front(near.into_iter().collect());
    }

    #[inline]
    fn len(&self) -> usize {
        self.far_len.load(Relaxed) + self.near_len.load(Relaxed)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::suite::Ledger;

    fn filled(ledger: &Ledger, size: usize) -> SharedFifo<crate::suite::Probe> {
        let queue = SharedFifo::default();
        (0..size).for_each(|_| queue.push(ledger.mint()));
        queue
    }

    /// Go: the sizes of `globrunqgetbatch`.
    #[test]
    fn pop_batch_takes_a_fair_share() {
        for (size, procs, limit, expected) in [
            (0, 4, 128, 0),
            (1, 4, 128, 1),
            (10, 4, 128, 3),
            (12, 4, 128, 4),
            (1000, 4, 128, 128),
            (1000, 8, 128, 126),
            (100, 1, 128, 100),
            (300, 1, 128, 128),
            (5, 1, 1, 1),
            (5, 1, 0, 0),
            (5, 0, 128, 5),
        ] {
            let ledger = Ledger::new(size);
            let queue = filled(&ledger, size);
            let batch: Vec<u64> = queue.pop_batch(procs, limit).map(|probe| probe.consume()).collect();
            assert_eq!(batch, (0..expected as u64).collect::<Vec<_>>(), "{size} {procs} {limit}");
            assert_eq!(queue.len(), size - expected);
            queue.pop_batch(1, size).for_each(|probe| assert!(probe.consume() >= expected as u64));
            ledger.settle();
        }
    }

    /// What a removed P leaves goes before everything, in its order (S4).
    #[test]
    fn push_front_is_served_first() {
        let ledger = Ledger::new(7);
        let queue = filled(&ledger, 3);
        queue.push_front((0..2).map(|_| ledger.mint()).collect());
        queue.push_front((0..2).map(|_| ledger.mint()).collect());
        let served: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(|probe| probe.consume()).collect();
        assert_eq!(served, [5, 6, 3, 4, 0, 1, 2]);
        ledger.settle();
    }
}
