//! Stacks for gmp-core's own reports: of a deadlock.

use crate::symbols::{Symbols, without_runtime};
use crate::walk::Walk;
use core::fmt;
use core::ops::Range;
use gmp_core::contract::{Context, SavedRegisters};
use gmp_core::sight::{Inspector, Unwind, inspect_by};

/// Gives the reports of all runtimes of this process stacks. Once is enough.
pub fn install() {
    inspect_by(&Inspector { unwind: || Box::new(Stacks(Walk::new())), describe });
}

struct Stacks(Walk);

impl Unwind for Stacks {
    fn unwind(&mut self, context: Context, saved: SavedRegisters, stack: Range<usize>) -> Vec<usize> {
        self.0.copy(context, saved, &stack);
        self.0.addresses().to_vec()
    }
}

fn describe(addresses: &[usize], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let frames = Symbols::default().resolve(addresses);
    let shown = without_runtime(&frames, true);
    frames[shown].iter().try_for_each(|frame| write!(f, "\n{frame}"))
}
