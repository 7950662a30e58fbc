//! Asks for the memory of goroutines that are about to be woken. Those that have waited for long are in no cache; whoever
//! wakes many of them asks for all their words before it looks at the first, and for the rest of each, and the stack, as
//! soon as the word says that it is his to wake. So they are there when the goroutine runs.

use super::G;
use crate::contract::Switch;
use core::ptr;

/// The part of a record that has its word and its context.
const LINE: usize = 64;
/// How much of its stack a goroutine reads on its way out of a wait: a few frames.
const FRAMES: usize = 384;

impl G {
    /// Asks for the word.
    #[inline]
    pub(crate) fn ask_for_word<S: Switch>(&self) {
        S::prefetch(ptr::from_ref(self).cast(), LINE);
    }

    /// Asks for what a goroutine needs that runs, by whoever has just ended its wait.
    #[inline]
    pub(crate) fn ask_for_rest<S: Switch>(&self) {
        S::prefetch(ptr::from_ref(self).cast::<()>().wrapping_byte_add(LINE), size_of::<G>() - LINE);
        S::prefetch(self.context.get().0.cast_const(), FRAMES);
    }
}
