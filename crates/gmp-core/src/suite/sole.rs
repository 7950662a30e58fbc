//! The laws of the operations for one P ([`Sole`]): they do what the ordinary ones do, and mix with them.

use crate::contract::List;
use crate::contract::{RunQueue, SharedQueue, Slot, Sole, Thief};
use crate::suite::{CONFIG, Dice, Ledger, Probe};

/// Steps of each run: enough to fill a ring of 256 and overflow it.
const STEPS: usize = 4_000;

fn sole() -> Sole<'static> {
    // SAFETY: each law uses its queues on one thread.
    unsafe { Sole::for_suite() }
}

/// A run queue whose owner uses both kinds of operations in turn holds what a twin holds that is used by the ordinary
/// ones alone; and each token comes out once.
pub fn a_run_queue_is_one_queue<Q: RunQueue<Probe>>() {
    let ledger = Ledger::new(2 * STEPS);
    let (mut mixed, mixed_thief) = Q::new(&CONFIG);
    let (mut plain, plain_thief) = Q::new(&CONFIG);
    let mut dice = Dice::new(7);
    for _ in 0..STEPS {
        let evidence = dice.once_in(2);
        if dice.below(5) < 3 {
            let slot = if dice.once_in(2) { Slot::Next } else { Slot::Back };
            let mut spilled = [0, 0];
            let mut count = |list: List<Probe>| spilled[0] += list.map(Probe::consume).count();
            if evidence {
                // SAFETY: one thread alone uses the queue, as `sole` says.
                unsafe { mixed.push_sole(ledger.mint(), slot, &mut count, sole()) };
            } else {
                mixed.push(ledger.mint(), slot, &mut count);
            }
            plain.push(ledger.mint(), slot, &mut |list: List<Probe>| {
                spilled[1] += list.map(Probe::consume).count();
            });
            assert_eq!(spilled[0], spilled[1], "both spill alike (Q4)");
        } else {
            // SAFETY: one thread alone uses the queue, as `sole` says.
            let popped = if evidence { unsafe { mixed.pop_sole(sole()) } } else { mixed.pop() };
            let popped = popped.map(|popped| (popped.inherits, popped.token.consume()).0);
            let expected = plain.pop().map(|popped| (popped.inherits, popped.token.consume()).0);
            assert_eq!(popped, expected, "both pop alike, and inherit alike (Q6)");
        }
        assert_eq!(mixed.is_empty(), plain.is_empty(), "both are empty at once (Q2)");
        assert_eq!(mixed_thief.len(), plain_thief.len(), "both are of one length (Q2)");
    }
    // SAFETY: one thread alone uses the queue, as `sole` says.
    while let Some(popped) = unsafe { mixed.pop_sole(sole()) } {
        popped.token.consume();
    }
    while let Some(popped) = plain.pop() {
        popped.token.consume();
    }
    ledger.settle();
}

/// What the holder of the only P puts into a shared queue and what others put there comes out once, to the holder; and
/// after `settle` to everybody.
pub fn a_shared_queue_is_one_queue<S: SharedQueue<Probe>>() {
    let ledger = Ledger::new(STEPS);
    let queue = S::default();
    let mut dice = Dice::new(11);
    let (mut inside, mut minted) = (0, 0);
    while minted < STEPS {
        match dice.below(6) {
            // SAFETY: one thread alone uses the queue, as `sole` says.
            0 | 1 => unsafe { queue.push_sole(ledger.mint(), sole()) },
            2 => queue.push(ledger.mint()),
            // SAFETY: one thread alone uses the queue, as `sole` says.
            3 => inside -= unsafe { queue.pop_sole(sole()) }.map_or(0, |probe| (probe.consume(), 1).1),
            4 => {
                let limit = dice.below(8);
                // SAFETY: one thread alone uses the queue, as `sole` says.
                let batch = unsafe { queue.pop_batch_sole(limit, sole()) };
                assert!(batch.len() <= limit, "{} of at most {limit} (S5)", batch.len());
                inside -= batch.map(Probe::consume).count();
            }
            // SAFETY: one thread alone uses the queue, as `sole` says.
            _ => unsafe { queue.settle(sole()) },
        }
        inside += ledger.minted() - minted;
        minted = ledger.minted();
        assert_eq!(queue.len(), inside, "len at rest (S2)");
        assert_eq!(queue.is_empty(), inside == 0, "is_empty at rest (S2)");
    }
    // SAFETY: one thread alone uses the queue, as `sole` says.
    unsafe { queue.settle(sole()) };
    while let Some(probe) = queue.pop() {
        probe.consume();
        inside -= 1;
    }
    assert_eq!(inside, 0, "after settle everybody finds everything (S1)");
    ledger.settle();
}
