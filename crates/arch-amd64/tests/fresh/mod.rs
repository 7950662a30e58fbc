//! Fresh guarded stacks for tests.

use gmp_arch_amd64::Guarded;
use gmp_core::contract::{Region, Slab, Stack};

/// Usable bytes of a test's stack.
pub(crate) const SIZE: usize = 128 << 10;

#[allow(dead_code)]
/// A guarded stack whose slab lives as long as the test process.
pub(crate) fn stack() -> Stack {
    stack_of(&Guarded::default()).0
}

/// A guarded stack of a given region, with its slab.
pub(crate) fn stack_of(region: &Guarded) -> (Stack, Slab) {
    let guard = region.page_size();
    let slab = region.reserve(1, SIZE + guard, guard).unwrap();
    region.guard(&slab, 0).unwrap();
    // SAFETY: the slab has one stack and nobody else knows it.
    let stack = unsafe { Stack::new(slab.base().add(guard), SIZE) };
    (stack, slab)
}
