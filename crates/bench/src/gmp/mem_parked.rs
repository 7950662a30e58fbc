//! `mem_parked`: n goroutines run a little and park. One operation is the creation of one; `bytes_per_g` is the
//! growth of resident memory, `page_table_bytes_per_g` that of page tables, `maps` the mappings of the process.

use super::enter::enter;
use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, process};
use std::sync::atomic::{AtomicU64, Ordering};

static PARKED: AtomicU64 = AtomicU64::new(0);

/// The goroutines stay parked when the first one returns; the runtime's own count of them is the check.
pub(super) fn run(cell: &Cell) -> Result<Figures> {
    let finished = enter(cell, main)?;
    let figures = finished.value?;
    expect("suspended goroutines", finished.left.suspended as u64, cell.n)?;
    Ok(figures)
}

fn main(cell: &Cell) -> Result<Figures> {
    let (before, tables_before) = (process::rss(), process::page_tables());
    let timed = measure::once(cell, cell.n, || {
        for _ in 0..cell.n {
            drop(gmp::go(|| {
                PARKED.fetch_add(1, Ordering::Relaxed);
                loop {
                    gmp::park();
                }
            }));
        }
        while PARKED.load(Ordering::Relaxed) < cell.n {
            gmp::yield_now();
        }
        Ok(())
    })?;
    let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / cell.n as f64;
    let timed = timed.with("bytes_per_g", each(process::rss(), before));
    let timed = timed.with("page_table_bytes_per_g", each(process::page_tables(), tables_before));
    Ok(timed.with("maps", process::mappings() as f64))
}
