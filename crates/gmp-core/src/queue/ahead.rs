//! Asks for the memory of tokens that come soon, so that it is there when they come.

use crate::contract::Link;

/// Asks for the first two lines of cache at `link`, which is all that the start of a small goroutine touches. It may be any
/// address at all.
#[inline(always)]
pub(super) fn ask_for(link: *mut Link) {
    #[cfg(all(target_arch = "x86_64", not(miri), not(loom)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let first = link.cast_const().cast::<i8>();
        // SAFETY: a hint, which reads nothing and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first) };
        // SAFETY: as above.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(first.wrapping_add(64)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri), not(loom))))]
    let _ = link;
}
