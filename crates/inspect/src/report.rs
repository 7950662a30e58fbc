//! Stacks for gmp-core's own reports: of a deadlock, and of goroutines that overrun their time slices.

use crate::symbols::{Symbols, without_runtime};
use crate::walk::{Copy, Walk};
use core::fmt;
use core::ops::Range;
use gmp_core::contract::{Context, SavedRegisters};
use gmp_core::sight::{Captured, Inspector, Unwind, inspect_by};
use std::time::Duration;

/// Adds stacks to the reports of all runtimes of this process. It is enough to call it once.
pub fn install() {
    inspect_by(&Inspector { unwind: || Box::new(Stacks(Walk::new())), capture, describe });
}

struct Stacks(Walk);

impl Unwind for Stacks {
    fn unwind(&mut self, context: Context, saved: SavedRegisters, stack: Range<usize>) -> Vec<usize> {
        self.0.copy(context, saved, &stack);
        self.0.addresses().to_vec()
    }
}

fn capture(thread: i32, slot: usize, patience: Duration) -> Option<Box<dyn Captured>> {
    Copy::capture(thread, slot, patience).map(|copy| Box::new(copy) as Box<dyn Captured>)
}

impl Captured for Copy {
    fn addresses(self: Box<Self>) -> Vec<usize> {
        Walk::along(*self).addresses().to_vec()
    }
}

fn describe(addresses: &[usize], suspended: bool, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let frames = Symbols::default().resolve(addresses);
    let shown = without_runtime(&frames, suspended);
    frames[shown].iter().try_for_each(|frame| write!(f, "\n{frame}"))
}
