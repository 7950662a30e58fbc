//! `hidden_order`: a program with a bug that shows if four goroutines run in one certain order out of 24, and none that
//! a queue, a stack or Go would choose. The figure is how many runs it takes until the bug shows, at most `n`.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure;
use std::sync::{Arc, Mutex, PoisonError};

/// First in, first out is 1234; last in, first out 4321; Go runs the last and then the others as they came.
const BAD: [u8; 4] = [3, 2, 1, 4];

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let hunts = measure::repetitions(cell) as u64;
    let mut runs = 0;
    let timed = measure::once(cell, cell.n * hunts, || {
        for _ in 0..hunts {
            runs += until_it_shows(cell.n)?;
        }
        Ok(())
    })?;
    Ok(timed.counting(runs as f64 / hunts as f64).with("never", f64::from(runs == hunts * cell.n)))
}

fn until_it_shows(most: u64) -> Result<u64> {
    for run in 1..=most {
        if order_of_a_run()? == BAD {
            return Ok(run);
        }
    }
    Ok(most)
}

fn order_of_a_run() -> Result<Vec<u8>> {
    let order = Arc::new(Mutex::new(Vec::with_capacity(BAD.len())));
    let one = |name| {
        let order = Arc::clone(&order);
        gmp::go(move || order.lock().unwrap_or_else(PoisonError::into_inner).push(name))
    };
    let all = [1, 2, 3, 4].map(one);
    all.into_iter().try_for_each(|one| one.join()).map_err(|error| error.to_string())?;
    let order = std::mem::take(&mut *order.lock().unwrap_or_else(PoisonError::into_inner));
    expect("goroutines that ran", order.len(), BAD.len())?;
    Ok(order)
}
