//! The asymmetric fence: two halves of one full fence. The frequent side makes
//! [`light_fence`](crate::ground::sync::light_fence), which keeps only the compiler from moving a load before a store;
//! the rare side makes [`heavy_fence`], which makes every other thread of the process pass a full fence meanwhile.
//!
//! Which system call that is, the switch knows (`Switch::heavy_fence`): the first runtime of a process installs it.

use core::sync::atomic::{AtomicPtr, Ordering};

/// The process's heavy fence, once a runtime was made whose switch has one.
static HEAVY_FENCE: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

pub(crate) fn install(fence: Option<fn()>) {
    if let Some(fence) = fence {
        HEAVY_FENCE.store(fence as *mut (), Ordering::Relaxed);
    }
}

/// Whether [`heavy_fence`] may be called.
pub fn has_heavy_fence() -> bool {
    !HEAVY_FENCE.load(Ordering::Relaxed).is_null()
}

/// Every other thread of the process passes a full fence while this lasts: some microseconds. Never suspends.
///
/// # Panics
/// Without a heavy fence.
pub fn heavy_fence() {
    let fence = HEAVY_FENCE.load(Ordering::Relaxed);
    assert!(!fence.is_null(), "gmp_core::only_p::heavy_fence: no runtime of this process has one");
    // SAFETY: only `install` stores here, and it stores functions of this very type.
    let fence: fn() = unsafe { core::mem::transmute(fence) };
    fence();
}
