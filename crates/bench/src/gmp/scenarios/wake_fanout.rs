//! `wake_fanout`: one operation is the wake of a parked goroutine. Each of two wakers wakes its 100; each of these
//! works for 20 ns and parks again, and the last one wakes the waker. Both processors are at work all the time and have
//! a full queue of their own, so there is nothing to steal: this measures the owner's path.

use crate::cell::{Cell, Figures, Result, expect};
use crate::{measure, work};
use gmp::Unparker;
use gmp::sync::WaitGroup;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const WAKERS: u64 = 2;
/// They fit into a P's queue.
const WOKEN: u64 = 100;
const STEPS: u64 = 10;

/// What a waker and its woken share.
#[derive(Default)]
struct Shared {
    round: WaitGroup,
    over: AtomicBool,
    ran: AtomicU64,
}

pub(super) fn main(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let rounds = (n / WAKERS / WOKEN).max(1);
        let wakers: Vec<_> = (0..WAKERS).map(|_| gmp::go(move || waker(rounds))).collect();
        let ran = wakers.into_iter().map(|one| one.join().unwrap_or(0)).sum();
        expect("wakes", ran, WAKERS * rounds * WOKEN)
    })
}

/// Wakes its goroutines this many times; returns how often they ran.
fn waker(rounds: u64) -> u64 {
    let shared = Arc::new(Shared::default());
    let (tell, told) = gmp::chan(WOKEN as usize);
    for i in 0..WOKEN {
        let (shared, tell) = (Arc::clone(&shared), tell.clone());
        drop(gmp::go(move || {
            if let Some(me) = gmp::current()
                && tell.send(me.unparker()).is_ok()
            {
                woken(&shared, i);
            }
        }));
    }
    let unparkers: Vec<Unparker> = told.iter().take(WOKEN as usize).collect();
    for round in 0..=rounds {
        // After the last round they end.
        shared.over.store(round == rounds, Ordering::Relaxed);
        shared.round.add(WOKEN as usize);
        unparkers.iter().for_each(Unparker::unpark);
        shared.round.wait();
    }
    shared.ran.load(Ordering::Relaxed)
}

fn woken(shared: &Shared, i: u64) {
    loop {
        gmp::park();
        let over = shared.over.load(Ordering::Relaxed);
        if !over {
            std::hint::black_box(work::steps(STEPS, i));
            shared.ran.fetch_add(1, Ordering::Relaxed);
        }
        shared.round.done();
        if over {
            return;
        }
    }
}
