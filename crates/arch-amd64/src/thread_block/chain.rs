//! The chain: our blocks between two bookends on glibc's list of threads.
//!
//! ```text
//!   glibc's head ─► ... ─► newer bookend ─► block ─► block ─► ... ─► older bookend ─► ...
//!                              └──────── ours to change ───────┘
//! ```
//!
//! `dlopen` walks the list to initialise a new library's thread-locals in each thread, including those that the library
//! declared for speed (initial-exec). glibc puts threads in at the head and takes out those that end. The bookends
//! never end, so no thread of glibc's ever lies between them, and only we change what lies there, under our own lock. A
//! walk that is under way meanwhile goes forwards: a block is complete before the one link that leads to it is written.
//!
//! Blocks are never unlinked and their memory is never given back, so no walk can come to a block that is gone.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::base::at;
use super::newborn::Newborn;

/// The bookends' bases and the place of the links.
struct Ends {
    newer: usize,
    older: usize,
    list: isize,
}

static ENDS: Mutex<Option<Ends>> = Mutex::new(None);

/// Where two neighbours' links lie: the newer one's leads forward to the older one's, and that one's back.
pub(super) fn find_links(older: &Newborn, newer: &Newborn) -> Option<isize> {
    let leads = |offset: isize| {
        let (forward, back) =
            (newer.base.wrapping_add_signed(offset), older.base.wrapping_add_signed(offset));
        // SAFETY: both bookends stay, and are nobody's any more but for the outer links.
        unsafe { newer.now(offset).read() == back as u64 && older.now(offset + 8).read() == forward as u64 }
    };
    let mut found = (0..older.above() - 8).step_by(8).filter(|&offset| leads(offset));
    let list = found.next()?;
    found.next().is_none().then_some(list)
}

/// Sets the threads between which the chain lies.
pub(super) fn set_ends(newer: usize, older: usize, list: isize) {
    *ENDS.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ends { newer, older, list });
}

/// Puts a complete block in.
pub(super) fn link(base: usize) {
    let ends = ENDS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Ends { newer, list, .. }) = *ends else { return };
    let links = |base: usize| base.wrapping_add_signed(list) as u64;
    // SAFETY: the links between the bookends are ours, under the lock.
    unsafe {
        let next = at(newer, list).read();
        at(base, list).write(next);
        at(base, list + 8).write(links(newer));
        let next: *mut u64 = core::ptr::with_exposed_provenance_mut(next as usize);
        next.add(1).write(links(base));
        let forward: &AtomicUsize = AtomicUsize::from_ptr(at(newer, list).cast());
        // ORDER: chain. A walk of the loader's comes to a complete block.
        forward.store(base.wrapping_add_signed(list), Ordering::Release);
    }
}

/// Whether this process is the child of a fork whose list of threads is new and does not have the chain.
static CUT: AtomicBool = AtomicBool::new(false);

/// Called in a new process, for which glibc has begun a new list.
pub(super) fn cut() {
    CUT.store(true, Ordering::Relaxed);
}

/// Puts the old chain, bookends and all, between two new bookends, if a fork has cut it off.
pub(super) fn mend(make: impl FnOnce() -> Option<(usize, usize)>) {
    if !CUT.swap(false, Ordering::Relaxed) {
        return;
    }
    let Some((newer, older)) = make() else { return };
    let mut ends = ENDS.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(Ends { newer: old_newer, older: old_older, list }) = *ends else { return };
    let links = |base: usize| base.wrapping_add_signed(list) as u64;
    // SAFETY: as in `link`.
    unsafe {
        at(old_newer, list + 8).write(links(newer));
        at(old_older, list).write(links(older));
        at(older, list + 8).write(links(old_older));
        let forward: &AtomicUsize = AtomicUsize::from_ptr(at(newer, list).cast());
        // ORDER: chain. As in `link`.
        forward.store(old_newer.wrapping_add_signed(list), Ordering::Release);
    }
    *ends = Some(Ends { newer, older, list });
}
