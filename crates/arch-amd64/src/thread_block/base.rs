//! The base of the calling flow's block, the words that are found from a base, and the way from one block to another.

use core::ptr;

/// Values of pthread keys in one second-level block of glibc's, and how many of those a thread may have.
pub(super) const PER_LEVEL: usize = 32;

/// A word of a block.
pub(super) fn at(base: usize, offset: isize) -> *mut u64 {
    ptr::with_exposed_provenance_mut(base.wrapping_add_signed(offset))
}

/// See [`CARRIED`].
#[repr(transparent)]
pub(crate) struct Carried(pub(super) core::cell::UnsafeCell<[isize; 2]>);

// SAFETY: written once, before the first block exists, and read by those who switch to blocks.
unsafe impl Sync for Carried {}

/// Which two words, as bytes from the base, belong to the thread and are taken along by a switch: malloc's cache and
/// arena, or twice a word that nobody reads.
pub(crate) static CARRIED: Carried = Carried(core::cell::UnsafeCell::new([0; 2]));

/// The calling flow's base.
#[inline(always)]
pub(crate) fn base() -> usize {
    let base;
    // SAFETY: the ABI says that the base's first word holds the base.
    unsafe {
        core::arch::asm!("mov {}, fs:[0]", out(reg) base, options(nostack, preserves_flags, readonly));
    }
    base
}

/// Whether malloc's cache is the thread's.
pub(super) fn shares_malloc() -> bool {
    // SAFETY: written once, before the first block exists.
    let [one, other] = unsafe { *CARRIED.0.get() };
    one != other
}

/// Makes the block at `base` the calling flow's, and takes along the words that belong to the thread.
///
/// # Safety
/// The block is the caller's, and nobody else's at this time; what the compiler knows of thread-locals is void afterwards.
#[inline(never)]
pub(super) unsafe fn set_base(base: usize) {
    // SAFETY: the caller's promise, and the words are those that every block has.
    unsafe {
        core::arch::asm!(
            "mov {at}, [rip + {carried}]",
            "mov {one}, fs:[{at}]",
            "mov {at2}, [rip + {carried} + 8]",
            "mov {two}, fs:[{at2}]",
            "wrfsbase {base}",
            "mov fs:[{at}], {one}",
            "mov fs:[{at2}], {two}",
            at = out(reg) _,
            at2 = out(reg) _,
            one = out(reg) _,
            two = out(reg) _,
            base = in(reg) base,
            carried = sym CARRIED,
            options(nostack, preserves_flags),
        );
    }
}

/// Calls `f` on the block at `base`, and comes back to the caller's block.
///
/// # Safety
/// The same as for [`set_base`]; `f` does not unwind.
#[inline(never)]
pub(crate) unsafe fn call_on(
    block: usize,
    f: unsafe extern "C" fn(*mut core::ffi::c_void),
    arg: *mut core::ffi::c_void,
) {
    let before = base();
    // SAFETY: the caller's promise; `f` gets the argument that is meant for it.
    unsafe {
        set_base(block);
        f(arg);
        set_base(before);
    }
}
