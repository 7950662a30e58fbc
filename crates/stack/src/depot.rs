//! `Depot`: the free stacks of one class that all Ps share, under a mutex. The name and the idea are those of the
//! depot of magazines in Bonwick and Adams, "Magazines and Vmem" (USENIX 2001).
//!
//! Free stacks are in one of three states, and taken in this order:
//!
//! 1. *Warm*: freed since the last trim or kept by it. Last in, first out.
//! 2. *Cold*: given back to the system by a trim. Its guard is in place. Lowest address first, so that the stacks in
//!    use gather in few page tables.
//! 3. *Uncarved*: never used, without a guard yet.
//!
//! No system call is made with the lock held, except to reserve a slab. That must be exclusive, since otherwise every
//! P that finds the depot empty would reserve a slab of its own.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use gmp_core::contract::{Region, StackError};

use crate::Retention;
use crate::slabs::{Bottom, Slabs};

/// How many stacks `trim` takes out of the depot at a time, so that the others can be allocated meanwhile.
const TRIM_BATCH: usize = 64;

/// The depot of one class.
#[derive(Debug)]
pub(crate) struct Depot {
    /// Bytes of each stack above its guard, in whole pages.
    size: usize,
    shared: Mutex<Shared>,
}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The last is the warmest.
    warm: Vec<Bottom>,
    /// How many of `warm`, from the first on, have already been trimmed to what retention keeps.
    shallow: usize,
    cold: BinaryHeap<Reverse<Bottom>>,
    slabs: Slabs,
    /// Stacks that a trim has in hand: free, but in none of the lists.
    in_trim: usize,
}

impl Shared {
    /// Moves up to `most` warm stacks to an empty store, the warmest last.
    pub(crate) fn take_warm(&mut self, most: usize, into: &mut Vec<Bottom>) {
        let from = self.warm.len().saturating_sub(most);
        into.extend(self.warm.drain(from..));
        self.shallow = self.shallow.min(self.warm.len());
    }

    /// Puts warm stacks on top, the warmest last.
    pub(crate) fn put_warm(&mut self, stacks: impl Iterator<Item = Bottom>) {
        self.warm.extend(stacks);
    }

    /// Stacks that were ever handed out or guarded.
    pub(crate) fn carved(&self) -> usize {
        self.slabs.carved()
    }

    /// Free stacks here.
    pub(crate) fn free(&self) -> usize {
        self.warm.len() + self.cold.len() + self.in_trim
    }

    /// Address space reserved, in bytes.
    pub(crate) fn reserved_bytes(&self) -> usize {
        self.slabs.reserved_bytes()
    }
}

impl Depot {
    /// An empty depot of stacks with `size` bytes above their guards.
    pub(crate) fn new(size: usize, guard: usize) -> Self {
        let shared = Shared {
            warm: Vec::new(),
            shallow: 0,
            cold: BinaryHeap::new(),
            slabs: Slabs::new(size + guard, guard),
            in_trim: 0,
        };
        Self { size, shared: Mutex::new(shared) }
    }

    /// Nothing panics while it holds the lock, so poisoning means nothing.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one stack that is not warm.
    pub(crate) fn take_cold<R: Region>(&self, region: &R) -> Result<Bottom, StackError> {
        let uncarved = {
            let mut shared = self.lock();
            if let Some(Reverse(stack)) = shared.cold.pop() {
                return Ok(stack);
            }
            shared.slabs.carve(region)?
        };
        uncarved.guard(region).inspect_err(|_| self.lock().slabs.put_back(&uncarved))
    }

    /// Gives memory of free stacks back to the system, as far as retention says.
    pub(crate) fn trim<R: Region>(&self, region: &R, retention: Retention) {
        while let Some(batch) = self.take_surplus(retention.warm) {
            for &stack in &batch {
                self.discard(region, stack, 0);
            }
            let mut shared = self.lock();
            shared.in_trim -= batch.len();
            shared.cold.extend(batch.into_iter().map(Reverse));
        }
        let page = region.page_size();
        let keep = retention.keep_bytes.checked_next_multiple_of(page).unwrap_or(usize::MAX);
        if keep < self.size {
            self.trim_depths(region, keep);
        }
    }

    /// Takes some of the coldest warm stacks, if there are more than `keep`.
    fn take_surplus(&self, keep: usize) -> Option<Vec<Bottom>> {
        let mut shared = self.lock();
        let surplus = shared.warm.len().saturating_sub(keep).min(TRIM_BATCH);
        if surplus == 0 {
            return None;
        }
        let batch: Vec<_> = shared.warm.drain(..surplus).collect();
        shared.shallow = shared.shallow.saturating_sub(surplus);
        shared.in_trim += surplus;
        Some(batch)
    }

    /// Gives back what lies more than `keep` bytes deep in the warm stacks.
    fn trim_depths<R: Region>(&self, region: &R, keep: usize) {
        let deep = {
            let mut shared = self.lock();
            let from = shared.shallow;
            let deep = shared.warm.split_off(from);
            shared.in_trim += deep.len();
            deep
        };
        for &stack in &deep {
            self.discard(region, stack, keep);
        }
        let mut shared = self.lock();
        shared.in_trim -= deep.len();
        // They go below the stacks that have been freed meanwhile, which are warmer.
        let from = shared.shallow;
        let shallow = from + deep.len();
        shared.warm.splice(from..from, deep);
        shared.shallow = shallow;
    }

    /// Gives a free stack's memory back, except for the upper `keep` bytes.
    fn discard<R: Region>(&self, region: &R, stack: Bottom, keep: usize) {
        // SAFETY: the stack is free and in our hands alone (A5), so nothing on it will be read again; the range
        // starts at its bottom and ends on a page within it.
        unsafe { region.discard(stack.0, self.size - keep) };
    }

    /// Gives back the slabs of which every stack is free.
    ///
    /// # Safety
    /// Nobody allocates any more, and all caches have been emptied.
    pub(crate) unsafe fn release<R: Region>(&mut self, region: &R) {
        let shared = self.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut free: Vec<_> = shared.warm.drain(..).chain(shared.cold.drain().map(|cold| cold.0)).collect();
        free.sort_unstable();
        // SAFETY: the caller's promise; a stack that is neither in the depot nor uncarved is in use, and `release`
        // finds it missing.
        unsafe { shared.slabs.release(region, &free) };
    }
}
