//! `Hopped`: who left an M's stack straight for another goroutine, and what that one does for it on its arrival.

use crate::records::g::G;
use core::cell::Cell;
use core::ptr;

/// What the one that arrives does for the one that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// It makes the park that the M's request describes.
    Park = 0,
    /// It queues it at the shared queue's tail.
    ToShared = 1,
    /// It queues it at the tail of the P's own queue.
    ToLocal = 2,
    /// Nothing: it has ended.
    Ended = 3,
}

/// One word, so that arriving costs one look: the record's address, with the errand in the bits that its alignment leaves.
#[derive(Debug)]
pub(crate) struct Hopped(Cell<*const G>);

const MASK: usize = 3;
const _: () = assert!(align_of::<G>() > MASK, "a record's address leaves room for the errand");

impl Default for Hopped {
    fn default() -> Self {
        Self(Cell::new(ptr::null()))
    }
}

impl Hopped {
    /// `g` is about to leave for another goroutine.
    #[inline(always)]
    pub(crate) fn set(&self, g: &'static G, errand: Errand) {
        self.0.set(ptr::from_ref(g).map_addr(|addr| addr | errand as usize));
    }

    /// Whether somebody has left for the one that asks.
    #[inline(always)]
    pub(crate) fn is_some(&self) -> bool {
        !self.0.get().is_null()
    }

    /// Who left, and whether it is for [`Errand::Park`], the most frequent one. Only if [`Hopped::is_some`].
    #[inline(always)]
    pub(crate) fn take(&self) -> Result<&'static G, (&'static G, Errand)> {
        let word = self.0.replace(ptr::null());
        if word.addr() & MASK == Errand::Park as usize {
            // SAFETY: `set` wrote a record's address, and records are never freed.
            return Ok(unsafe { &*word });
        }
        let errand = match word.addr() & MASK {
            1 => Errand::ToShared,
            2 => Errand::ToLocal,
            _ => Errand::Ended,
        };
        // SAFETY: as above.
        Err((unsafe { &*word.map_addr(|addr| addr & !MASK) }, errand))
    }
}
