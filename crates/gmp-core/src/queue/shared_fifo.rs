//! `SharedFifo`: Go's global run queue, a locked list.
//!
//! One [`SpinLock`] around an intrusive [`List`], and beside it the list's length in a word of its own, so that the
//! look every scheduling round takes ("anything for me?") is one load. Putting or taking a batch costs one locked
//! instruction, whatever its size.
//!
//! Invariant: outside the lock, `len` is the list's length. Inside, the holder brings it up to date before it leaves.

use crate::contract::{SharedQueue, Token};
use crate::queue::List;
use crate::sync::{AtomicUsize, SpinLock};
use core::sync::atomic::Ordering::Relaxed;
use crossbeam_utils::CachePadded;

/// The runnable goroutines that belong to no P, first in first out.
///
/// Go: `sched.runq` and `sched.runqsize` under `sched.lock` (Go 1.27). The lock here guards the queue alone.
#[doc(alias = "sched.runq")]
#[derive(Debug)]
pub struct SharedFifo<T: Token> {
    list: CachePadded<SpinLock<List<T>>>,
    len: CachePadded<AtomicUsize>,
}

impl<T: Token> SharedFifo<T> {
    #[inline]
    fn with<R>(&self, change: impl FnOnce(&mut List<T>) -> R) -> R {
        self.list.with(|list| {
            let outcome = change(list);
            // Relaxed: inside the lock only its holder writes, and who looks without the lock has a full fence on
            // both sides (clause S2) or takes a stale length for the hint that it is.
            self.len.store(list.len(), Relaxed);
            outcome
        })
    }
}

impl<T: Token> Default for SharedFifo<T> {
    fn default() -> Self {
        Self {
            list: CachePadded::new(SpinLock::new(List::new())),
            len: CachePadded::new(AtomicUsize::new(0)),
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
        if self.is_empty() {
            return None;
        }
        self.with(List::pop_front)
    }

    /// Go: `globrunqgetbatch` (Go 1.27): `min(limit, size, size / procs + 1)`, so that the Ps together empty the
    /// queue and none of them takes it all.
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T> {
        if self.is_empty() {
            return List::new();
        }
        self.with(|list| {
            let share = list.len() / procs.max(1) + 1;
            list.split_front(share.min(limit))
        })
    }

    #[inline]
    fn len(&self) -> usize {
        self.len.load(Relaxed)
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
