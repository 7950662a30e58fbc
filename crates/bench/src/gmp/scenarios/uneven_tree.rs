//! `uneven_tree`: one operation is one node. Each node spawns a goroutine for each child and waits for all of them; one
//! child has most of what is below, so the tree is deep and uneven. A scheduler that runs the youngest first has few
//! goroutines at work at a time, one that runs the oldest first has whole levels: `maxrss_mb` says what that costs.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;

const CHILDREN: u64 = 4;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let n = cell.n;
    measure::whole(cell, n, || expect("nodes", nodes(n, n | 1), n))
}

/// The nodes of a tree of `size`, counted. A child that failed counts nothing, and the check of the sum says so.
fn nodes(size: u64, seed: u64) -> u64 {
    let mut left = size - 1;
    let mut children = Vec::with_capacity(CHILDREN as usize);
    for child in (0..CHILDREN).rev() {
        // Of what is left, between nothing and all but a little; the last child has the rest.
        let seed = (seed + child).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) | 1;
        let share = if child == 0 { left } else { left * (seed % 16) / 32 };
        left -= share;
        if share > 0 {
            children.push(gmp::go(move || nodes(share, seed)));
        }
    }
    1 + children.into_iter().map(|child| child.join().unwrap_or(0)).sum::<u64>()
}
