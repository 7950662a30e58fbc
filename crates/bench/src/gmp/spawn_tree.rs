//! `spawn_tree`: one operation is one node of a binary tree; each inner node spawns two children and waits for both.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let want = work::tree_nodes(cell.n);
    measure::whole(cell, want, || expect("nodes", nodes(cell.n), want))
}

/// A child that failed counts as no node, and the check of the sum says so.
fn nodes(depth: u64) -> u64 {
    if depth == 0 {
        return 1;
    }
    let left = gmp::go(move || nodes(depth - 1));
    let right = gmp::go(move || nodes(depth - 1));
    1 + left.join().unwrap_or(0) + right.join().unwrap_or(0)
}
