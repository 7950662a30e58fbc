//! `switch_raw`: one operation is one one-way switch between two stacks, without a scheduler. There and
//! back are two. In the mode `own` each stack has thread-locals of its own.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use gmp_arch_amd64::{Amd64, OwnAmd64, own_thread_locals_available};
use gmp_core::contract::{Carry, Context, Stack, Switch};
use std::alloc::Layout;
use std::ptr::NonNull;

/// The stack of the other side. That side calls nothing, so a page would do.
const STACK: Layout = match Layout::from_size_align(64 << 10, 4096) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

/// The two ends of a ping-pong; the carry is its address.
struct Pair {
    here: Context,
    there: Context,
    /// Round trips, counted on the other side.
    trips: u64,
}

/// Bounces every switch back for ever.
unsafe extern "C" fn bounce<S: Switch>(carry: Carry) -> Context {
    let pair: *mut Pair = carry.cast();
    loop {
        // SAFETY: the pair outlives this flow, which is never continued after `switch_raw` returns, and only one of
        // the two flows runs at any time.
        unsafe { (*pair).trips += 1 };
        // SAFETY: `here` was saved by the switch that brought us here, and nobody has continued it since.
        unsafe { S::switch(&raw mut (*pair).there, (*pair).here, carry) };
    }
}

pub(super) fn run(cell: &Cell) -> Result<Figures> {
    if cell.mode != "own" {
        return bounced::<Amd64>(cell);
    }
    own_thread_locals_available()?;
    bounced::<OwnAmd64>(cell)
}

fn bounced<S: Switch>(cell: &Cell) -> Result<Figures> {
    // SAFETY: the layout has a size.
    let bottom = NonNull::new(unsafe { std::alloc::alloc(STACK) }).ok_or("no memory for a stack")?;
    // SAFETY: A1 to A3 hold for this memory, which is ours and never freed. A4 does not: there is no guard, but
    // `bounce` needs less than a page and calls nothing else.
    let stack = unsafe { Stack::new(bottom, STACK.size()) };
    // SAFETY: the stack is unused and stays for ever.
    let there = unsafe { S::init(&stack, bounce::<S>) }?;
    let mut pair = Pair { here: Context::NULL, there, trips: 0 };
    let carry: *mut Pair = &raw mut pair;
    measure::looped(cell, |n| {
        // SAFETY: as in `bounce`.
        let before = unsafe { (*carry).trips };
        for _ in 0..n / 2 {
            // SAFETY: `there` came from `init` or was saved by the switch that came back to us.
            unsafe { S::switch(&raw mut (*carry).here, (*carry).there, carry.cast()) };
        }
        // SAFETY: as in `bounce`.
        expect("round trips", unsafe { (*carry).trips } - before, n / 2)
    })
}
