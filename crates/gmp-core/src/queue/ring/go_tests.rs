//! Go's own white-box tests of its local run queue, on ours (runtime/export_test.go and proc_test.go, Go 1.27).

use super::*;
use crate::contract::{Steal, Thief};
use crate::suite::{CONFIG, Ledger, Probe, TAKE_ANY, run_queue_threads};

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

/// TestSchedLocalQueue (`RunSchedLocalQueueTest`).
#[test]
fn sched_local_queue() {
    for count in 0..256 {
        let ledger = Ledger::new(count);
        let (mut ring, _) = Ring::new(&CONFIG);
        assert!(ring.pop().is_none(), "the queue is not empty initially");
        (0..count).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        for number in 0..count as u64 {
            let popped = ring.pop().expect("the queue is not empty");
            assert_eq!((popped.token.consume(), popped.inherits), (number, false));
        }
        assert!(ring.pop().is_none(), "the queue is empty afterwards");
        ledger.settle();
    }
}

/// TestSchedLocalQueueSteal (`RunSchedLocalQueueStealTest`), sharper: half rounded up, from the head, last one to run.
#[test]
fn sched_local_queue_steal() {
    for count in 1..256 {
        let ledger = Ledger::new(count);
        let ((mut victim, thief), (mut own, own_thief)) = (Ring::new(&CONFIG), Ring::new(&CONFIG));
        (0..count).for_each(|_| victim.push(ledger.mint(), Slot::Back, &mut no_spill));
        let Steal::Taken(ran) = thief.steal_into(&mut own, TAKE_ANY) else { panic!("{count} are there") };
        let half = count.div_ceil(2);
        assert_eq!((own_thief.len(), thief.len()), (half - 1, count - half));
        assert_eq!(ran.consume(), half as u64 - 1, "the last of the stolen ones runs");
        let rest =
            std::iter::from_fn(|| own.pop().or_else(|| victim.pop())).map(|popped| popped.token.consume());
        let expected = (0..half as u64 - 1).chain(half as u64..count as u64);
        assert!(rest.eq(expected), "each exactly once, in order");
        ledger.settle();
    }
}

/// TestSchedLocalQueueEmpty (`RunSchedLocalQueueEmptyTest`): 1e5 rounds, two threads, all four next flags.
#[test]
fn sched_local_queue_empty() {
    run_queue_threads::moving_tokens::<Ring<Probe>>(if cfg!(miri) { 200 } else { 100_000 });
}

/// `runqputslow`: a burst of spawns overflows at the 258th, and the oldest 128 leave with the one that was kicked.
#[test]
fn the_258th_spawn_overflows() {
    let ledger = Ledger::new(258 + 128);
    let (mut ring, thief) = Ring::new(&CONFIG);
    let mut spilled: Vec<Vec<u64>> = Vec::new();
    for spawn in 0..258 + 128 {
        ring.push(ledger.mint(), Slot::Next, &mut |batch: List<Probe>| {
            spilled.push(batch.map(Probe::consume).collect());
        });
        assert_eq!(spilled.len(), usize::from(spawn >= 257), "after {} spawns", spawn + 1);
    }
    // The 258th goroutine (257) kicks the 257th (256) out of run_next, which finds the ring full of 0..=255.
    assert_eq!(spilled[0], (0..128).chain([256]).collect::<Vec<_>>());
    assert_eq!(thief.len(), 257);
    let order: Vec<u64> = std::iter::from_fn(|| ring.pop()).map(|popped| popped.token.consume()).collect();
    let expected: Vec<u64> = [385].into_iter().chain(128..256).chain(257..385).collect();
    assert_eq!(order, expected);
    ledger.settle();
}

/// `runqputbatch`: first in first out to the tail, past `run_next`; what does not fit stays.
#[test]
fn a_batch_goes_past_run_next() {
    let ledger = Ledger::new(302);
    let (mut ring, _) = Ring::new(&CONFIG);
    ring.push(ledger.mint(), Slot::Back, &mut no_spill);
    ring.push(ledger.mint(), Slot::Next, &mut no_spill);
    let mut batch: List<Probe> = (0..300).map(|_| ledger.mint()).collect();
    ring.push_batch(&mut batch);
    assert_eq!(batch.len(), 45, "255 fit behind the one");
    let order: Vec<u64> = std::iter::from_fn(|| ring.pop()).map(|popped| popped.token.consume()).collect();
    assert_eq!(order, [1, 0].into_iter().chain(2..257).collect::<Vec<_>>());
    assert!(batch.map(Probe::consume).eq(257..302));
    ledger.settle();
}
