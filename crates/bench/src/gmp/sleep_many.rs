//! `sleep_many`: n goroutines sleep ten times for 1 to 50 ms each. One operation is one sleep, in CPU time of the
//! whole process; p50 and p99 say how late the sleepers woke.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};
use std::time::{Duration, Instant};

type Late = [f64; work::CALLS as usize];

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let mut late = Vec::with_capacity((cell.n * work::CALLS) as usize);
    let timed = measure::once(cell, cell.n * work::CALLS, || {
        let all: Vec<_> = (0..cell.n).map(|i| gmp::go(move || sleeper(i))).collect();
        for one in all {
            late.extend(one.join().into_iter().flatten());
        }
        expect("sleeps", late.len() as u64, cell.n * work::CALLS)
    })?;
    expect("sleeps cut short", late.iter().filter(|late| **late < 0.0).count(), 0)?;
    Ok(measure::sleeps(timed, late))
}

fn sleeper(i: u64) -> Late {
    std::array::from_fn(|k| {
        let time = Duration::from_millis(work::sleep_ms(i, k as u64));
        let start = Instant::now();
        gmp::sleep(time);
        start.elapsed().as_nanos() as f64 - time.as_nanos() as f64
    })
}
