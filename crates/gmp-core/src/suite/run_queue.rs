//! The laws of a run queue that one thread can check: it knows at each moment how many tokens must be inside.

use crate::contract::{Popped, RunQueue, Slot, Steal, StealRound, Thief};
use crate::queue::List;
use crate::suite::{CONFIG, Dice, Ledger, Probe, TAKE_ANY};

/// A spill that keeps the numbers of each batch.
pub(super) fn consume_batches(batches: &mut Vec<Vec<u64>>) -> impl FnMut(List<Probe>) {
    |batch| batches.push(batch.map(Probe::consume).collect())
}

/// Consumes all that is left, and counts it.
pub(super) fn drain<Q: RunQueue<Probe>>(queue: &mut Q) -> usize {
    std::iter::from_fn(|| queue.pop()).fold(0, |count, popped| {
        popped.token.consume();
        count + 1
    })
}

/// Steals at rest, which may lose no race for ever.
fn steal_at_rest<Q: RunQueue<Probe>>(thief: &Q::Thief, into: &mut Q, round: StealRound) -> Option<Probe> {
    for _ in 0..100 {
        match thief.steal_into(into, round) {
            Steal::Taken(probe) => return Some(probe),
            Steal::Empty => return None,
            Steal::BackOff(_) => assert!(!round.backed_off, "asked to back off twice"),
            Steal::Retry => {}
        }
    }
    panic!("lost a race a hundred times without a rival");
}

/// The queue and what ought to be in it.
struct Counted<Q: RunQueue<Probe>> {
    queue: Q,
    thief: Q::Thief,
    inside: usize,
}

impl<Q: RunQueue<Probe>> Counted<Q> {
    fn new() -> Self {
        let (queue, thief) = Q::new(&CONFIG);
        Self { queue, thief, inside: 0 }
    }

    fn push(&mut self, probe: Probe, slot: Slot) {
        let mut batches = Vec::new();
        self.queue.push(probe, slot, &mut consume_batches(&mut batches));
        assert!(batches.len() <= 1, "one push spilled {} batches (Q4)", batches.len());
        assert!(batches.iter().all(|batch| !batch.is_empty()), "a spill of nothing");
        self.inside = self.inside + 1 - batches.iter().map(Vec::len).sum::<usize>();
        self.check();
    }

    fn push_batch(&mut self, batch: List<Probe>) {
        let mut batch = batch;
        self.inside += batch.len();
        self.queue.push_batch(&mut batch);
        self.inside -= batch.len();
        assert!(batch.is_empty() || self.inside > 0, "an empty queue takes at least one token");
        self.check();
        batch.for_each(|probe| assert!(probe.consume() < u64::MAX));
    }

    fn pop(&mut self) -> Option<Popped<Probe>> {
        let popped = self.queue.pop();
        assert_eq!(popped.is_some(), self.inside > 0, "pop with {} tokens inside (Q3)", self.inside);
        self.inside -= usize::from(popped.is_some());
        self.check();
        popped
    }

    fn steal(&mut self, round: StealRound) {
        let (mut own, own_thief) = Q::new(&CONFIG);
        let taken = steal_at_rest(&self.thief, &mut own, round);
        assert!(taken.is_some() || own_thief.is_empty(), "tokens moved by a steal that gave none to run");
        assert!(taken.is_some() || !round.last || self.inside == 0, "a last look left {}", self.inside);
        self.inside -= usize::from(taken.is_some()) + own_thief.len();
        self.check();
        taken.map(Probe::consume);
        drain(&mut own);
    }

    /// Q2, at rest and from both halves.
    fn check(&self) {
        assert_eq!(self.queue.is_empty(), self.inside == 0, "the owner, with {} inside (Q2)", self.inside);
        assert_eq!(self.thief.is_empty(), self.inside == 0, "a thief, with {} inside (Q2)", self.inside);
        assert_eq!(self.thief.len(), self.inside);
    }
}

/// Q1, Q2, Q3 under random operations, several hundred tokens deep.
pub fn each_token_comes_out_once<Q: RunQueue<Probe>>() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let ledger = Ledger::new(40_000);
        let mut counted = Counted::<Q>::new();
        for step in 0..2_000 {
            // Growing and shrinking by turns, so that both the overflow and the empty queue are met often.
            let growing = step / 300 % 2 == 0;
            match dice.below(if growing { 6 } else { 10 }) {
                0 | 1 => counted.push(ledger.mint(), Slot::Next),
                2 | 3 => counted.push(ledger.mint(), Slot::Back),
                4 if dice.once_in(4) => {
                    counted.push_batch((0..dice.below(60)).map(|_| ledger.mint()).collect())
                }
                5 if dice.once_in(8) => {
                    let last = dice.once_in(2);
                    let round = StealRound { last, victim_runs: dice.once_in(2), backed_off: true };
                    counted.steal(round);
                }
                _ => {
                    counted.pop().map(|popped| popped.token.consume());
                }
            }
        }
        while counted.pop().map(|popped| popped.token.consume()).is_some() {}
        ledger.settle();
    }
}

