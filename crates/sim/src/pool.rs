//! Free stacks and free records: who gets which one back.
//!
//! Each P keeps those that ended at it, and hands out the last first, since that is the warmest. What is too much for
//! one P goes to a store that all share, in batches. It follows `records/p/spares.rs` and `records/g/registry.rs` of
//! gmp-core and `stacks.rs` of gmp-stack, in what is taken when, not in how.

use std::cell::{Cell, RefCell};

/// How many a P keeps, at most: 64 in its cache and 8 spare ones.
const MOST: usize = 72;
/// How many go to the shared store and come from it at once.
const BATCH: usize = 32;

/// Free things, by their numbers.
#[derive(Debug)]
pub(crate) struct Pool {
    kept: Vec<RefCell<Vec<u32>>>,
    shared: RefCell<Vec<u32>>,
    made: Cell<u32>,
}

impl Pool {
    pub(crate) fn new(procs: usize) -> Self {
        Self { kept: vec![RefCell::default(); procs], shared: RefCell::default(), made: Cell::new(0) }
    }

    /// Whether P `p` has one at hand.
    pub(crate) fn has(&self, p: usize) -> bool {
        !self.kept[p].borrow().is_empty()
    }

    /// One for P `p`: its own last one, or a shared one, or a new one.
    pub(crate) fn take(&self, p: usize) -> u32 {
        let mut kept = self.kept[p].borrow_mut();
        if kept.is_empty() {
            let mut shared = self.shared.borrow_mut();
            let from = shared.len().saturating_sub(BATCH);
            kept.extend(shared.drain(from..));
        }
        kept.pop().unwrap_or_else(|| self.made.replace(self.made.get() + 1))
    }

    /// Gives one back at P `p`.
    pub(crate) fn give(&self, p: usize, number: u32) {
        let mut kept = self.kept[p].borrow_mut();
        if kept.len() == MOST {
            self.shared.borrow_mut().extend(kept.drain(..BATCH));
        }
        kept.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warmest_comes_first_and_what_is_too_much_is_shared() {
        let pool = Pool::new(2);
        let all: Vec<u32> = (0..100).map(|_| pool.take(0)).collect();
        assert!(!pool.has(0) && all == (0..100).collect::<Vec<_>>());
        all.iter().for_each(|number| pool.give(0, *number));
        assert_eq!((pool.take(0), pool.take(1), pool.take(1)), (99, 31, 30));
    }
}
