//! `skynet`: a tree of n leaves, ten children a node. Each leaf sends its number to its parent, each node the sum of
//! what its children sent, over an unbuffered channel of its own. One operation is one leaf.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use crate::work::{self, CHILDREN};
use gmp::{Sender, chan};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let want = work::sky(cell.n)?;
    measure::whole(cell, cell.n, || {
        let (send, receive) = chan(0);
        let n = cell.n;
        drop(gmp::go(move || node(&send, 0, n)));
        expect("sum of the leaves", receive.recv()?, want)
    })
}

/// If a parent is gone, the sum is wrong.
fn node(parent: &Sender<u64>, first: u64, size: u64) {
    if size == 1 {
        let _gone = parent.send(first);
        return;
    }
    let (send, receive) = chan(0);
    let part = size / CHILDREN;
    for i in 0..CHILDREN {
        let send = send.clone();
        drop(gmp::go(move || node(&send, first + i * part, part)));
    }
    let _gone = parent.send(receive.iter().take(CHILDREN as usize).sum());
}
