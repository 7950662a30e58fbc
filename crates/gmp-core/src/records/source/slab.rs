//! All sources of the process: made in slabs, used again and again, never freed, so that a stale tag leads to a source.

use super::Source;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many sources the first slab holds. Each later one holds twice as many as the one before it.
const FIRST: u32 = 64;
/// How many slabs there may be: together they hold nearly as many sources as an index can name.
const SLABS: usize = 26;

static ALL: [AtomicPtr<Source>; SLABS] = [const { AtomicPtr::new(ptr::null_mut()) }; SLABS];
static FREE: Mutex<Free> = Mutex::new(Free { list: Vec::new(), slabs: 0 });

struct Free {
    list: Vec<&'static Source>,
    slabs: usize,
}

fn lock() -> MutexGuard<'static, Free> {
    // Nothing in here can leave it half changed.
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which slab, and where in it.
fn place(index: u32) -> (usize, usize) {
    let beyond = u64::from(index) + u64::from(FIRST);
    let slab = (beyond.ilog2() - FIRST.ilog2()) as usize;
    (slab, (beyond - (u64::from(FIRST) << slab)) as usize)
}

/// The source with this index, if there is one.
pub(crate) fn get(index: u32) -> Option<&'static Source> {
    let (slab, at) = place(index);
    // ORDER: sources. Acquire pairs with the release in `grow`: the slab is filled in.
    let first = ALL.get(slab)?.load(Ordering::Acquire);
    // SAFETY: a slab has as many as `place` counts for it, and is never freed.
    (!first.is_null()).then(|| unsafe { &*first.add(at) })
}

/// A source for a new descriptor; `None`: there are as many as there can be.
pub(crate) fn take() -> Option<&'static Source> {
    let mut free = lock();
    if free.list.is_empty() {
        free.grow()?;
    }
    free.list.pop()
}

/// Takes a source back whose descriptor was closed.
pub(crate) fn give_back(source: &'static Source) {
    source.renew();
    lock().list.push(source);
}

impl Free {
    fn grow(&mut self) -> Option<()> {
        let slab = ALL.get(self.slabs)?;
        let count = FIRST << self.slabs;
        let first = count - FIRST;
        let sources: Box<[Source]> = (first..first + count).map(Source::new).collect();
        let sources: &'static [Source] = Box::leak(sources);
        // ORDER: sources. Release pairs with `get`.
        slab.store(sources.as_ptr().cast_mut(), Ordering::Release);
        self.slabs += 1;
        // The first of the slab comes first.
        self.list.extend(sources.iter().rev());
        Some(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_index_has_a_place_of_its_own() {
        assert_eq!(place(0), (0, 0));
        assert_eq!(place(63), (0, 63));
        assert_eq!(place(64), (1, 0));
        assert_eq!(place(191), (1, 127));
        assert_eq!(place(192), (2, 0));
        assert!(place(u32::MAX).0 >= SLABS, "the reserved tag names no source");
    }

    #[test]
    fn a_source_is_found_by_its_tag_and_not_by_an_old_one() {
        let source = take().unwrap();
        let old = source.tag();
        assert!(ptr::eq(get(old.index()).unwrap(), source));
        let side = crate::contract::Side::Read;
        let ticket = source.half(side).ticket();
        give_back(source);
        let ticket = (source.half(side).ticket() != ticket).then(|| source.half(side).ticket()).unwrap();
        source.edge(old, side, false).for_each(|_| ());
        assert_eq!(source.half(side).ticket(), ticket, "an edge of another generation is none");
        source.edge(source.tag(), side, false).for_each(|_| ());
        assert_ne!(source.half(side).ticket(), ticket);
    }
}
