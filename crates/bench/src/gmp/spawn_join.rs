//! `spawn_join`: one operation is to spawn an empty goroutine and wait for it, one at a time.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = (0..n).filter(|_| gmp::go(|| ()).join().is_ok()).count() as u64;
        expect("goroutines joined", ended, n)
    })
}
