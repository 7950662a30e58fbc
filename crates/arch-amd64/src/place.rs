//! At which address the next slab should lie; see `region.rs` for why that matters.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// The lowest address: above the shadow memory of AddressSanitizer, which ends at 16 TiB.
const FROM: usize = 0x1100_0000_0000;
/// Where to begin again: below a third of the address space, from where the kernel places mappings upwards if the main
/// thread's stack is unlimited. Threads' stacks and programs lie above that.
const TO: usize = 0x2000_0000_0000;

/// Where the next slab should lie, which takes this many bytes, a multiple of the page size.
pub(crate) fn next(bytes: usize) -> usize {
    /// How far above `FROM` the first slab lies. It is a random page, since memory at known addresses is easy to
    /// attack.
    static FIRST: LazyLock<usize> =
        LazyLock::new(|| (RandomState::new().build_hasher().finish() as usize % (TO - FROM)) & !0xfff);
    static TAKEN: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: it is a number that nobody else gets, and no other memory depends on it.
    let taken = TAKEN.fetch_add(bytes, Ordering::Relaxed);
    FROM + FIRST.wrapping_add(taken) % (TO - FROM)
}
