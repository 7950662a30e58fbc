//! `Stacks`, the allocator, and `Cache`, a P's cache of free stacks.
//!
//! # The fast path
//!
//! Taking a stack that this P has freed, and giving one back, is: find the class, compare two pointers, move one word
//! between an array and the caller, and write down the new count. No lock and no locked instruction.
//!
//! # Statistics
//!
//! A stack is carved (it exists), and then it lies in a depot, lies in a cache, or is in use. The first two are
//! counted under the depots' locks. A cache's owner keeps its count in an atomic that it alone writes, with plain loads
//! and stores. So `in_use` is what remains, and nothing on the fast path counts it. It is exact when nobody allocates
//! or frees meanwhile; otherwise a stack that moves while the caches are read may be counted twice or not at all.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gmp_core::contract::{Region, Stack, StackAllocator, StackError, StackFigures};

use crate::class::{CLASSES, class_of, class_of_stack, size_of};
use crate::depot::Depot;
use crate::slabs::Bottom;
use crate::{Config, ConfigError, Retention};

/// How many free stacks a store keeps of each class: Go's bound for a P's free goroutines (`gfput`).
const CAPACITY: usize = 64;

/// How many stacks move to or from the depot at once, so that the lock is taken at most once in that many calls.
const HALF: usize = CAPACITY / 2;

/// Goroutine stacks over a region. See the crate's documentation.
///
/// Dropping it gives the address space back once the last [`Cache`] is gone, too, except for slabs with a stack in
/// use.
#[derive(Debug)]
pub struct Stacks<R: Region> {
    inner: Arc<Inner<R>>,
}

#[derive(Debug)]
struct Inner<R: Region> {
    region: R,
    page: usize,
    retention: Retention,
    depots: [Depot; CLASSES],
    /// The count of each cache, for statistics, under its address: a cache finds its own among any number.
    counts: Mutex<BTreeMap<usize, Arc<AtomicUsize>>>,
}

/// A P's cache of free stacks: last in, first out for each size class. What is in it goes to the depot when it is
/// dropped. It serves only the allocator that made it; with another one the process aborts.
#[derive(Debug)]
pub struct Cache<R: Region> {
    inner: Arc<Inner<R>>,
    /// How many stacks all bins hold. Written by the owner of the cache alone.
    count: Arc<AtomicUsize>,
    /// The free stacks of each class, at most `CAPACITY`; the last is the warmest. Room is made when a class is first
    /// used, so that a P costs no more than it needs, however many there are.
    bins: [Vec<Bottom>; CLASSES],
}

