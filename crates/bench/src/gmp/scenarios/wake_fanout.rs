//! `wake_fanout`: one operation is the wake of one of 1,000 parked goroutines; one goroutine wakes all of them, each
//! works for 200 ns and parks again, and the last one wakes the waker.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};
use gmp::sync::WaitGroup;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const WOKEN: u64 = 1_000;
/// About 200 ns.
const STEPS: u64 = 100;

/// What waker and woken share.
struct Shared {
    round: WaitGroup,
    over: AtomicBool,
    ran: AtomicU64,
}

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    let shared =
        Arc::new(Shared { round: WaitGroup::new(), over: AtomicBool::new(false), ran: AtomicU64::new(0) });
    let (tell, told) = gmp::chan(WOKEN as usize);
    let start = |i| {
        let (shared, tell) = (Arc::clone(&shared), tell.clone());
        gmp::go(move || {
            if let Some(me) = gmp::current()
                && tell.send(me.unparker()).is_ok()
            {
                woken(&shared, i);
            }
        })
    };
    let all: Vec<_> = (0..WOKEN).map(start).collect();
    let unparkers: Vec<_> = told.iter().take(WOKEN as usize).collect();
    let wake_all = || unparkers.iter().for_each(gmp::Unparker::unpark);
    let figures = measure::looped(cell, |n| {
        let rounds = (n / WOKEN).max(1);
        let before = shared.ran.load(Ordering::Relaxed);
        for _ in 0..rounds {
            shared.round.add(WOKEN as usize);
            wake_all();
            shared.round.wait();
        }
        expect("wakes", shared.ran.load(Ordering::Relaxed) - before, rounds * WOKEN)
    });
    shared.over.store(true, Ordering::Relaxed);
    wake_all();
    all.into_iter().try_for_each(|one| one.join()).map_err(|error| error.to_string())?;
    figures
}

fn woken(shared: &Shared, i: u64) {
    loop {
        gmp::park();
        if shared.over.load(Ordering::Relaxed) {
            return;
        }
        std::hint::black_box(work::steps(STEPS, i));
        shared.ran.fetch_add(1, Ordering::Relaxed);
        shared.round.done();
    }
}
