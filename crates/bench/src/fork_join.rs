//! Fork and join without a cut-off, over any library's `join`: the smallest pieces that a program can be divided into.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};

/// A library's `join`.
pub(crate) trait Join {
    /// Calls both, at the same time if it can.
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send;
}

/// One operation is one call of fib(n).
pub(crate) fn fib<J: Join>(cell: &Cell) -> Result<Figures> {
    measure::whole(cell, work::fib_calls(cell.n), || expect("fib", fib_of::<J>(cell.n), work::fib(cell.n)))
}

fn fib_of<J: Join>(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = J::join(|| fib_of::<J>(n - 1), || fib_of::<J>(n - 2));
    a + b
}

/// A tree that is there before it is summed.
struct Tree {
    value: u64,
    children: Option<Box<(Tree, Tree)>>,
}

impl Tree {
    fn grow(depth: u64) -> Self {
        let children = (depth > 0).then(|| Box::new((Self::grow(depth - 1), Self::grow(depth - 1))));
        Self { value: 1, children }
    }

    fn sum<J: Join>(&self) -> u64 {
        let Some(children) = &self.children else { return self.value };
        let (left, right) = J::join(|| children.0.sum::<J>(), || children.1.sum::<J>());
        self.value + left + right
    }
}

/// One operation is one node of a tree of depth n.
pub(crate) fn tree<J: Join>(cell: &Cell) -> Result<Figures> {
    let (tree, want) = (Tree::grow(cell.n), work::tree_nodes(cell.n));
    measure::whole(cell, want, || expect("nodes", tree.sum::<J>(), want))
}

/// One operation is one of n numbers sorted.
pub(crate) fn sort<J: Join>(cell: &Cell) -> Result<Figures> {
    let mut numbers: Vec<u64> = (0..cell.n).map(work::splitmix64).collect();
    measure::whole(cell, cell.n, || {
        quicksort::<J>(&mut numbers);
        expect(
            "numbers that are smaller than the one before",
            numbers.windows(2).filter(|two| two[0] > two[1]).count(),
            0,
        )
    })
}

fn quicksort<J: Join>(numbers: &mut [u64]) {
    let Some(last) = numbers.len().checked_sub(1).filter(|&last| last > 0) else { return };
    numbers.swap(last / 2, last);
    let mut smaller = 0;
    for at in 0..last {
        if numbers[at] < numbers[last] {
            numbers.swap(smaller, at);
            smaller += 1;
        }
    }
    numbers.swap(smaller, last);
    let (low, high) = numbers.split_at_mut(smaller);
    J::join(|| quicksort::<J>(low), || quicksort::<J>(&mut high[1..]));
}
