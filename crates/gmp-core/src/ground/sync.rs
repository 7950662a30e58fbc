//! The seam between the protocols and the machine: atomics, threads and fences, or loom's models of them.
//!
//! Protocol code takes these names from here and from nowhere else, so that `--cfg loom` runs the real types under
//! the model checker. loom models fences faithfully and SeqCst accesses not, therefore [`full_fence`] is the only
//! strong ordering that the protocols use.

#[cfg(not(loom))]
mod cell;
mod spin;

#[cfg(not(loom))]
pub(crate) use cell::UnsafeCell;
#[cfg(loom)]
pub(crate) use loom::sync::Arc;
pub use spin::SpinLock;
#[cfg(not(loom))]
pub(crate) use std::sync::Arc;

#[cfg(loom)]
pub(crate) use loom::{
    cell::UnsafeCell,
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

#[cfg(not(loom))]
pub(crate) use std::{
    hint::spin_loop,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize},
    thread,
};

/// The store-load fence: everything this thread wrote before it is visible to whoever reads after a `full_fence` of
/// its own that comes later in the one order of all such fences.
#[inline(always)]
pub fn full_fence() {
    #[cfg(loom)]
    loom::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
    #[cfg(not(loom))]
    core::sync::atomic::fence(core::sync::atomic::Ordering::SeqCst);
}

/// The light half of an asymmetric fence: keeps the compiler from swapping a store and a later load. The CPU is seen to
/// by the other side's [`heavy_fence`](crate::ground::fence::heavy_fence). In a model it is a full one, which is what
/// the two amount to, unless the model has no heavy half (`without_heavy_fence`).
#[inline(always)]
pub fn light_fence() {
    #[cfg(loom)]
    if !NO_HEAVY_FENCE.get() {
        full_fence();
    }
    #[cfg(not(loom))]
    core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
}

#[cfg(loom)]
std::thread_local! {
    /// All threads of a model run on the one that explores it.
    static NO_HEAVY_FENCE: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

/// Explores a model in which nobody makes the heavy half of a fence, so that the light half is none.
#[cfg(loom)]
pub(crate) fn without_heavy_fence<R>(explore: impl FnOnce() -> R) -> R {
    NO_HEAVY_FENCE.set(true);
    let explored = explore();
    NO_HEAVY_FENCE.set(false);
    explored
}
