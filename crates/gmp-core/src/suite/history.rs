//! What a concurrent run's history says about a queue's promises: Q2, Q3, Q4 and Q6 under real thieves.
//!
//! Each law is about what was *inside all the while*: a token whose push was over before an operation began, and which
//! left by an operation that began when that one was over. Two of the owner's operations are ordered by their indices,
//! others by the run's clock; where neither says anything, nothing is claimed. So a law speaks only of what must hold
//! in every order that the machine may have chosen.

use super::concurrent::{History, Left, Span, Stolen};
use super::script::{Op, Script};
use crate::contract::{BackPromise, NextPromise, Promise, RunQueue, Slot, StealPromise};
use crate::suite::Probe;

/// The rank of a token: the index of the operation that gave it one, and the place in its batch.
pub(super) type Rank = (usize, usize);

/// When something happened: an operation of the owner's, or a thief's.
#[derive(Clone, Copy, Debug)]
struct When {
    step: Option<usize>,
    span: Span,
}

impl When {
    fn before(self, other: When) -> bool {
        match (self.step, other.step) {
            (Some(one), Some(other)) => one < other,
            _ => self.span.before(other.span),
        }
    }
}

/// What became of a token that was inside.
#[derive(Clone, Copy, Debug)]
struct Fate {
    number: u64,
    entered: When,
    /// Its rank, if it left from where ranks count, and when it got it.
    ranked: Option<(Rank, When)>,
    left: When,
}

impl Fate {
    /// Whether it was inside, wherever, all the while.
    fn inside(&self, during: When) -> bool {
        self.entered.before(during) && during.before(self.left)
    }

    /// Whether it had its rank and was inside all the while.
    fn ranked_inside(&self, during: When) -> Option<Rank> {
        let (rank, since) = self.ranked?;
        (since.before(during) && during.before(self.left)).then_some(rank)
    }
}

/// Judges a history of the queue `Q`. Panics with the clause that it breaks.
pub fn check<Q: RunQueue<Probe>>(script: &Script, history: &History) {
    Case::new(Q::PROMISE, script, history).check(Q::CAPACITY);
}

struct Case<'a> {
    promise: Promise,
    script: &'a Script,
    history: &'a History,
    /// For each token: the push, and the push Next that displaces it from the slot if nothing else does.
    pushed: Vec<usize>,
    displaced: Vec<Option<usize>>,
    is_next: Vec<bool>,
    place: Vec<usize>,
    /// Of each token that was inside, by number.
    fates: Vec<Fate>,
}

impl<'a> Case<'a> {
    fn new(promise: Promise, script: &'a Script, history: &'a History) -> Self {
        let mut case = Self {
            promise,
            script,
            history,
            pushed: Vec::new(),
            displaced: Vec::new(),
            is_next: Vec::new(),
            place: Vec::new(),
            fates: Vec::new(),
        };
        let mut in_slot = None;
        for (step, op) in script.owner.iter().enumerate() {
            if *op == Op::Push(Slot::Next)
                && let Some(old) = in_slot.replace(case.pushed.len())
            {
                case.displaced[old] = Some(step);
            }
            for place in 0..op.tokens() {
                case.pushed.push(step);
                case.place.push(place);
                case.is_next.push(*op == Op::Push(Slot::Next));
                case.displaced.push(None);
            }
        }
        case.follow();
        case
    }

    fn own(&self, step: usize) -> When {
        When { step: Some(step), span: self.history.spans[step] }
    }

    /// The rank that a token has once it is where ranks count.
    fn rank(&self, number: u64) -> Option<(Rank, usize)> {
        let index = number as usize;
        let step = match self.promise.next {
            NextPromise::Slot if self.is_next[index] => self.displaced[index]?,
            NextPromise::Any if self.is_next[index] => return None,
            _ => self.pushed[index],
        };
        Some(((step, self.place[index]), step))
    }

    /// Whether the owner, at this step, must have taken the token from the slot.
    fn in_slot_at(&self, number: u64, step: usize) -> bool {
        let index = number as usize;
        let slot = self.promise.next == NextPromise::Slot && self.is_next[index];
        slot && self.displaced[index].is_none_or(|displaced| step < displaced)
    }

    /// Whether a steal of one token may have taken it from the slot; then nothing is known of its rank.
    fn maybe_from_slot(&self, stolen: &Stolen) -> bool {
        let slot = self.promise.next == NextPromise::Slot && self.is_next[stolen.ran as usize];
        slot && stolen.others.is_empty() && stolen.round.last
    }

