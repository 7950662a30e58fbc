//! `Spares`: stacks of the default size that the last goroutines to end at a P left. Most spawns get one back at once,
//! warm and with what its context had of its own.

use crate::contract::Stack;

/// Enough for a tree of goroutines, which start and end by turns, to do without the allocator.
const SPARES: usize = 8;

/// A stack of stacks.
#[derive(Debug, Default)]
pub(super) struct Spares {
    stacks: [Option<Stack>; SPARES],
    len: usize,
}

impl Spares {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == SPARES
    }

    /// Gives the stack back if there is no room.
    #[inline]
    pub(super) fn push(&mut self, stack: Stack) -> Option<Stack> {
        match self.stacks.get_mut(self.len) {
            Some(place) => {
                *place = Some(stack);
                self.len += 1;
                None
            }
            None => Some(stack),
        }
    }

    /// The one that was put last.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<Stack> {
        self.len = self.len.checked_sub(1)?;
        self.stacks.get_mut(self.len)?.take()
    }
}
