//! `park_unpark_chan`: how long it takes from the send of a message to its receipt by a goroutine that waits, when
//! every processor has gone idle.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work;
use std::time::Instant;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let samples = cell.n as usize;
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        let (send, receive) = gmp::chan::<Instant>(0);
        let receiver = gmp::go(move || {
            let mut latencies = Vec::with_capacity(samples);
            latencies.extend(receive.iter().map(|at| at.elapsed().as_nanos() as f64));
            latencies
        });
        for _ in 0..samples {
            gmp::sleep(work::QUIET);
            send.send(Instant::now())?;
        }
        drop(send);
        latencies = receiver.join().map_err(|error| error.to_string())?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}
