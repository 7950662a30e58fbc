//! The registry: where the process's G records come from, stay, and can all be found.
//!
//! Go: `allgs`, `sched.gFree` (proc.go, Go 1.27). Records are carved from slabs that are never freed; free ones are
//! kept by Ps, and in batches here.

use super::G;
use core::ptr::NonNull;
use std::alloc::Layout;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Records of the first slab; each further slab doubles, up to [`LARGEST_SLAB`].
const FIRST_SLAB: usize = 64;
/// 2 MiB of records: large enough that a million goroutines make few slabs.
const LARGEST_SLAB: usize = 8192;
/// How many records a P takes or gives at once. Go: 32 (`gfget`, `gfput`).
pub(crate) const BATCH: usize = 32;

/// Free records of a P, last in, first out. An array: records that were freed long ago are in no cache, and a list
/// through them would make each take wait for memory.
#[doc(alias = "gFree")]
pub(crate) struct FreeGs {
    gs: [Option<&'static G>; FreeGs::CAPACITY],
    len: usize,
}

impl FreeGs {
    /// Go: 64 (`gfput`).
    pub(crate) const CAPACITY: usize = 2 * BATCH;

    pub(crate) const fn new() -> Self {
        Self { gs: [None; Self::CAPACITY], len: 0 }
    }

    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.len == Self::CAPACITY
    }

    /// Adds a record; not to a full list.
    #[inline]
    pub(crate) fn push(&mut self, g: &'static G) {
        self.gs[self.len] = Some(g);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<&'static G> {
        self.len = self.len.checked_sub(1)?;
        self.gs[self.len].take()
    }
}

struct Slab {
    first: NonNull<G>,
    count: usize,
}

// SAFETY: a slab is plain memory of the whole process.
unsafe impl Send for Slab {}

struct Registry {
    slabs: Vec<Slab>,
    /// Records handed out of the last slab so far.
    carved: usize,
    free: Vec<&'static G>,
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { slabs: Vec::new(), carved: 0, free: Vec::new() });

fn lock() -> MutexGuard<'static, Registry> {
    // Nothing in here can leave the registry half changed, so a poisoned lock is as good as any.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Moves up to `want` free records into `into`; fewer, or none, when there is no memory for more.
#[doc(alias = "gfget")]
pub(crate) fn refill(into: &mut FreeGs, want: usize) {
    let mut registry = lock();
    for _ in 0..want {
        let Some(g) = registry.free.pop().or_else(|| registry.carve()) else { return };
        into.push(g);
    }
}

/// Whether a free record is in `stock`, which is filled if it is empty.
pub(crate) fn has_one(stock: &mut FreeGs) -> bool {
    if stock.len == 0 {
        refill(stock, BATCH);
    }
    stock.len != 0
}

/// Takes one record.
pub(crate) fn take_one() -> Option<&'static G> {
    let mut registry = lock();
    registry.free.pop().or_else(|| registry.carve())
}

/// Gives up to `count` records back.
#[doc(alias = "gfput")]
pub(crate) fn give_back(from: &mut FreeGs, count: usize) {
    let mut registry = lock();
    registry.free.extend(core::iter::from_fn(|| from.pop()).take(count));
}

/// Gives one record back.
pub(crate) fn give_one(g: &'static G) {
    lock().free.push(g);
}

/// Looks at every record there is, free ones too.
#[doc(alias = "forEachG")]
pub(crate) fn for_each(mut look: impl FnMut(&'static G)) {
    let ranges: Vec<(NonNull<G>, usize)> = {
        let registry = lock();
        let last = registry.slabs.len().wrapping_sub(1);
        let count = |(i, slab): (usize, &Slab)| if i == last { registry.carved } else { slab.count };
        registry.slabs.iter().enumerate().map(|(i, slab)| (slab.first, count((i, slab)))).collect()
    };
    for (first, count) in ranges {
        for i in 0..count {
            // SAFETY: records below `carved` are initialised, and never freed.
            look(unsafe { first.add(i).as_ref() });
        }
    }
}

/// How many records exist, in use or free.
pub(crate) fn count() -> usize {
    let registry = lock();
    let whole: usize = registry.slabs.iter().rev().skip(1).map(|slab| slab.count).sum();
    whole + registry.carved
}

impl Registry {
    #[doc(alias = "malg")]
    #[doc(alias = "allgadd")]
    fn carve(&mut self) -> Option<&'static G> {
        if self.slabs.last().is_none_or(|slab| slab.count == self.carved) {
            self.grow()?;
        }
        let slab = self.slabs.last()?;
        // SAFETY: `carved` is below `count`, so the address lies in the slab.
        let place = unsafe { slab.first.add(self.carved) };
        // SAFETY: fresh memory of the right size and alignment, ours alone until it is handed out.
        unsafe { place.write(G::blank()) };
        self.carved += 1;
        // SAFETY: just initialised, and never freed.
        Some(unsafe { place.as_ref() })
    }

    fn grow(&mut self) -> Option<()> {
        let count = self.slabs.last().map_or(FIRST_SLAB, |slab| (slab.count * 2).min(LARGEST_SLAB));
        let layout = Layout::array::<G>(count).expect("a slab is far below the address space");
        // Room to take every record back, so that the end of a goroutine never asks for memory.
        let records: usize = self.slabs.iter().map(|slab| slab.count).sum::<usize>() + count;
        self.free.try_reserve(records.saturating_sub(self.free.len())).ok()?;
        self.slabs.try_reserve(1).ok()?;
        // SAFETY: the layout is not empty.
        let memory = unsafe { std::alloc::alloc(layout) };
        let first = NonNull::new(memory.cast::<G>())?;
        self.slabs.push(Slab { first, count });
        self.carved = 0;
        Some(())
    }
}
