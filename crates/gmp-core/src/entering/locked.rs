//! Goroutines locked to their M, counted and nested. Go: `LockOSThread`, `dolockOSThread` (proc.go, Go 1.27).
//!
//! While a goroutine is locked, its M runs nothing else: when the goroutine suspends, the M hands its P on and sleeps;
//! when another M finds it runnable, that M hands its own P over and sleeps. If it ends while locked, its thread ends.

use crate::records::g::{Flags, G};
use crate::records::m::M;
use core::ptr;

/// Locks the calling goroutine `g` to its M once more.
///
/// # Panics
/// If it holds all the locks that there may be.
pub(crate) fn lock(g: &G, m: &M) {
    assert!(try_lock(g, m), "a goroutine is locked to its thread at most 65,535 times over");
}

/// [`lock`], or `false` if it holds all the locks that there may be.
pub(crate) fn try_lock(g: &G, m: &M) -> bool {
    let Some(locks) = g.locks.get().checked_add(1) else { return false };
    g.locks.set(locks);
    g.set(Flags::LOCKED);
    g.set_home(m);
    m.locked_g.set(g);
    true
}

/// Takes back one lock of the calling goroutine `g` to its M.
pub(crate) fn unlock(g: &G, m: &M) {
    let locks = g.locks.get().saturating_sub(1);
    g.locks.set(locks);
    if locks == 0 {
        g.unset(Flags::LOCKED);
        m.locked_g.set(ptr::null());
        if !g.has(Flags::PINNED) {
            g.set_home(ptr::null());
        }
    }
}
