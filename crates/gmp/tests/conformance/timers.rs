//! Sleepers and timers.

use crate::prelude::*;
use gmp::sync::WaitGroup;
use std::time::Duration;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Sleepers of distinct durations wake in the order of their durations.
pub(crate) fn sleep_distinct() {
    let wg = WaitGroup::new();
    for d in [200, 50, 150, 100, 250] {
        wg.add(1);
        go!(wg, || {
            let _done = done_at_end(&wg);
            gmp::sleep(ms(d));
            evn("s", d);
        });
    }
    wg.wait();
    ev("main");
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
