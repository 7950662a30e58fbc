//! `idle_trickle`: a runtime that has nothing to do but start an empty goroutine each millisecond, n of them. The
//! submitter is a plain thread; in `idle_trickle_timer` it is a goroutine that sleeps in between. The figure is the CPU
//! time of the runtime's threads for each goroutine, sysmon's included; `submitter_ns` is the plain thread's.

use crate::cell::{Cell, Figures, Result};
use crate::measure::TICK;
use crate::process;
use crate::trickle::{self, Starts};
use gmp::Handle;
use std::time::{Duration, Instant};

pub(super) fn from_thread(cell: &Cell, handle: &Handle) -> Result<Figures> {
    let (n, handle) = (cell.n, handle.clone());
    trickle::measured(cell, |starts| {
        let main = gmp::current().ok_or("no goroutine")?.unparker();
        let driver = std::thread::spawn(move || {
            let tick = || {
                let submitted = Instant::now();
                handle
                    .go(move || starts.record(submitted))
                    .map(drop)
                    .map_err(|error| error.to_string().into())
            };
            let all = trickle::each_tick(n, std::thread::sleep, tick);
            main.unpark();
            all.map(|()| process::thread_cpu_time())
        });
        gmp::park();
        let submitter = driver.join().map_err(|_| "the submitter panicked")??;
        wait(starts, n);
        Ok(submitter)
    })
}

pub(super) fn from_timer(cell: &Cell) -> Result<Figures> {
    trickle::measured(cell, |starts| {
        trickle::each_tick(cell.n, gmp::sleep, || {
            let submitted = Instant::now();
            drop(gmp::go(move || starts.record(submitted)));
            Ok(())
        })?;
        wait(starts, cell.n);
        Ok(Duration::ZERO)
    })
}

/// The last one may be on its way still.
fn wait(starts: &Starts, n: u64) {
    while starts.count() < n {
        gmp::sleep(TICK);
    }
}
