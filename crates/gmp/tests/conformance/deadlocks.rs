//! Everything that waits for ever is a deadlock, whatever it waits on.

use crate::prelude::*;
use gmp::sync::{Cond, Mutex, RwLock, WaitGroup};
use gmp::{block_forever, chan, select};
use std::sync::Arc;

/// On a mutex that its holder locks again.
pub(crate) fn deadlock_mutex() {
    let mu = Arc::new(Mutex::new(()));
    let _held = mu.lock();
    go!(mu, || {
        ev("g");
        let _held = mu.lock();
        ev("never");
    });
    gmp::yield_now();
    flush();
    let _again = mu.lock();
    ev("never");
}

/// On a wait group with one left.
pub(crate) fn deadlock_wg() {
    let wg = WaitGroup::new();
    wg.add(2);
    go!(wg, || {
        ev("g");
        wg.done();
    });
    gmp::yield_now();
    flush();
    wg.wait();
    ev("never");
}

/// In selects, one of them without a case.
pub(crate) fn deadlock_select() {
    let ((_a_tx, a), (_b_tx, b)) = (chan::<i64>(0), chan::<i64>(1));
    go!(|| {
        ev("g");
        block_forever();
    });
    gmp::yield_now();
    flush();
    select! {
        recv(a) -> _ => {},
        recv(b) -> _ => {},
    }
    ev("never");
}

/// A reader that reads again behind a waiting writer.
pub(crate) fn deadlock_rwmutex() {
    let mu = Arc::new(RwLock::new(()));
    let _held = mu.read();
    go!(mu, || {
        ev("g");
        let _held = mu.write();
        ev("never");
    });
    gmp::yield_now();
    flush();
    let _again = mu.read();
    ev("never");
}

/// All wait for a signal.
pub(crate) fn deadlock_cond() {
    let (mu, c) = (Arc::new(Mutex::new(())), Arc::new(Cond::new()));
    go!(mu, c, || {
        let mut held = mu.lock();
        ev("g");
        c.wait(&mut held);
        ev("never");
    });
    gmp::yield_now();
    let mut held = mu.lock();
    flush();
    c.wait(&mut held);
    ev("never");
}
