//! `matmul_steal`: n unequal pieces of CPU work, all spawned by one goroutine. `efficiency` is the share of the ideal
//! speed-up over one thread without a scheduler.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let timed = measure::whole(cell, cell.n, || {
        let all: Vec<_> = (0..cell.n).map(|i| gmp::go(move || work::piece(i))).collect();
        let sum = all.into_iter().map(|one| one.join().unwrap_or(0)).fold(0, u64::wrapping_add);
        expect("sum of the pieces", sum, want)
    })?;
    Ok(measure::efficiency(cell, serial, timed))
}
