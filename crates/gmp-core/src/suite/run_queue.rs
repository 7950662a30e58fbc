//! Laws of a run queue in corners that random operations seldom meet: the queue is full, has each of its lengths, is
//! dropped. One thread checks them, so it knows at each moment how many tokens must be inside.

use crate::contract::{List, Popped, RunQueue, Slot, Steal, StealRound, Thief};
use crate::suite::{CONFIG, Ledger, Probe, TAKE_ANY};

/// How many tokens surely fit, at most `wanted`: a "next" slot is no room for tokens that are pushed Back.
pub(super) fn fitting<Q: RunQueue<Probe>>(wanted: usize) -> usize {
    Q::CAPACITY.map_or(wanted, |most| wanted.min(most.saturating_sub(1)))
}

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

/// Steals from a queue at rest, where a steal must not say for ever that it lost a race.
fn steal_at_rest<Q: RunQueue<Probe>>(thief: &Q::Thief, into: &mut Q, round: StealRound) -> Option<Probe> {
    for _ in 0..100 {
        match thief.steal_into(into, round) {
            Steal::Taken(probe) => return Some(probe),
            Steal::Empty => return None,
            Steal::BackOff(_) => assert!(!round.backed_off, "asked to back off twice (Q7)"),
            Steal::Retry => {}
        }
    }
    panic!("lost a race a hundred times without a rival (Q7)");
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
        assert!(batches.iter().all(|batch| !batch.is_empty()), "a spill of nothing (Q4)");
        let spilled = batches.iter().map(Vec::len).sum::<usize>();
        assert!(spilled <= self.inside + 1, "spilled {spilled} of {} (Q1)", self.inside + 1);
        self.inside = self.inside + 1 - spilled;
        self.check();
    }

    fn pop(&mut self) -> Option<Popped<Probe>> {
        let popped = self.queue.pop();
        assert_eq!(popped.is_some(), self.inside > 0, "pop with {} tokens inside (Q3)", self.inside);
        self.inside -= usize::from(popped.is_some());
        self.check();
        popped
    }

    /// Q2, at rest and from both halves.
    fn check(&self) {
        assert_eq!(self.queue.is_empty(), self.inside == 0, "the owner, with {} inside (Q2)", self.inside);
        assert_eq!(self.thief.is_empty(), self.inside == 0, "a thief, with {} inside (Q2)", self.inside);
        assert_eq!(self.thief.len(), self.inside, "len at rest (Q2)");
    }
}

/// Go: TestSchedLocalQueue (`RunSchedLocalQueueTest`, Go 1.27): as many come out as went in, empty before and after.
pub fn empties_agree<Q: RunQueue<Probe>>() {
    for slot in [Slot::Back, Slot::Next] {
        for count in 0..=fitting::<Q>(256) {
            let ledger = Ledger::new(count);
            let mut counted = Counted::<Q>::new();
            counted.check();
            (0..count).for_each(|_| counted.push(ledger.mint(), slot));
            assert_eq!(counted.inside, count, "a push spilled below CAPACITY (Q4)");
            for _ in 0..count {
                counted.pop().expect("as many come out as went in (Q3)").token.consume();
            }
            assert!(counted.pop().is_none(), "more came out than went in (Q1)");
            ledger.settle();
        }
    }
}

/// Q4: pushes fill a queue up to CAPACITY and never beyond, and a queue without bound takes all of a burst.
pub fn capacity_is_what_it_says<Q: RunQueue<Probe>>() {
    let burst = Q::CAPACITY.map_or(5_000, |most| 4 * most + 5_000);
    let ledger = Ledger::new(burst);
    let mut counted = Counted::<Q>::new();
    let mut most = 0;
    for push in 0..burst {
        counted.push(ledger.mint(), if push % 2 == 0 { Slot::Next } else { Slot::Back });
        most = most.max(counted.inside);
    }
    assert_eq!(most, Q::CAPACITY.unwrap_or(burst), "the most that was ever inside, and CAPACITY (Q4)");
    assert_eq!(drain(&mut counted.queue), counted.inside, "what came out at the end (Q1)");
    ledger.settle();
}

