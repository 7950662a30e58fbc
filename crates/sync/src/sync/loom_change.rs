//! loom models of [`Changing`], on the real type and real channels, between plain threads.
//!
//! `cargo xtask loom change`
//!
//! Modelled: changes against threads that look and wait, the change and its wake being one step or two; two threads
//! that wait, one of which makes the channel for both; a channel closed by somebody who should not. A waiter that is
//! not woken is a deadlock to loom.
//! Threads: three at most. Preemptions: 2, or what `LOOM_MAX_PREEMPTIONS` says. Time: 3 s.
//!
//! Caught when broken: `next` without its second look; a channel that others have closed given out again.

use super::change::{Changing, wait};
use crate::seam::Arc;
use loom::thread;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    builder.check(model);
}

fn wait_for(value: &Changing<u32>, least: u32) {
    while let Err(changed) = value.next(|value| (*value >= least).then_some(())) {
        wait(&changed, None).unwrap();
    }
}

#[test]
fn loom_change_is_not_missed() {
    explore(|| {
        let value = Arc::new(Changing::new(0));
        let theirs = value.clone();
        let changes = thread::spawn(move || {
            theirs.change(|value| *value += 1);
            theirs.with(|value| *value += 1);
            theirs.wake();
        });
        wait_for(&value, 1);
        wait_for(&value, 2);
        changes.join().unwrap();
    });
}

#[test]
fn loom_change_wakes_all() {
    explore(|| {
        let value = Arc::new(Changing::new(0));
        let waits = thread::spawn({
            let value = value.clone();
            move || wait_for(&value, 1)
        });
        let changes = thread::spawn({
            let value = value.clone();
            move || value.change(|value| *value += 1)
        });
        wait_for(&value, 1);
        waits.join().unwrap();
        changes.join().unwrap();
    });
}

#[test]
fn loom_change_survives_a_channel_that_is_closed() {
    explore(|| {
        let value = Arc::new(Changing::new(0));
        let theirs = value.clone();
        let meddles = thread::spawn(move || {
            if let Err(changed) = theirs.next(|value| (*value > 0).then_some(())) {
                changed.close();
            }
            theirs.change(|value| *value += 1);
        });
        wait_for(&value, 1);
        meddles.join().unwrap();
    });
}
