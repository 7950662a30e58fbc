//! What a ticker's ticks say: the moments at which they were due, whenever they came.

mod told;

use gmp::time::{Ticker, Timer};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);

fn run(main: impl FnOnce() + Send + 'static) {
    let builder = told::moving(gmp::Builder::new());
    builder.procs(2).build().unwrap().run(main).unwrap();
}

/// They once were the time of sending, less a delay that had been measured a moment before. Up to a time slice of the
/// thread could lie between the two, so that a tick seemed to come early.
#[test]
fn beats_are_whole_periods_apart() {
    run(|| {
        let ticker = Ticker::new(MS);
        let first = ticker.tick();
        for _ in 0..100 {
            let apart = ticker.tick() - first;
            assert_eq!(apart.as_nanos() % MS.as_nanos(), 0, "{apart:?}");
        }
    });
}

#[test]
fn a_timer_that_is_late_tells_when_it_was_due() {
    run(|| {
        gmp::set_max_procs(1);
        let (before, timer) = (Instant::now(), Timer::new(MS));
        let after = Instant::now();
        while before.elapsed() < 20 * MS {
            std::hint::spin_loop();
        }
        let at = timer.channel().recv().unwrap();
        assert!(before + MS <= at && at <= after + MS, "{:?}", at - before);
    });
}
