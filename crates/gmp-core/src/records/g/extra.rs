//! `Extra`: what few goroutines have, kept out of the record; and how somebody else may read it while its goroutine runs.
//!
//! ```text
//!   a reader                              the owner, who replaces it
//!   ────────                              ──────────────────────────
//!   readers + 1                           the pointer is taken out
//!   full fence                            full fence
//!   look at the pointer, copy             readers? wait until there are none
//!   readers - 1                           free
//! ```
//!
//! **Invariant.** Of the two fences one comes first. If the reader's is first, the owner sees the reader and waits; if the
//! owner's is first, the reader finds the pointer gone. So nothing is freed under a reader. **The danger** would be an
//! owner who waits for long: a reader holds its place for a few copies only, and calls nothing meanwhile.

use crate::ground::sync::{AtomicPtr, AtomicUsize, full_fence};
use crate::records::g::locals::Locals;
use core::panic::Location;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::Arc;

/// What few goroutines have: kept out of the record.
#[derive(Debug, Default)]
pub(crate) struct Extra {
    /// The name given at spawn.
    pub name: Option<Arc<str>>,
    /// Labels, inherited by goroutines that this one spawns.
    pub labels: Arc<[(String, String)]>,
    /// Where the spawners were created, nearest first; only if asked for.
    pub ancestors: Vec<Ancestor>,
    /// The stack size asked for at spawn in bytes; 0: the runtime's default.
    pub stack_size: usize,
    /// Its goroutine-locals.
    pub locals: Locals,
}

impl Extra {
    /// Whether it says nothing that a goroutine without one would not.
    pub(crate) fn is_plain(&self) -> bool {
        self.name.is_none()
            && self.labels.is_empty()
            && self.ancestors.is_empty()
            && self.stack_size == 0
            && self.locals.is_empty()
    }
}

/// A goroutine that spawned this one, directly or not.
#[derive(Clone, Copy, Debug)]
#[doc(alias = "ancestorInfo")]
pub struct Ancestor {
    /// Its number.
    pub number: u64,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
}

/// A record's pointer to its [`Extra`].
#[derive(Debug)]
pub(crate) struct ExtraCell(AtomicPtr<Extra>);

impl ExtraCell {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// What is there.
    ///
    /// # Safety
    /// The caller owns the record, or the owner cannot go on meanwhile; and the reference is used only until the owner
    /// replaces what is there.
    #[inline]
    pub(crate) unsafe fn get(&self) -> Option<&Extra> {
        // SAFETY: it came from a box in `replace`, and only the owner takes it out again.
        unsafe { self.0.load(Relaxed).as_ref() }
    }

    /// Puts another there, or none, and frees the one before. By the owner.
    pub(crate) fn replace(&self, new: Option<Box<Extra>>) {
        drop(self.replace_beside(readers(), new));
    }

    pub(super) fn replace_beside(&self, readers: &Readers, new: Option<Box<Extra>>) -> Option<Box<Extra>> {
        let old = self.0.load(Relaxed);
        // ORDER: extra. Release pairs with the acquire in `Reader::look`: what the new one holds is seen.
        self.0.store(new.map_or(ptr::null_mut(), Box::into_raw), Release);
        if old.is_null() {
            return None;
        }
        readers.wait_until_none();
        // SAFETY: it came from a box here, no reader finds it any more, and those who had found it are through.
        Some(unsafe { Box::from_raw(old) })
    }
}

/// How many read the extras of goroutines that may run meanwhile.
#[derive(Debug)]
pub(crate) struct Readers(AtomicUsize);

impl Readers {
    #[cfg(not(loom))]
    const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(super) fn enter(&self) -> Reader<'_> {
        self.0.fetch_add(1, Relaxed);
        full_fence();
        Reader(self)
    }

    fn wait_until_none(&self) {
        full_fence();
        // ORDER: extra-read. Acquire pairs with the release of the last reader: it has read what is now freed.
        while self.0.load(Acquire) != 0 {
            crate::ground::sync::thread::yield_now();
        }
    }
}

/// The process's.
#[cfg(not(loom))]
fn readers() -> &'static Readers {
    static READERS: Readers = Readers::new();
    &READERS
}

/// A model has one of its own.
#[cfg(loom)]
fn readers() -> &'static Readers {
    unreachable!("a model has readers of its own")
}

/// The right to look at extras of goroutines that run meanwhile. To be kept for few looks, since their ends wait for it.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a Readers);

impl Reader<'static> {
    /// Begins to read.
    pub(crate) fn enter() -> Self {
        readers().enter()
    }
}

impl Reader<'_> {
    /// What is there at this moment.
    pub(crate) fn look<'r>(&'r self, cell: &ExtraCell) -> Option<&'r Extra> {
        // ORDER: extra. Acquire pairs with the release in `replace`.
        // SAFETY: whoever takes it out waits for us.
        unsafe { cell.0.load(Acquire).as_ref() }
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        // ORDER: extra-read. Release pairs with the acquire in `wait_until_none`.
        self.0.0.fetch_sub(1, Release);
    }
}
