//! `fib`: one operation is one call; each call spawns fib(n-1) and computes fib(n-2) itself, without a cut-off.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::whole(cell, work::fib_calls(cell.n), || expect("fib", fib(cell.n), work::fib(cell.n)))
}

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let other = gmp::go(move || fib(n - 1));
    fib(n - 2) + other.join().unwrap_or(0)
}
