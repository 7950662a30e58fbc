//! Outsiders: those who are at work in a runtime that they do not keep alive.
//!
//! ```text
//!   outsider                                   a runtime that closes, or goes
//!   ────────                                   ──────────────────────────────
//!   write the runtime's address into a slot    end all that an outsider could act on
//!   fence                                      fence
//!   win the goroutine, or find it ended        wait until no slot has the runtime's address
//!   queue it; clear the slot
//! ```
//!
//! **Invariant.** Whoever has won a goroutine of a runtime has that runtime's address in a slot, and the runtime stays.
//! Of the two fences one comes first: either the runtime sees the slot, or the outsider sees that there is nothing to
//! be won.
//!
//! A slot is one outsider's, so a callback of one runtime that blocks (an event sink, a policy) holds up the end of that
//! runtime and of no other. Slots are never freed; there are as many as there ever were outsiders at one time.

use crate::ground::sync::full_fence;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

/// How often a closing runtime looks whether the last outsider is through.
const PERIOD: Duration = Duration::from_micros(50);

struct Slot {
    /// Where its outsider is at work; null: it is free.
    runtime: AtomicPtr<()>,
    next: *const Slot,
}

static FIRST: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());

/// Somebody who is at work in a runtime that may be closing. It must not suspend.
pub(crate) struct Outsider(&'static Slot);

impl Outsider {
    /// Enters a runtime, which may be gone: its address is only compared.
    pub(crate) fn enter(runtime: *const ()) -> Self {
        let slot = free_slot(runtime.cast_mut()).unwrap_or_else(|| new_slot(runtime.cast_mut()));
        // Pairs with the fence in `wait_for_outsiders`.
        full_fence();
        Self(slot)
    }
}

impl Drop for Outsider {
    fn drop(&mut self) {
        // ORDER: outsider. Release pairs with `wait_for_outsiders`: what we did in the runtime is done.
        self.0.runtime.store(ptr::null_mut(), Ordering::Release);
    }
}

fn slots() -> impl Iterator<Item = &'static Slot> {
    // ORDER: outsider. Acquire pairs with `new_slot`: the slot is filled in.
    let mut next = FIRST.load(Ordering::Acquire).cast_const();
    core::iter::from_fn(move || {
        // SAFETY: slots are never freed.
        let slot = unsafe { next.as_ref() }?;
        next = slot.next;
        Some(slot)
    })
}

fn free_slot(runtime: *mut ()) -> Option<&'static Slot> {
    // Relaxed: the fence in `enter` orders it.
    let take = |slot: &&Slot| {
        slot.runtime.load(Ordering::Relaxed).is_null()
            && slot
                .runtime
                .compare_exchange(ptr::null_mut(), runtime, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    };
    slots().find(take)
}

#[cold]
fn new_slot(runtime: *mut ()) -> &'static Slot {
    let mut first = FIRST.load(Ordering::Relaxed);
    let slot = Box::into_raw(Box::new(Slot { runtime: AtomicPtr::new(runtime), next: first }));
    loop {
        // ORDER: outsider. Release pairs with `slots`.
        match FIRST.compare_exchange_weak(first, slot, Ordering::Release, Ordering::Relaxed) {
            // SAFETY: just made, and never freed.
            Ok(_) => return unsafe { &*slot },
            Err(now) => {
                first = now;
                // SAFETY: nobody else has it yet.
                unsafe { (*slot).next = first };
            }
        }
    }
}

/// Waits until those who are outsiders of this runtime now are through.
pub(crate) fn wait_for_outsiders(runtime: *const ()) {
    full_fence();
    for slot in slots() {
        // ORDER: outsider. Acquire pairs with the outsider's end: what it did is seen.
        while ptr::eq(slot.runtime.load(Ordering::Acquire), runtime) {
            std::thread::sleep(PERIOD);
        }
    }
}
