//! The runtime that a goroutine lives in, as its record names it.
//!
//! Whoever looks through all records, or holds a stale token of an earlier goroutine, asks for it while a spawner of
//! another runtime fills the record in. So it is an atomic. Such a reader compares it at most.
//!
//! **Invariant.** It changes only while the record's word is Free, before the release that makes the next goroutine
//! Runnable. So a reader asks the word first. One that asks this first may find its own runtime in a free record, which
//! then goes to another, and takes the stranger's status for that of one of its own.
//!
//! A wait that was read before this is the wait of a goroutine of this runtime for as long as it goes on: ending it by its
//! serial number tells.

use super::word::{GWord, Status, Wait};
use crate::ground::sync::AtomicPtr;
use core::ptr;
use core::sync::atomic::Ordering::Relaxed;

/// The address of a runtime's header; null for none.
#[derive(Debug)]
pub(crate) struct HeaderRef(AtomicPtr<()>);

impl HeaderRef {
    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> *const () {
        self.0.load(Relaxed)
    }

    #[inline(always)]
    pub(crate) fn set(&self, header: *const ()) {
        self.0.store(header.cast_mut(), Relaxed);
    }

    /// The status that `word` tells of a goroutine of the runtime of this header; `None` if it is of another.
    pub(in crate::records) fn status(&self, word: &GWord, header: *const ()) -> Option<Status> {
        let status = word.status();
        (self.get() == header).then_some(status)
    }

    /// The wait that `word` tells of a goroutine of the runtime of this header, if there is one.
    pub(in crate::records) fn wait(&self, word: &GWord, header: *const ()) -> Option<Wait> {
        let wait = word.present_wait()?;
        (self.get() == header).then_some(wait)
    }
}
