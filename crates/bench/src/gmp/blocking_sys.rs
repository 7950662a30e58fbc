//! `blocking_sys`: n goroutines block in the kernel ten times for 10 ms, without telling the scheduler; in
//! `blocking_sys_declared` they do tell it, by `gmp::blocking`. The figure is the time of the whole run, for which 100
//! ms are ideal.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Ticks};
use crate::{process, work};
use std::sync::atomic::{AtomicBool, Ordering};

/// Set when the ticker may stop.
static OVER: AtomicBool = AtomicBool::new(false);

pub(super) fn main(cell: &Cell, declared: bool) -> Result<Figures> {
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let ticks = Ticks::start();
        let ticker = gmp::go(move || ticks.until(&OVER, gmp::sleep));
        let callers: Vec<_> = (0..cell.n).map(|_| gmp::go(move || caller(declared))).collect();
        let ended: u64 = callers.into_iter().map(|caller| caller.join().unwrap_or(0)).sum();
        OVER.store(true, Ordering::Relaxed);
        gaps = Some(ticker.join().map_err(|error| error.to_string())?);
        expect("blocking calls", ended, cell.n * work::CALLS)
    })?;
    Ok(timed.with("p99_ns", gaps.ok_or("the ticker did not end")?.p99))
}

fn caller(declared: bool) -> u64 {
    for _ in 0..work::CALLS {
        if declared {
            gmp::blocking(|| process::nanosleep(work::BLOCKED));
        } else {
            process::nanosleep(work::BLOCKED);
            // Between two calls a program does something, and by that comes back to its runtime at least.
            gmp::yield_now();
        }
    }
    work::CALLS
}
