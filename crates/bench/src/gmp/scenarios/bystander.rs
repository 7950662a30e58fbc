//! `bystander`: two goroutines hand a message to and fro on one processor, and a third yields. The figure is the 99th
//! percentile of how long a yield lasts, in nanoseconds: this is what the third pays if the two always run next
//! (golang/go#52934 describes programs that suffered from this).

use crate::cell::{Cell, Figures, Result, expect};
use crate::measure::{self, Latencies};
use std::time::Instant;

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let mut waits = Vec::with_capacity(cell.n as usize);
    let timed = measure::once(cell, cell.n, || {
        let (there, at) = gmp::chan::<u64>(0);
        let (back, home) = gmp::chan(0);
        let other = gmp::go(move || at.iter().all(|ball| back.send(ball + 1).is_ok()));
        let (stop, stopped) = gmp::chan::<()>(0);
        let one = gmp::go(move || {
            let mut ball = 0;
            while !stopped.is_closed() {
                there.send(ball).ok()?;
                ball = home.recv().ok()?;
            }
            Some(ball)
        });
        for _ in 0..cell.n {
            let start = Instant::now();
            gmp::yield_now();
            waits.push(start.elapsed().as_nanos() as f64);
        }
        drop(stop);
        let ball = one.join().map_err(|error| error.to_string())?;
        expect("the ball was in play", ball.is_some_and(|ball| ball > 0), true)?;
        other.join().map_err(|error| error.to_string())?;
        Ok(())
    })?;
    Ok(measure::tail(timed, Latencies::of(waits)))
}