impl<R: Region> Stacks<R> {
    /// An allocator over `region`. Reserves nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] if the configuration makes no sense on this system.
    pub fn new(region: R, config: Config) -> Result<Self, ConfigError> {
        let page = region.page_size();
        config.check(page)?;
        let inner = Inner {
            region,
            page,
            retention: config.retention,
            depots: core::array::from_fn(|class| Depot::new(size_of(class) + page, config.guard_size)),
            counts: Mutex::new(BTreeMap::new()),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Checks that the cache is one of ours: with another's, stacks would change owners.
    #[inline]
    fn expect_ours(&self, cache: &Cache<R>) {
        if !Arc::ptr_eq(&self.inner, &cache.inner) {
            broken("a cache of stacks was used with another allocator than the one that made it");
        }
    }
}

impl<R: Region> Inner<R> {
    /// Nothing panics while it holds the lock, so poisoning means nothing.
    fn counts(&self) -> MutexGuard<'_, BTreeMap<usize, Arc<AtomicUsize>>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Region> Cache<R> {
    /// Writes down that the bins hold `more` stacks more (wrapping, for fewer).
    #[inline]
    fn count(&self, more: usize) {
        // Relaxed: only this owner writes, so nothing is lost between load and store; readers want only a number.
        let before = self.count.load(Ordering::Relaxed);
        self.count.store(before.wrapping_add(more), Ordering::Relaxed);
    }

    /// Gets a stack from the depot, and some more for the bin if the depot has warm ones.
    #[cold]
    fn refill(&mut self, class: usize) -> Result<Bottom, StackError> {
        let depot = &self.inner.depots[class];
        self.bins[class].reserve_exact(CAPACITY);
        {
            let mut shared = depot.lock();
            let bin = &mut self.bins[class];
            shared.take_warm(HALF, bin);
            if let Some(stack) = bin.pop() {
                let left = bin.len();
                // This is done under the lock, so that the statistics count the stacks on one side or the other.
                self.count(left);
                return Ok(stack);
            }
        }
        depot.take_cold(&self.inner.region)
    }

    /// Makes room for one more stack of a class: for the first ones, or by moving half of them to the depot.
    #[cold]
    fn make_room(&mut self, class: usize) {
        let bin = &mut self.bins[class];
        if bin.len() < CAPACITY {
            bin.reserve_exact(CAPACITY - bin.len());
        } else {
            self.drain(class, HALF);
        }
    }

    /// Moves the coldest stacks of a class to the depot.
    #[cold]
    fn drain(&mut self, class: usize, how_many: usize) {
        let mut shared = self.inner.depots[class].lock();
        shared.put_warm(self.bins[class].drain(..how_many));
        // This is done under the lock, as in `refill`.
        self.count(how_many.wrapping_neg());
    }

    /// Empties every bin into the depots.
    fn flush(&mut self) {
        for class in 0..CLASSES {
            let len = self.bins[class].len();
            if len > 0 {
                self.drain(class, len);
            }
        }
    }
}

impl<R: Region> Drop for Cache<R> {
    fn drop(&mut self) {
        self.flush();
        self.inner.counts().remove(&Arc::as_ptr(&self.count).addr());
    }
}

impl<R: Region> Drop for Inner<R> {
    fn drop(&mut self) {
        for depot in &mut self.depots {
            // SAFETY: the allocator and every cache are gone, as each holds an `Arc` of this; caches have emptied
            // themselves.
            unsafe { depot.release(&self.region) };
        }
    }
}

// SAFETY: A1: the class is at least as large as what was asked for, and a slab's memory is readable and writable (R1).
// A2: bottoms are page-aligned and sizes whole pages. A3: a stack leaves a store or depot by value and comes back
// by `free` alone (A5), and slabs with a stack in use are never released. A4: `take_cold` hands out a never used stack
// only after its guard was installed, and it stays (R2). A6: errors are returned; what must not happen aborts.
unsafe impl<R: Region> StackAllocator for Stacks<R> {
    type Cache = Cache<R>;

    fn cache(&self) -> Cache<R> {
        let count = Arc::new(AtomicUsize::new(0));
        self.inner.counts().insert(Arc::as_ptr(&count).addr(), Arc::clone(&count));
        Cache { inner: Arc::clone(&self.inner), count, bins: [const { Vec::new() }; CLASSES] }
    }

    #[inline]
    fn allocate(&self, cache: &mut Cache<R>, size: usize) -> Result<Stack, StackError> {
        self.expect_ours(cache);
        let class = class_of(size)?;
        let bottom = match cache.bins[class].pop() {
            Some(bottom) => {
                cache.count(1_usize.wrapping_neg());
                bottom
            }
            None => cache.refill(class)?,
        };
        let size = size_of(class) + self.inner.page;
        // SAFETY: a stack of this class, guarded, owned by nobody else from here on; it has this many bytes.
        Ok(unsafe { Stack::new(bottom.0, size) })
    }

    #[inline]
    unsafe fn free(&self, cache: &mut Cache<R>, stack: Stack) {
        self.expect_ours(cache);
        let class = class_of_stack(stack.size());
        if cache.bins[class].len() == cache.bins[class].capacity() {
            cache.make_room(class);
        }
        cache.bins[class].push(Bottom(stack.bottom()));
        cache.count(1);
    }

    fn flush(&self, cache: &mut Cache<R>) {
        self.expect_ours(cache);
        cache.flush();
    }

    fn trim(&self) {
        for depot in &self.inner.depots {
            depot.trim(&self.inner.region, self.inner.retention);
        }
    }

    fn figures(&self) -> StackFigures {
        // All depots are held at once, lowest class first, so that nothing moves between them and the caches. Nobody
        // else holds two, and the lock of the counts comes last here and alone elsewhere.
        let depots: Vec<_> = self.inner.depots.iter().map(Depot::lock).collect();
        let counts = self.inner.counts();
        let in_stores: usize = counts.values().map(|count| count.load(Ordering::Relaxed)).sum();
        let free = in_stores + depots.iter().map(|depot| depot.free()).sum::<usize>();
        let carved: usize = depots.iter().map(|depot| depot.carved()).sum();
        let reserved_bytes = depots.iter().map(|depot| depot.reserved_bytes()).sum();
        StackFigures { in_use: carved.saturating_sub(free), free, reserved_bytes }
    }
}

/// A clause is broken and going on would hand one stack to two goroutines.
#[cold]
#[inline(never)]
fn broken(what: &str) -> ! {
    eprintln!("fatal: {what}");
    std::process::abort();
}
