//! `local_burst`: one operation is one of 200 empty goroutines that are spawned together and then awaited. They fit
//! into a P's queue, so this measures its owner's path: pushes, pops, and on two processors a thief that comes by.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;

const BURST: u64 = 200;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let mut burst = Vec::with_capacity(BURST as usize);
    measure::looped(cell, |n| {
        let bursts = (n / BURST).max(1);
        let mut ran = 0;
        for _ in 0..bursts {
            burst.extend((0..BURST).map(|_| gmp::go(|| 1)));
            ran += burst.drain(..).map(|one| one.join().unwrap_or(0)).sum::<u64>();
        }
        expect("goroutines", ran, bursts * BURST)
    })
}