/// Go: TestSchedLocalQueue (`RunSchedLocalQueueTest`, Go 1.27): as many come out as went in, empty before and after.
pub fn empties_agree<Q: RunQueue<Probe>>() {
    for slot in [Slot::Back, Slot::Next] {
        for count in 0..256 {
            let ledger = Ledger::new(count);
            let mut counted = Counted::<Q>::new();
            counted.check();
            (0..count).for_each(|_| counted.push(ledger.mint(), slot));
            assert_eq!(counted.inside, count, "nothing may spill below 256");
            for _ in 0..count {
                counted.pop().expect("as many come out as went in").token.consume();
            }
            assert!(counted.pop().is_none());
            ledger.settle();
        }
    }
}

/// Q4: a burst spills, whole batches at a time, and what stays inside is bounded.
pub fn spills_are_single_batches<Q: RunQueue<Probe>>() {
    for slot in [Slot::Back, Slot::Next] {
        let ledger = Ledger::new(5_000);
        let mut counted = Counted::<Q>::new();
        for _ in 0..5_000 {
            counted.push(ledger.mint(), slot);
            assert!(counted.inside <= 1_024, "a local queue without bound starves the shared one");
        }
        drain(&mut counted.queue);
        ledger.settle();
    }
}

/// `push_batch` takes from the front, leaves the rest, and goes past the "next" slot.
pub fn batches_fill_what_fits<Q: RunQueue<Probe>>() {
    let ledger = Ledger::new(5_001);
    let mut counted = Counted::<Q>::new();
    counted.push(ledger.mint(), Slot::Back);
    let mut batch: List<Probe> = (0..5_000).map(|_| ledger.mint()).collect();
    counted.queue.push_batch(&mut batch);
    let taken = 5_000 - batch.len();
    assert!(taken > 0, "there was room");
    let mut rest = batch.map(Probe::consume);
    assert_eq!(rest.next(), Some(1 + taken as u64), "what stays is the back of the batch");
    assert_eq!(rest.count(), 4_999 - taken);
    let mut inside = Vec::new();
    while let Some(popped) = counted.queue.pop() {
        assert!(!popped.inherits, "a batch does not inherit a time slice");
        inside.push(popped.token.consume());
    }
    inside.sort_unstable();
    assert_eq!(inside, (0..=taken as u64).collect::<Vec<_>>());
    ledger.settle();
}

/// Go: TestSchedLocalQueueSteal (`RunSchedLocalQueueStealTest`, Go 1.27), with an inequality: a steal takes some and
/// not more than there are, and both queues together still have each token once.
pub fn steals_take_part<Q: RunQueue<Probe>>() {
    for count in 1..256 {
        for slot in [Slot::Back, Slot::Next] {
            let ledger = Ledger::new(count);
            let mut counted = Counted::<Q>::new();
            (0..count).for_each(|_| counted.push(ledger.mint(), slot));
            let (mut own, own_thief) = Q::new(&CONFIG);
            let first =
                steal_at_rest(&counted.thief, &mut own, TAKE_ANY).expect("there is something to take");
            first.consume();
            let stolen = 1 + own_thief.len();
            assert_eq!(counted.thief.len() + stolen, count);
            assert_eq!(drain(&mut own) + 1, stolen);
            assert_eq!(drain(&mut counted.queue), count - stolen);
            ledger.settle();
        }
    }
}

/// A thief whose own P is the victim takes nothing and loses nothing.
pub fn nothing_is_stolen_from_oneself<Q: RunQueue<Probe>>() {
    let ledger = Ledger::new(10);
    let mut counted = Counted::<Q>::new();
    (0..10).for_each(|number| {
        counted.push(ledger.mint(), if number % 2 == 0 { Slot::Next } else { Slot::Back })
    });
    let outcome = counted.thief.steal_into(&mut counted.queue, TAKE_ANY);
    assert!(matches!(outcome, Steal::Empty), "{outcome:?}");
    counted.check();
    assert_eq!(drain(&mut counted.queue), 10);
    ledger.settle();
}

/// A queue that goes away drops what is in it, token by token, and its thieves find nothing.
pub fn drops_hand_tokens_back<Q: RunQueue<Probe>>() {
    let ledger = Ledger::new(100);
    let mut counted = Counted::<Q>::new();
    (0..50).for_each(|_| counted.push(ledger.mint(), Slot::Back));
    (0..50).for_each(|_| counted.push(ledger.mint(), Slot::Next));
    let Counted { queue, thief, inside } = counted;
    drop(queue);
    assert!(inside == 100 || ledger.consumed() > 0);
    assert_eq!(ledger.dropped(), inside, "dropping the owner's half drops the tokens");
    assert!(thief.is_empty());
    let (mut own, _) = Q::new(&CONFIG);
    assert!(matches!(thief.steal_into(&mut own, TAKE_ANY), Steal::Empty));
}
