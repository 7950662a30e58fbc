//! Sequential runs: random operations of an owner and of thieves on one thread, against a model that keeps the queue's own
//! [`Promise`](crate::contract::Promise). Where nothing overlaps everything is known: which tokens are inside, which of
//! them may come next, and that emptiness and length are exact.

use super::script::{Op, Sequential, Step};
use crate::contract::{
    BackPromise, List, NextPromise, OnlyP, Popped, RunQueue, Slot, Steal, StealPromise, StealRound, Thief,
};
use crate::suite::{CONFIG, Ledger, Probe};
use std::collections::BTreeSet;
use std::marker::PhantomData;

/// How often a steal at rest may say that it lost a race.
const RETRIES: usize = 100;

/// The tokens that are inside, by their numbers.
struct Model<Q> {
    /// What was pushed Next last, if the queue has a slot for it.
    slot: Option<u64>,
    /// What has a rank, lowest first.
    back: Vec<u64>,
    /// What was pushed Next, where the queue promises nothing about it.
    loose: BTreeSet<u64>,
    queue: PhantomData<fn() -> Q>,
}

impl<Q: RunQueue<Probe>> Model<Q> {
    fn new() -> Self {
        Self { slot: None, back: Vec::new(), loose: BTreeSet::new(), queue: PhantomData }
    }

    fn len(&self) -> usize {
        self.back.len() + self.loose.len() + usize::from(self.slot.is_some())
    }

    fn push(&mut self, number: u64, slot: Slot) {
        match (slot, Q::PROMISE.next) {
            (Slot::Next, NextPromise::Slot) => self.back.extend(self.slot.replace(number)),
            (Slot::Next, NextPromise::Any) => assert!(self.loose.insert(number), "numbers rise"),
            _ => self.back.push(number),
        }
    }

    /// Takes a token out. Returns its place among the ranked ones, or `None` if it has no rank.
    fn take(&mut self, number: u64, by: &str) -> Option<usize> {
        if self.loose.remove(&number) {
            return None;
        }
        let place = self.back.iter().position(|&inside| inside == number);
        assert!(place.is_some(), "{by} gave {number}, which is not inside (Q1)");
        place.inspect(|&place| assert_eq!(self.back.remove(place), number))
    }

    fn pop(&mut self, number: u64, inherits: bool) {
        if let Some(next) = self.slot.take() {
            return assert_eq!(number, next, "a pop gives what was pushed Next last first (Q6)");
        }
        let may_inherit = self.loose.contains(&number);
        assert!(may_inherit || !inherits, "{number} inherits a time slice, and was not in the slot (Q6)");
        let Some(place) = self.take(number, "a pop") else { return };
        let first = match Q::PROMISE.back {
            BackPromise::Fifo => 0,
            BackPromise::Lifo => self.back.len(),
            BackPromise::Any => return,
        };
        assert_eq!(place, first, "{number} popped at this place of {} (Q6)", self.back.len() + 1);
    }

    fn spill(&mut self, batch: &[u64]) {
        assert!(!batch.is_empty(), "an empty batch was spilled (Q4)");
        assert!(Q::CAPACITY.is_some(), "a queue without bound spilled (Q4)");
        let in_slot = batch.iter().find(|&&number| self.slot == Some(number));
        assert!(in_slot.is_none(), "{in_slot:?} was spilled from the slot (Q6)");
        let ranked = self.back.clone();
        for &number in batch {
            self.take(number, "a spill");
        }
        self.rises(&ranked, batch, "a spilled batch");
    }

    fn rises(&self, ranked: &[u64], numbers: &[u64], what: &str) {
        if Q::PROMISE.back == BackPromise::Fifo {
            let place = |number: &u64| ranked.iter().position(|inside| inside == number);
            let places = numbers.iter().filter_map(place);
            assert!(places.is_sorted(), "{what} is out of order: {numbers:?} (Q6)");
        }
    }

