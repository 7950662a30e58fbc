//! A `Region` that remembers everything, fails when told to, and lets a test look.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::{BTreeMap, BTreeSet};
use std::ptr::NonNull;
use std::sync::{Arc, Mutex};

use gmp_core::contract::{Region, Slab, StackError};

pub(crate) const PAGE: usize = 4096;
pub(crate) const ENOMEM: i32 = 12;

/// What has happened to a region.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Living slabs: base, then stride, guard and count.
    pub(crate) slabs: BTreeMap<usize, (usize, usize, usize)>,
    /// Usable bottoms of all stacks with a guard.
    pub(crate) guarded: BTreeSet<usize>,
    /// Discarded ranges: start and bytes.
    pub(crate) discarded: Vec<(usize, usize)>,
    /// How many slabs were ever reserved.
    pub(crate) reserved: usize,
    /// Reservations of more bytes than this fail.
    pub(crate) most_bytes: Option<usize>,
    /// This many calls of `guard` fail from now on.
    pub(crate) refuse_guards: usize,
}

/// The region; clones share one history.
#[derive(Clone, Debug, Default)]
#[allow(dead_code)]
pub(crate) struct Fake(pub(crate) Arc<Mutex<History>>);

impl Fake {
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut History) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, PAGE).unwrap()
}

// SAFETY: R1 by the allocator, but for the zeroes; R2 and R3 are only written down:
// no test over this region touches a guard or reads a page.
unsafe impl Region for Fake {
    fn page_size(&self) -> usize {
        PAGE
    }

    fn reserve(&self, count: usize, stride: usize, guard: usize) -> Result<Slab, StackError> {
        assert!(count > 0 && stride.is_multiple_of(PAGE) && guard.is_multiple_of(PAGE) && guard < stride);
        self.look(|history| {
            if history.most_bytes.is_some_and(|most| count * stride > most) {
                return Err(StackError::OutOfMemory { errno: ENOMEM });
            }
            // SAFETY: the layout is not of zero size.
            let base = NonNull::new(unsafe { alloc(layout(count * stride)) }).unwrap();
            history.reserved += 1;
            history.slabs.insert(base.addr().get(), (stride, guard, count));
            // SAFETY: address space that the fake keeps for these stacks until it is released.
            Ok(unsafe { Slab::new(base, count, stride, guard) })
        })
    }

    fn guard(&self, slab: &Slab, index: usize) -> Result<(), StackError> {
        assert!(index < slab.count());
        let start = slab.base().addr().get();
        self.look(|history| {
            assert_eq!(history.slabs[&start], (slab.stride(), slab.guard(), slab.count()));
            if history.refuse_guards > 0 {
                history.refuse_guards -= 1;
                return Err(StackError::OutOfMemory { errno: ENOMEM });
            }
            let bottom = start + index * slab.stride() + slab.guard();
            assert!(history.guarded.insert(bottom), "one guard is installed once");
            Ok(())
        })
    }

    unsafe fn discard(&self, start: NonNull<u8>, bytes: usize) {
        let start = start.addr().get();
        assert!(start.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE) && bytes > 0);
        self.look(|history| {
            let (base, (stride, guard, count)) = history.slabs.range(..=start).next_back().unwrap();
            let within = (start - base) % stride;
            assert!(start < base + stride * count && within >= *guard && within + bytes <= *stride);
            history.discarded.push((start, bytes));
        });
    }

    unsafe fn release(&self, slab: Slab) {
        let start = slab.base().addr().get();
        self.look(|history| {
            assert_eq!(history.slabs.remove(&start), Some((slab.stride(), slab.guard(), slab.count())));
        });
        // SAFETY: allocated by `reserve` with this layout.
        unsafe { dealloc(slab.base().as_ptr(), layout(slab.stride() * slab.count())) };
    }
}
