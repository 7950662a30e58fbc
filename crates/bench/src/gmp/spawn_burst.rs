//! `spawn_burst`: one goroutine spawns n empty ones, then waits for all. One operation is one of them, and
//! `bytes_per_g` is the growth of the peak resident memory: most of it is goroutines that wait for their first run.

use super::latch::Latch;
use crate::cell::{Cell, Figures, Result};
use crate::{measure, process};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let before = process::rss();
    let timed = measure::whole(cell, cell.n, || {
        let latch = Latch::new(cell.n)?;
        for _ in 0..cell.n {
            drop(gmp::go(|| latch.done()));
        }
        // This is the check: it returns after n calls and never before.
        latch.wait();
        Ok(())
    })?;
    Ok(measure::bytes_per_g(cell, before, timed))
}