    fn steal(&mut self, ran: u64, others: &[u64], round: StealRound) {
        if self.slot.is_some_and(|next| next == ran || others.contains(&next)) {
            self.slot = None;
            assert!(round.last, "{ran} was stolen from the slot before the last round (Q6)");
            return assert!(others.is_empty(), "{ran} was stolen from the slot and {others:?} too (Q6)");
        }
        let ranked = self.back.clone();
        let taken = others.iter().chain([&ran]);
        let highest = taken.filter_map(|&number| self.take(number, "a steal").map(|_| number)).max();
        self.rises(&ranked, others, "what a steal left in the thief's queue");
        if Q::PROMISE.steals == StealPromise::Oldest
            && let Some(highest) = highest
        {
            let place = |number| ranked.iter().position(|&inside| inside == number);
            let taken = ranked.len() - self.back.len();
            let last = others.iter().chain([&ran]).filter_map(|&number| place(number)).max();
            assert_eq!(last, Some(taken - 1), "a steal took {highest} and left an older one (Q6)");
        }
    }
}

/// A queue, and the model of it.
struct Pair<Q: RunQueue<Probe>> {
    ledger: Ledger,
    queue: Q,
    thief: Q::Thief,
    model: Model<Q>,
    only_p: bool,
}

impl Sequential {
    /// Runs the steps once. With `only_p`, every other push and pop of the owner is the one for the only P. Panics with
    /// the clause that is broken.
    pub fn run<Q: RunQueue<Probe>>(&self, only_p: bool) {
        let tokens = |step: &Step| if let Step::Own(op) = step { op.tokens() } else { 0 };
        let ledger = Ledger::new(self.0.iter().map(tokens).sum());
        let (queue, thief) = Q::new(&CONFIG);
        let mut pair = Pair { ledger, queue, thief, model: Model::new(), only_p: false };
        pair.check();
        for (index, step) in self.0.iter().enumerate() {
            pair.only_p = only_p && index % 2 == 0;
            match *step {
                Step::Own(op) => pair.own(op),
                Step::Steal(round) => pair.steal(round),
                Step::StealFromOneself => pair.steal_from_oneself(),
            }
            pair.check();
        }
        while pair.model.len() > 0 {
            pair.pop();
            pair.check();
        }
        pair.ledger.settle();
    }
}

impl<Q: RunQueue<Probe>> Pair<Q> {
    /// Checks Q2 at rest, from both halves, and Q4's bound.
    fn check(&mut self) {
        let inside = self.model.len();
        let told = [self.queue.is_empty(), self.thief.is_empty()].map(|empty| empty == (inside == 0));
        if told != [true; 2] || self.thief.len() != inside {
            self.look_for_lost_ones();
            assert!(told[0], "the owner's is_empty is wrong with {inside} inside (Q2)");
            assert!(told[1], "a thief's is_empty is wrong with {inside} inside (Q2)");
            panic!("len is {} with {inside} inside (Q2)", self.thief.len());
        }
        assert!(Q::CAPACITY.is_none_or(|most| inside <= most), "{inside} inside, of {:?} (Q4)", Q::CAPACITY);
    }

    /// Finds out whether the queue itself is wrong, or only what it says about itself.
    fn look_for_lost_ones(&mut self) {
        let popped = std::iter::from_fn(|| self.queue.pop());
        let found: BTreeSet<u64> = popped.map(|popped| popped.token.consume()).collect();
        let Model { slot, back, loose, .. } = &self.model;
        let inside: BTreeSet<u64> = slot.iter().chain(back).chain(loose).copied().collect();
        let lost: Vec<&u64> = inside.difference(&found).collect();
        let doubled: Vec<&u64> = found.difference(&inside).collect();
        assert!(lost.is_empty(), "{lost:?} went in and did not come out (Q1)");
        assert!(doubled.is_empty(), "{doubled:?} came out, and was still inside (Q1)");
    }

    fn own(&mut self, op: Op) {
        match op {
            Op::Push(slot) => self.push(slot),
            Op::PushBatch(count) => self.push_batch(count),
            Op::Pop => self.pop(),
            // Each step is followed by looks, and there is no other thread to let run.
            Op::Look | Op::Pause(_) => {}
        }
    }

