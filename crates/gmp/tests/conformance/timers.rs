//! Sleepers and timers.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use std::time::{Duration, Instant};

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sleepers of distinct durations wake in the order of their durations. If the process was held up for half of the gap
/// between two of them, their order says nothing: then again, with gaps twice as long.
pub(crate) fn sleep_distinct() {
    let mut stretch = 1;
    again_until(|| {
        let (wg, latest) = (WaitGroup::new(), shared(Duration::ZERO));
        let start = Instant::now();
        for d in [200, 50, 150, 100, 250] {
            wg.add(1);
            go!(wg, latest, || {
                let _done = done_at_end(&wg);
                let sleep = ms(d) * stretch;
                gmp::sleep(sleep);
                let mut latest = latest.lock().unwrap();
                *latest = (*latest).max(start.elapsed() - sleep);
                evn("s", d);
            });
        }
        wg.wait();
        ev("main");
        let undisturbed = *latest.lock().unwrap() < ms(25) * stretch;
        stretch *= 2;
        undisturbed
    });
}

/// A sleep of zero returns at once, without a yield. Go's negative one has no counterpart in `Duration`: it is a second
/// zero.
pub(crate) fn sleep_zero() {
    go!(|| ev("g"));
    ev("a");
    gmp::sleep(Duration::ZERO);
    ev("b");
    gmp::sleep(Duration::ZERO);
    ev("c");
    gmp::yield_now();
    ev("main");
}

/// A pending timer keeps a program from being called deadlocked. Go's AfterFunc is a goroutine that sleeps here.
pub(crate) fn no_deadlock_while_timer() {
    let (tx, c) = gmp::chan(0);
    go!(tx, || {
        gmp::sleep(Duration::from_millis(30));
        tx.send(1).unwrap();
    });
    evn("got", c.recv().unwrap());
}
