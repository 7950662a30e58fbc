//! The laws of a shared queue: clauses S1, S2, S4 and S5.

use super::gate::{STUCK, Trouble};
use crate::contract::{List, SharedQueue};
use crate::suite::{Ledger, Probe, Rng};
use std::collections::VecDeque;
use std::thread;
use std::time::Instant;

fn mint(ledger: &Ledger, count: usize) -> List<Probe> {
    (0..count).map(|_| ledger.mint()).collect()
}

/// Checks that `number` was the next one to be served.
fn served(number: u64, model: &mut VecDeque<u64>) {
    let next = model.pop_front();
    assert!(next == Some(number), "served {number} where {next:?} was next (S5)");
}

/// Order, lengths and emptiness agree with a plain queue of numbers, on one thread.
pub fn serves_in_order<S: SharedQueue<Probe>>() {
    for seed in 0..20 {
        let mut rng = Rng::new(seed);
        let ledger = Ledger::new(100_000);
        let (queue, mut model) = (S::default(), VecDeque::new());
        for _ in 0..1_500 {
            let first = ledger.minted() as u64;
            match rng.below(6) {
                0 => {
                    queue.push(ledger.mint());
                    model.push_back(first);
                }
                1 => {
                    let count = rng.below(40);
                    queue.push_batch(mint(&ledger, count));
                    model.extend(first..first + count as u64);
                }
                2 if rng.once_in(4) => {
                    let count = rng.below(10);
                    queue.push_front(mint(&ledger, count));
                    (first..first + count as u64).rev().for_each(|number| model.push_front(number));
                }
                3 => {
                    let batch = queue.pop_batch(1 + rng.below(4), 1 + rng.below(128));
                    assert_eq!(batch.is_empty(), model.is_empty(), "a batch of what there is (S5)");
                    batch.for_each(|probe| served(probe.consume(), &mut model));
                }
                _ => match queue.pop() {
                    Some(probe) => served(probe.consume(), &mut model),
                    None => assert!(model.is_empty(), "a pop gave nothing of {} (S2)", model.len()),
                },
            }
            assert_eq!(queue.len(), model.len(), "len at rest (S2)");
            assert_eq!(queue.is_empty(), model.is_empty(), "is_empty at rest (S2)");
        }
        while let Some(probe) = queue.pop() {
            served(probe.consume(), &mut model);
        }
        ledger.settle();
    }
}

/// S4: what is pushed in front comes out first.
pub fn front_goes_first<S: SharedQueue<Probe>>() {
    let ledger = Ledger::new(8);
    let queue = S::default();
    queue.push_batch(mint(&ledger, 3));
    queue.push_front(mint(&ledger, 3));
    queue.push_front(mint(&ledger, 2));
    queue.push_front(List::new());
    assert_eq!(queue.len(), 8, "len at rest (S2)");
    let served: Vec<u64> = std::iter::from_fn(|| queue.pop()).map(Probe::consume).collect();
    assert_eq!(served, [6, 7, 3, 4, 5, 0, 1, 2], "the order of serving (S4)");
    ledger.settle();
}

/// A batch is at most `limit` and at most what there is, and one P after the other empties the queue.
pub fn batches_keep_to_the_limit<S: SharedQueue<Probe>>() {
    for procs in [1, 2, 7, 64] {
        let ledger = Ledger::new(1_000);
        let queue = S::default();
        queue.push_batch(mint(&ledger, 1_000));
        assert!(queue.pop_batch(procs, 0).is_empty(), "a limit of 0 (S5)");
        let mut limit = 0;
        while !queue.is_empty() {
            limit = limit % 128 + 1;
            let batch = queue.pop_batch(procs, limit);
            assert!((1..=limit).contains(&batch.len()), "{} of at most {limit} (S5)", batch.len());
            batch.for_each(|probe| assert!(probe.consume() < 1_000));
        }
        assert!(queue.pop().is_none() && queue.pop_batch(procs, 1).is_empty(), "all are gone (S1)");
        ledger.settle();
    }
}

/// S1 with three pushing threads and one popping: each one's tokens come out in its order.
pub fn producers_keep_their_order<S: SharedQueue<Probe>>() {
    const EACH: usize = 5_000;
    // One ledger a thread, so that numbers tell the order of its pushes; the address of none matters.
    let ledgers: [Ledger; 3] = std::array::from_fn(|_| Ledger::new(EACH));
    let queue = S::default();
    thread::scope(|scope| {
        for (thread, ledger) in ledgers.iter().enumerate() {
            let queue = &queue;
            scope.spawn(move || {
                let mut rng = Rng::new(thread as u64);
                while ledger.minted() < EACH {
                    let count = 1 + rng.below(5).min(EACH - ledger.minted() - 1);
                    if count == 1 {
                        queue.push(ledger.mint());
                    } else {
                        queue.push_batch(mint(ledger, count));
                    }
                }
            });
        }
        let (mut taken, mut progress) = (0, Instant::now());
        while taken < 3 * EACH {
            let batch =
                if taken % 2 == 0 { queue.pop_batch(2, 50) } else { queue.pop().into_iter().collect() };
            if batch.is_empty() {
                assert!(progress.elapsed() < STUCK, "some tokens are nowhere to be had (S1)");
                thread::yield_now();
            } else {
                progress = Instant::now();
            }
            for probe in batch {
                let ledger =
                    ledgers.iter().find(|ledger| ledger.has_minted(&probe)).expect("from one of them");
                assert_eq!(ledger.consumed() as u64, probe.consume(), "a producer's order (S5)");
                taken += 1;
            }
        }
    });
    assert!(queue.is_empty(), "all are gone (S2)");
    ledgers.into_iter().for_each(Ledger::settle);
}

/// S1 with everybody pushing, pushing in front and popping, and S2 once they are done.
pub fn batches_race_without_loss<S: SharedQueue<Probe>>() {
    const EACH: usize = 6_000;
    let ledger = Ledger::new(3 * EACH);
    let (queue, trouble) = (S::default(), Trouble::default());
    thread::scope(|scope| {
        for seed in 0..3 {
            let (queue, ledger, trouble) = (&queue, &ledger, &trouble);
            scope.spawn(move || {
                trouble.catch(|_| {
                    let mut rng = Rng::new(seed);
                    let mut left = EACH;
                    while left > 0 {
                        let count = (1 + rng.below(20)).min(left);
                        left -= count;
                        let batch = mint(ledger, count);
                        if rng.once_in(4) {
                            queue.push_front(batch)
                        } else {
                            queue.push_batch(batch)
                        }
                        let taken = queue.pop_batch(3, rng.below(40));
                        taken.chain(queue.pop()).for_each(|probe| assert!(probe.consume() < u64::MAX));
                    }
                })
            });
        }
    });
    trouble.report();
    let left = 3 * EACH - ledger.consumed();
    assert_eq!(queue.len(), left, "len at rest (S2)");
    assert_eq!(queue.is_empty(), left == 0, "is_empty at rest (S2)");
    while let Some(probe) = queue.pop() {
        probe.consume();
    }
    ledger.settle();
}