    fn push(&mut self, slot: Slot) {
        let probe = self.ledger.mint();
        self.model.push(crate::contract::Token::number(&probe), slot);
        let mut spilled = Vec::new();
        let mut spill = |batch: List<Probe>| spilled.push(batch.map(Probe::consume).collect::<Vec<u64>>());
        if self.only_p {
            // SAFETY: one thread alone uses the queue.
            let evidence = unsafe { OnlyP::for_suite() };
            // SAFETY: as above.
            unsafe { self.queue.push_only_p(probe, slot, &mut spill, evidence) };
        } else {
            self.queue.push(probe, slot, &mut spill);
        }
        assert!(spilled.len() <= 1, "one push spilled {} batches (Q4)", spilled.len());
        spilled.iter().for_each(|batch| self.model.spill(batch));
    }

    fn push_batch(&mut self, count: u8) {
        let first = self.ledger.minted() as u64;
        let mut batch: List<Probe> = (0..count).map(|_| self.ledger.mint()).collect();
        self.queue.push_batch(&mut batch);
        let taken = first..first + u64::from(count) - batch.len() as u64;
        let rest: Vec<u64> = batch.map(Probe::consume).collect();
        assert!(
            rest.iter().copied().eq(taken.end..first + u64::from(count)),
            "{rest:?} stayed of a batch, not its end (Q4)"
        );
        assert!(Q::CAPACITY.is_some() || rest.is_empty(), "a queue without bound left {rest:?} (Q4)");
        let no_room = Q::CAPACITY == Some(0) || self.model.len() > 0;
        assert!(no_room || count == 0 || !taken.is_empty(), "an empty queue took nothing of a batch (Q4)");
        taken.for_each(|number| self.model.push(number, Slot::Back));
    }

    fn pop(&mut self) {
        let popped = if self.only_p {
            // SAFETY: one thread alone uses the queue.
            let evidence = unsafe { OnlyP::for_suite() };
            // SAFETY: as above.
            unsafe { self.queue.pop_only_p(evidence) }
        } else {
            self.queue.pop()
        };
        match popped {
            Some(Popped { token, inherits }) => self.model.pop(token.consume(), inherits),
            None => assert_eq!(self.model.len(), 0, "a pop gave nothing (Q3)"),
        }
    }

    fn steal(&mut self, round: StealRound) {
        let (mut own, own_thief) = Q::new(&CONFIG);
        for _ in 0..RETRIES {
            match self.thief.steal_into(&mut own, round) {
                Steal::Taken(probe) => {
                    let expected = own_thief.len();
                    let pop = |popped: Popped<Probe>| {
                        assert!(!popped.inherits, "a stolen token inherits its thief's time slice (Q6)");
                        popped.token.consume()
                    };
                    let others: Vec<u64> = std::iter::from_fn(|| own.pop()).map(pop).collect();
                    assert_eq!(others.len(), expected, "what a steal left in the thief's queue (Q2)");
                    return self.model.steal(probe.consume(), &others, round);
                }
                Steal::Empty => {
                    let anything = round.last && (round.backed_off || !round.victim_runs);
                    let inside = self.model.len();
                    assert!(!anything || inside == 0, "a look that may take anything left {inside} (Q7)");
                    return moved_nothing(&own_thief);
                }
                Steal::BackOff(_) => {
                    assert!(!round.backed_off, "asked to back off twice (Q7)");
                    return moved_nothing(&own_thief);
                }
                Steal::Retry => moved_nothing(&own_thief),
            }
        }
        panic!("lost {RETRIES} races without a rival (Q7)");
    }

    fn steal_from_oneself(&mut self) {
        let outcome = self.thief.steal_into(&mut self.queue, super::TAKE_ANY);
        if let Steal::Taken(probe) = outcome {
            panic!("{} was stolen from oneself (Q7)", probe.consume());
        }
    }
}

fn moved_nothing<T: Thief<Probe>>(own: &T) {
    assert!(own.is_empty(), "a steal that gave nothing to run moved tokens (Q7)");
}
