//! loom models of the spin lock and of the shared queue, on the real types.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Threads: two, since loom schedules two that spin past a third by turns, for ever. Preemptions: 8, or what
//! `LOOM_MAX_PREEMPTIONS` says. Time: under a second.

use crate::contract::SharedQueue;
use crate::ground::sync::{Arc, SpinLock, full_fence};
use crate::queue::SharedFifo;
use crate::suite::{Ledger, Probe};
use loom::thread;

fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(8));
    builder.check(model);
}

/// One holder at a time, and each sees what the one before it did: the count is in a tracked cell.
#[test]
fn the_lock_has_one_holder() {
    explore(|| {
        let lock = Arc::new(SpinLock::new(0));
        let other = {
            let lock = lock.clone();
            thread::spawn(move || (0..2).for_each(|_| lock.with(|count| *count += 1)))
        };
        (0..2).for_each(|_| lock.with(|count| *count += 1));
        other.join().unwrap();
        assert_eq!(lock.with(|count| *count), 4);
    });
}

/// One takes what the other pushes, singly and by the batch.
#[test]
fn shared_tokens_come_out_once() {
    explore(|| {
        let ledger = Ledger::new(3);
        let queue = Arc::new(SharedFifo::<Probe>::default());
        queue.push(ledger.mint());
        let taker = {
            let queue = queue.clone();
            thread::spawn(move || {
                let single = queue.pop().into_iter();
                single.chain(queue.pop_batch(2, 8)).map(Probe::consume).collect::<Vec<_>>()
            })
        };
        queue.push_batch((0..2).map(|_| ledger.mint()).collect());
        let own = queue.pop().map(Probe::consume);
        let taken = taker.join().unwrap();
        assert!(taken.windows(2).all(|pair| pair[0] < pair[1]), "{taken:?}");
        assert_eq!(queue.len(), 3 - taken.len() - usize::from(own.is_some()));
        while let Some(probe) = queue.pop() {
            probe.consume();
        }
        ledger.settle();
    });
}

/// S2: a fence on both sides, and either the pusher sees the looker or the looker sees the token.
#[test]
fn a_push_is_visible_behind_fences() {
    use crate::ground::sync::AtomicBool;
    use core::sync::atomic::Ordering::Relaxed;
    explore(|| {
        let ledger = Ledger::new(1);
        let queue = Arc::new(SharedFifo::<Probe>::default());
        let spinning = Arc::new(AtomicBool::new(true));
        let looker = {
            let (queue, spinning) = (queue.clone(), spinning.clone());
            thread::spawn(move || {
                spinning.store(false, Relaxed);
                full_fence();
                queue.is_empty()
            })
        };
        queue.push(ledger.mint());
        full_fence();
        let saw_a_spinner = spinning.load(Relaxed);
        assert!(!(saw_a_spinner && looker.join().unwrap()), "the token waits and nobody looks");
        queue.pop().expect("still inside").consume();
        ledger.settle();
    });
}
