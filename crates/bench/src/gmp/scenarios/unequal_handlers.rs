//! `unequal_handlers`: 32 clients each ask for one handler after the other; most take 5 us, one in 100 takes 2 ms. The
//! figure is the 99th percentile of the time from one answer to the next, short, one in nanoseconds: what it costs to
//! stand in a queue behind a long handler.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work;
use std::time::{Duration, Instant};

const CLIENTS: u64 = 32;
const SHORT: Duration = Duration::from_micros(5);
const LONG: Duration = Duration::from_millis(2);
/// One in so many handlers is a long one.
const RARE: u64 = 100;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let each = cell.n / CLIENTS;
    let mut took = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        let clients: Vec<_> = (0..CLIENTS).map(|i| gmp::go(move || client(i, each))).collect();
        for one in clients {
            took.extend(one.join().map_err(|error| error.to_string())?);
        }
        expect("short handlers", took.is_empty(), false)
    })?;
    Ok(measure::tail(timed, Latencies::of(took)))
}

/// Asks for `count` handlers; how long it waited for the short ones, in nanoseconds.
fn client(number: u64, count: u64) -> Vec<f64> {
    let mut took = Vec::with_capacity(count as usize);
    let mut answered = Instant::now();
    for request in 0..count {
        // Spread over the clients: the long ones are to come one after the other.
        let is_long = (request * CLIENTS + number).is_multiple_of(RARE);
        // The client thinks, and goes behind the others.
        gmp::yield_now();
        let handler = gmp::go(move || work::hog(Instant::now() + if is_long { LONG } else { SHORT }));
        let is_answered = handler.join().is_ok();
        let asked = std::mem::replace(&mut answered, Instant::now());
        if is_answered && !is_long {
            took.push((answered - asked).as_nanos() as f64);
        }
    }
    took
}