    /// Fills in what became of each token.
    fn follow(&mut self) {
        let mut fates = Vec::new();
        let mut note = |number: u64, ranked: bool, left: When| {
            let ranked = self.rank(number).filter(|_| ranked).map(|(rank, step)| (rank, self.own(step)));
            fates.push(Fate { number, entered: self.own(self.pushed[number as usize]), ranked, left });
        };
        for (step, left) in &self.history.owner {
            match left {
                Left::Popped(number, _) => {
                    note(*number, !self.in_slot_at(*number, *step), self.own(*step));
                }
                Left::Spilled(batch) => batch.iter().for_each(|&number| note(number, true, self.own(*step))),
                Left::StayedInBatch(_) => {}
            }
        }
        for stolen in self.history.thieves.iter().flatten() {
            let left = When { step: None, span: stolen.span };
            let ranked = !self.maybe_from_slot(stolen);
            stolen.others.iter().chain([&stolen.ran]).for_each(|&number| note(number, ranked, left));
        }
        fates.sort_unstable_by_key(|fate| fate.number);
        self.fates = fates;
    }

    fn check(&self, capacity: Option<usize>) {
        self.never_wrongly_empty();
        self.batches_keep_what_has_no_room();
        if let Some(capacity) = capacity {
            self.bounded(capacity);
        } else {
            let spills = |(_, left): &(usize, Left)| matches!(left, Left::Spilled(_));
            assert!(!self.history.owner.iter().any(spills), "a queue without bound spilled (Q4)");
        }
        self.owners_order();
        self.spills_order();
        for stolen in &self.history.thieves {
            self.thiefs_order(stolen);
        }
    }

    /// Q3 and Q2.
    fn never_wrongly_empty(&self) {
        for &step in &self.history.dry {
            let dry = self.own(step);
            if let Some(fate) = self.fates.iter().find(|fate| fate.inside(dry)) {
                let number = fate.number;
                assert!(
                    self.script.owner.get(step) == Some(&Op::Look),
                    "operation {step}, a pop, gave nothing while {number} was inside (Q3)"
                );
                panic!("operation {step}, the owner's look, missed {number} (Q2)");
            }
        }
        for &span in &self.history.looks {
            let look = When { step: None, span };
            if let Some(fate) = self.fates.iter().find(|fate| fate.inside(look))
                && !self.excused(span)
            {
                panic!("a thief's look missed {}, which was inside all the while (Q2)", fate.number);
            }
        }
    }

    /// Q2's exception: what a push moves may be out of sight while the push overlaps a steal.
    fn excused(&self, look: Span) -> bool {
        let overlap = |one: Span, other: Span| !one.before(other) && !other.before(one);
        let pushes = self.script.owner.iter().zip(&self.history.spans);
        pushes
            .filter(|(op, span)| op.tokens() > 0 && overlap(**span, look))
            .any(|(_, push)| self.history.thieves.iter().flatten().any(|stolen| overlap(stolen.span, *push)))
    }

    /// Q4: how many were surely inside after each push.
    fn bounded(&self, capacity: usize) {
        let mut entered = 0;
        for (step, op) in self.script.owner.iter().enumerate().filter(|(_, op)| op.tokens() > 0) {
            entered += op.tokens();
            if entered <= capacity {
                continue;
            }
            let now = self.own(step);
            let inside = |fate: &&Fate| {
                fate.entered.step.is_some_and(|entered| entered <= step) && now.before(fate.left)
            };
            let count = self.fates.iter().filter(inside).count();
            assert!(count <= capacity, "{count} inside after operation {step}, CAPACITY is {capacity} (Q4)");
        }
    }

    /// What stays in a batch is its end, in order.
    fn batches_keep_what_has_no_room(&self) {
        let mut ends = Vec::new();
        self.script.owner.iter().fold(0, |pushed, op| {
            ends.push(pushed + op.tokens() as u64);
            pushed + op.tokens() as u64
        });
        for (step, left) in &self.history.owner {
            if let Left::StayedInBatch(rest) = left {
                let end = ends[*step] - rest.len() as u64..ends[*step];
                assert!(rest.iter().copied().eq(end), "{rest:?} stayed of a batch, not its end (Q4)");
            }
        }
    }

