//! `yield_2`, `yield_1000`: one operation is one `yield_now`, among 2 or 1,000 goroutines that do nothing else.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;

pub(super) fn main(cell: &Cell, many: u64) -> Result<Figures> {
    measure::looped(cell, |n| {
        let each = n / many;
        let one = |_| {
            gmp::go(move || {
                (0..each).for_each(|_| gmp::yield_now());
                each
            })
        };
        let all: Vec<_> = (0..many).map(one).collect();
        let done: u64 = all.into_iter().map(|one| one.join().unwrap_or(0)).sum();
        expect("yields", done, n)
    })
}
