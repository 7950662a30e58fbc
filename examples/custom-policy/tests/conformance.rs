//! Whether `Aging` is a policy at all (one line: gmp's suite, with its fuzzing), and whether it does what it promises.

use custom_policy::{Aging, EVERY};
use gmp::contract::{RunQueue, Slot};
use gmp::suite::concurrent::Left;
use gmp::suite::fuzz::concurrent_runs;
use gmp::suite::{CONFIG, Ledger, Probe, QueueOf};

gmp::policy_conformance!(Aging);

fn pop(queue: &mut QueueOf<Aging>) -> u64 {
    queue.pop().expect("something is queued").token.consume()
}

fn no_spill(_: gmp::contract::queue::List<Probe>) {
    panic!("the queue is not full");
}

/// While thieves are at work too, what leaves by itself is half of a full queue.
#[test]
fn half_a_queue_spills() {
    concurrent_runs::<QueueOf<Aging>>("aging", 1..=4, |_, history| {
        for (_, left) in &history.owner {
            let Left::Spilled(batch) = left else { continue };
            assert_eq!(batch.len(), 128, "half of a queue of 256 spills");
        }
    });
}

/// The newest first; at the eighth pop the oldest.
#[test]
fn newest_first_but_for_each_eighth() {
    let ledger = Ledger::new(20);
    let (mut queue, _) = QueueOf::<Aging>::new(&CONFIG);
    (0..20).for_each(|_| queue.push(ledger.mint(), Slot::Next, &mut no_spill));
    let order: Vec<u64> = (0..20).map(|_| pop(&mut queue)).collect();
    assert_eq!(order, [19, 18, 17, 16, 15, 14, 13, 0, 12, 11, 10, 9, 8, 7, 6, 1, 5, 4, 3, 2]);
    ledger.settle();
}

/// However many newer ones come, each of those that wait leaves in its time: 8 pops for each that was there before.
#[test]
fn nobody_grows_old() {
    let waiting = 10;
    let newcomers = 8 * (waiting + 2);
    let ledger = Ledger::new(waiting + newcomers);
    let (mut queue, _) = QueueOf::<Aging>::new(&CONFIG);
    for number in 0..waiting {
        let slot = if number % 2 == 0 { Slot::Next } else { Slot::Back };
        queue.push(ledger.mint(), slot, &mut no_spill);
    }
    let mut left = Vec::new();
    for at in 1..=newcomers as u64 {
        queue.push(ledger.mint(), Slot::Next, &mut no_spill);
        let number = pop(&mut queue);
        if number < waiting as u64 {
            left.push(number);
            assert!(at <= u64::from(EVERY) * left.len() as u64, "{left:?} after {at} pops");
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..waiting as u64).collect::<Vec<_>>());
    while queue.pop().map(|popped| popped.token.consume()).is_some() {}
    ledger.settle();
}

/// What has no room leaves for the shared queue: the older half, oldest first.
#[test]
fn the_older_half_spills() {
    let ledger = Ledger::new(257);
    let (mut queue, _) = QueueOf::<Aging>::new(&CONFIG);
    let mut spilled = Vec::new();
    for _ in 0..257 {
        queue.push(ledger.mint(), Slot::Next, &mut |batch: gmp::contract::queue::List<Probe>| {
            spilled.push(batch.map(Probe::consume).collect::<Vec<_>>());
        });
    }
    assert_eq!(spilled, [(0..128).collect::<Vec<_>>()]);
    assert_eq!(pop(&mut queue), 256);
    while queue.pop().map(|popped| popped.token.consume()).is_some() {}
    ledger.settle();
}