    /// Q6 at the owner's hand: the slot first, then the promised end.
    fn owners_order(&self) {
        let mut in_slot = None;
        let mut steps = self.history.owner.iter();
        let mut next = steps.next();
        for step in 0..self.history.spans.len() {
            if self.script.owner.get(step) == Some(&Op::Push(Slot::Next)) {
                in_slot = Some(self.pushed.partition_point(|&pushed| pushed < step) as u64);
            }
            while let Some((_, left)) = next.filter(|(at, _)| *at == step) {
                if let Left::Popped(number, inherits) = left {
                    self.popped(step, *number, *inherits, in_slot);
                    in_slot = in_slot.filter(|next| next != number);
                }
                next = steps.next();
            }
        }
    }

    fn popped(&self, step: usize, number: u64, inherits: bool, in_slot: Option<u64>) {
        let may_inherit = match self.promise.next {
            NextPromise::Slot => in_slot == Some(number),
            NextPromise::Back => false,
            NextPromise::Any => self.is_next[number as usize],
        };
        assert!(may_inherit || !inherits, "{number} inherits a time slice, and was not in the slot (Q6)");
        let now = self.own(step);
        if self.promise.next == NextPromise::Slot
            && let Some(next) = in_slot.filter(|&next| next != number)
            && self.fates.iter().any(|fate| fate.number == next && fate.inside(now))
        {
            panic!("operation {step} popped {number} while {next} was in the slot (Q6)");
        }
        let Some((rank, _)) = self.rank(number).filter(|_| !self.in_slot_at(number, step)) else { return };
        let first = match self.promise.back {
            BackPromise::Fifo => |one: Rank, other: Rank| one < other,
            BackPromise::Lifo => |one: Rank, other: Rank| one > other,
            BackPromise::Any => return,
        };
        let skipped = |fate: &&Fate| fate.ranked_inside(now).is_some_and(|other| first(other, rank));
        if let Some(fate) = self.fates.iter().find(skipped) {
            panic!("operation {step} popped {number}, and {} was to come first (Q6)", fate.number);
        }
    }

    /// Q6 of what leaves by a push: never what is in the slot; oldest first, if first in first out is promised.
    fn spills_order(&self) {
        for (step, left) in &self.history.owner {
            let Left::Spilled(batch) = left else { continue };
            assert!(!batch.is_empty(), "operation {step} spilled an empty batch (Q4)");
            let from_slot = batch.iter().find(|&&number| self.in_slot_at(number, *step));
            assert!(from_slot.is_none(), "operation {step} spilled {from_slot:?} from the slot (Q6)");
            self.rises(batch, "a spilled batch");
        }
    }

    fn rises(&self, numbers: &[u64], what: &str) {
        if self.promise.back == BackPromise::Fifo {
            let ranks: Vec<Rank> =
                numbers.iter().filter_map(|&number| self.rank(number)).map(|it| it.0).collect();
            assert!(ranks.is_sorted(), "{what} is out of order: {numbers:?} (Q6)");
        }
    }

    /// Q6 at one thief's hand.
    fn thiefs_order(&self, all_stolen: &[Stolen]) {
        let mut before: Option<(Rank, u64)> = None;
        for stolen in all_stolen {
            let taken = || stolen.others.iter().chain([&stolen.ran]).copied();
            let now = When { step: None, span: stolen.span };
            if self.maybe_from_slot(stolen) {
                continue;
            }
            if self.promise.next == NextPromise::Slot
                && let Some(next) = taken().find(|&number| self.rank(number).is_none())
            {
                panic!("a steal took {next} from the slot, too early or with others: {stolen:?} (Q6)");
            }
            self.rises(&stolen.others, "what a steal left in the thief's queue");
            if self.promise.steals == StealPromise::Any {
                continue;
            }
            let ranks = || taken().filter_map(|number| Some((self.rank(number)?.0, number)));
            let (Some(lowest), Some(highest)) = (ranks().min(), ranks().max()) else { continue };
            if let Some(before) = before.replace(highest) {
                assert!(before < lowest, "one thief got {} and later {} (Q6)", before.1, lowest.1);
            }
            let older = |fate: &&Fate| fate.ranked_inside(now).is_some_and(|rank| rank < highest.0);
            if let Some(fate) = self.fates.iter().find(older) {
                panic!("a steal took {} and left the older {} (Q6)", highest.1, fate.number);
            }
        }
    }
}