/// `push_batch` takes from the front, leaves the rest, and does not use the "next" slot.
pub fn batches_fill_what_fits<Q: RunQueue<Probe>>() {
    let count = Q::CAPACITY.unwrap_or_default() + 5_000;
    let ledger = Ledger::new(count);
    let (mut queue, _) = Q::new(&CONFIG);
    let mut batch: List<Probe> = (0..count).map(|_| ledger.mint()).collect();
    queue.push_batch(&mut batch);
    let taken = count - batch.len();
    assert!(taken > 0 || Q::CAPACITY == Some(0), "there was room (Q4)");
    assert!(batch.is_empty() || Q::CAPACITY.is_some(), "a queue without bound left some (Q4)");
    let rest: Vec<u64> = batch.map(Probe::consume).collect();
    assert!(rest.iter().copied().eq(taken as u64..count as u64), "what stays is the batch's end (Q4)");
    let mut inside = Vec::new();
    while let Some(popped) = queue.pop() {
        assert!(!popped.inherits, "a batch does not inherit a time slice (Q6)");
        inside.push(popped.token.consume());
    }
    inside.sort_unstable();
    assert!(inside.into_iter().eq(0..taken as u64), "what was taken comes out (Q1)");
    ledger.settle();
}

/// Go: TestSchedLocalQueueSteal (`RunSchedLocalQueueStealTest`, Go 1.27), with an inequality: a steal takes some and
/// not more than there are, and both queues together still have each token once.
pub fn steals_take_part<Q: RunQueue<Probe>>() {
    for count in 1..=fitting::<Q>(256) {
        for slot in [Slot::Back, Slot::Next] {
            let ledger = Ledger::new(count);
            let mut counted = Counted::<Q>::new();
            (0..count).for_each(|_| counted.push(ledger.mint(), slot));
            let (mut own, own_thief) = Q::new(&CONFIG);
            let first = steal_at_rest(&counted.thief, &mut own, TAKE_ANY);
            first.expect("the last look takes what there is (Q7)").consume();
            let stolen = 1 + own_thief.len();
            assert_eq!(counted.thief.len() + stolen, count, "{stolen} stolen of {count} (Q2)");
            assert_eq!(drain(&mut own) + 1, stolen, "what was stolen comes out (Q1)");
            assert_eq!(drain(&mut counted.queue), count - stolen, "what was left comes out (Q1)");
            ledger.settle();
        }
    }
}

/// A thief whose own P is the victim takes nothing and loses nothing.
pub fn nothing_is_stolen_from_oneself<Q: RunQueue<Probe>>() {
    let count = fitting::<Q>(10);
    let ledger = Ledger::new(count);
    let mut counted = Counted::<Q>::new();
    (0..count).for_each(|number| {
        counted.push(ledger.mint(), if number % 2 == 0 { Slot::Next } else { Slot::Back })
    });
    let outcome = counted.thief.steal_into(&mut counted.queue, TAKE_ANY);
    assert!(matches!(outcome, Steal::Empty), "stealing from oneself gave {outcome:?} (Q7)");
    counted.check();
    assert_eq!(drain(&mut counted.queue), count, "all is still inside (Q1)");
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
    assert_eq!(inside + ledger.consumed(), 100, "each is inside or was spilled (Q1)");
    assert_eq!(ledger.dropped(), inside, "dropping the owner's half drops the tokens (Q1)");
    assert!(thief.is_empty(), "nothing is left (Q2)");
    let (mut own, _) = Q::new(&CONFIG);
    assert!(matches!(thief.steal_into(&mut own, TAKE_ANY), Steal::Empty), "nothing is left to steal (Q7)");
}
