//! `park_unpark`: how long it takes from `unpark` until the other goroutine runs, when every processor has gone idle.

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use crate::work;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The moment of the last `unpark` in nanoseconds since the start, and whether the receiver has seen it (0).
static SENT: AtomicU64 = AtomicU64::new(0);

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let (samples, start) = (cell.n as usize, Instant::now());
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        let receiver = gmp::go(move || {
            let _sent = tell.send(gmp::current().map(|receiver| receiver.unparker()));
            receive(samples, start)
        });
        let unparker = loop {
            match told.try_recv() {
                Ok(unparker) => break unparker.ok_or("the receiver is no goroutine")?,
                Err(_) => gmp::yield_now(),
            }
        };
        while !receiver.is_finished() {
            gmp::sleep(work::QUIET);
            SENT.store(start.elapsed().as_nanos() as u64, Ordering::Release);
            unparker.unpark();
        }
        latencies = receiver.join().map_err(|error| error.to_string())?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}

fn receive(samples: usize, start: Instant) -> Vec<f64> {
    let mut latencies = Vec::with_capacity(samples);
    while latencies.len() < samples {
        gmp::park();
        let now = start.elapsed().as_nanos() as u64;
        match SENT.swap(0, Ordering::Acquire) {
            0 => {}
            sent => latencies.push(now.saturating_sub(sent) as f64),
        }
    }
    latencies
}
