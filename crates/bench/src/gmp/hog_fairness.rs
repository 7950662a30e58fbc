//! `hog_fairness`: a 1 ms ticker shares one processor with a goroutine that burns CPU for n ms without a call; in
//! `hog_fairness_4` it shares two with four of them. The figure is the ticker's longest gap: the hogs' whole life if
//! nothing takes the processors away from them.

use crate::cell::{Cell, Figures, Result};
use crate::measure::{self, TICK, Ticks};
use crate::work;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Set when the ticker may stop.
static OVER: AtomicBool = AtomicBool::new(false);

pub(super) fn main(cell: &Cell, hogs: usize) -> Result<Figures> {
    let time = Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let ticks = Ticks::start();
        let ticker = gmp::go(move || ticks.until(&OVER, gmp::sleep));
        // Some ticks first: the hog is to interrupt a ticker that runs.
        gmp::sleep(10 * TICK);
        let hog = || gmp::go(move || work::hog(Instant::now() + time));
        let hogs: Vec<_> = (0..hogs).map(|_| hog()).collect();
        hogs.into_iter().try_for_each(|hog| hog.join()).map_err(|error| error.to_string())?;
        OVER.store(true, Ordering::Relaxed);
        gaps = Some(ticker.join().map_err(|error| error.to_string())?);
        Ok(())
    })?;
    measure::fairness(timed, gaps)
}
