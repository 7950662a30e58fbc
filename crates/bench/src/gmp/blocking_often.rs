//! `blocking_often`: 16 goroutines block in the kernel for 100 us, n times each, without telling the scheduler. Each
//! call is over about when sysmon has noticed it, which makes this the hard case. The figure is the time of the whole
//! run divided by the calls.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, process, work};

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let calls = cell.n;
    measure::once(cell, work::CALLERS * calls, || {
        let callers: Vec<_> = (0..work::CALLERS).map(|_| gmp::go(move || caller(calls))).collect();
        let ended: u64 = callers.into_iter().map(|caller| caller.join().unwrap_or(0)).sum();
        expect("blocking calls", ended, work::CALLERS * calls)
    })
}

fn caller(calls: u64) -> u64 {
    for _ in 0..calls {
        process::nanosleep(work::BLOCKED_SHORTLY);
        // What gmp's goroutines and a runtime's tasks have in common: now and then they call it.
        gmp::yield_now();
    }
    calls
}
