//! The laws of the operations for one P ([`OnlyP`]): they do what the ordinary ones do, and mix with them.

use crate::contract::{List, OnlyP, RunQueue, SharedQueue, Slot, Thief};
use crate::suite::{CONFIG, Ledger, Probe, Rng};

/// Steps of each run: enough to fill a ring of 256 and overflow it.
const STEPS: usize = 4_000;

fn only_p() -> OnlyP<'static> {
    // SAFETY: each law uses its queues on one thread.
    unsafe { OnlyP::for_suite() }
}

/// A run queue whose owner uses both kinds of operations in turn holds the same as a twin whose owner uses the ordinary
/// ones alone; and each token comes out once.
pub fn a_run_queue_is_one_queue<Q: RunQueue<Probe>>() {
    let ledger = Ledger::new(2 * STEPS);
    let (mut mixed, mixed_thief) = Q::new(&CONFIG);
    let (mut plain, plain_thief) = Q::new(&CONFIG);
    let mut rng = Rng::new(7);
    for _ in 0..STEPS {
        let evidence = rng.once_in(2);
        if rng.below(5) < 3 {
            let slot = if rng.once_in(2) { Slot::Next } else { Slot::Back };
            let mut spilled = [0, 0];
            let mut count = |list: List<Probe>| spilled[0] += list.map(Probe::consume).count();
            if evidence {
                // SAFETY: one thread alone uses the queue, as `only_p` says.
                unsafe { mixed.push_only_p(ledger.mint(), slot, &mut count, only_p()) };
            } else {
                mixed.push(ledger.mint(), slot, &mut count);
            }
            plain.push(ledger.mint(), slot, &mut |list: List<Probe>| {
                spilled[1] += list.map(Probe::consume).count();
            });
            assert_eq!(spilled[0], spilled[1], "both spill alike (Q4)");
        } else {
            // SAFETY: one thread alone uses the queue, as `only_p` says.
            let popped = if evidence { unsafe { mixed.pop_only_p(only_p()) } } else { mixed.pop() };
            let popped = popped.map(|popped| (popped.inherits, popped.token.consume()).0);
            let expected = plain.pop().map(|popped| (popped.inherits, popped.token.consume()).0);
            assert_eq!(popped, expected, "both pop alike, and inherit alike (Q6)");
        }
        assert_eq!(mixed.is_empty(), plain.is_empty(), "both are empty at once (Q2)");
        assert_eq!(mixed_thief.len(), plain_thief.len(), "both are of one length (Q2)");
    }
    // SAFETY: one thread alone uses the queue, as `only_p` says.
    while let Some(popped) = unsafe { mixed.pop_only_p(only_p()) } {
        popped.token.consume();
    }
    while let Some(popped) = plain.pop() {
        popped.token.consume();
    }
    ledger.settle();
}

/// What the holder of the only P puts into a shared queue, and what others put there, comes out once: to the holder,
/// and after `settle` to everybody.
pub fn a_shared_queue_is_one_queue<S: SharedQueue<Probe>>() {
    let ledger = Ledger::new(STEPS);
    let queue = S::default();
    let mut rng = Rng::new(11);
    let (mut inside, mut minted) = (0, 0);
    while minted < STEPS {
        match rng.below(6) {
            // SAFETY: one thread alone uses the queue, as `only_p` says.
            0 | 1 => unsafe { queue.push_only_p(ledger.mint(), only_p()) },
            2 => queue.push(ledger.mint()),
            // SAFETY: one thread alone uses the queue, as `only_p` says.
            3 => inside -= unsafe { queue.pop_only_p(only_p()) }.map_or(0, |probe| (probe.consume(), 1).1),
            4 => {
                let limit = rng.below(8);
                // SAFETY: one thread alone uses the queue, as `only_p` says.
                let batch = unsafe { queue.pop_batch_only_p(limit, only_p()) };
                assert!(batch.len() <= limit, "{} of at most {limit} (S5)", batch.len());
                inside -= batch.map(Probe::consume).count();
            }
            // SAFETY: one thread alone uses the queue, as `only_p` says.
            _ => unsafe { queue.settle(only_p()) },
        }
        inside += ledger.minted() - minted;
        minted = ledger.minted();
        assert_eq!(queue.len(), inside, "len at rest (S2)");
        assert_eq!(queue.is_empty(), inside == 0, "is_empty at rest (S2)");
    }
    // SAFETY: one thread alone uses the queue, as `only_p` says.
    unsafe { queue.settle(only_p()) };
    while let Some(probe) = queue.pop() {
        probe.consume();
        inside -= 1;
    }
    assert_eq!(inside, 0, "after settle everybody finds everything (S1)");
    ledger.settle();
}
