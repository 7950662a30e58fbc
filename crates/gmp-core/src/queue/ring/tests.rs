//! What the ring promises beyond the suite: its order, its back-off, its wrap-around.

use super::*;
use crate::contract::{Steal, StealRound, Thief};
use crate::suite::{Ledger, Probe, TAKE_ANY};
use std::collections::VecDeque;

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

fn pop(ring: &mut Ring<Probe>) -> Option<(u64, bool)> {
    ring.pop().map(|popped| (popped.token.consume(), popped.inherits))
}

/// Positions are words that run over; nothing may happen then.
#[test]
fn positions_wrap_around() {
    let ledger = Ledger::new(2_000);
    let (mut ring, thief) = Ring::starting_at(usize::MAX - 100);
    let (mut own, _) = Ring::starting_at(usize::MAX - 3);
    let mut taken = Vec::new();
    for _ in 0..20 {
        (0..100).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        assert_eq!(thief.len(), 100);
        let Steal::Taken(last) = thief.steal_into(&mut own, TAKE_ANY) else { panic!("half of 100") };
        taken.extend(std::iter::from_fn(|| pop(&mut own)).map(|(number, _)| number));
        taken.push(last.consume());
        taken.extend(std::iter::from_fn(|| pop(&mut ring)).map(|(number, _)| number));
    }
    assert_eq!(taken, (0..2_000).collect::<Vec<_>>());
    ledger.settle();
}

/// A running victim is left alone with its `run_next` for 3 us, but only with the one that was seen.
#[test]
fn back_off_is_for_one_certain_token() {
    let ledger = Ledger::new(2);
    let (mut victim, thief) = Ring::starting_at(0);
    let (mut own, _) = Ring::starting_at(0);
    let early = StealRound { last: false, victim_runs: false, backed_off: false };
    let look = StealRound { last: true, victim_runs: true, backed_off: false };
    let again = StealRound { backed_off: true, ..look };
    victim.push(ledger.mint(), Slot::Next, &mut no_spill);
    assert!(matches!(thief.steal_into(&mut own, early), Steal::Empty), "run_next is for the last round");
    assert!(matches!(thief.steal_into(&mut own, look), Steal::BackOff(BACK_OFF_FOR_TEST)));
    assert_eq!(pop(&mut victim), Some((0, true)));
    victim.push(ledger.mint(), Slot::Next, &mut no_spill);
    assert!(matches!(thief.steal_into(&mut own, again), Steal::Retry), "another one is there by now");
    assert!(matches!(thief.steal_into(&mut own, look), Steal::BackOff(_)));
    let Steal::Taken(probe) = thief.steal_into(&mut own, again) else { panic!("waited for it") };
    assert_eq!(probe.consume(), 1);
    assert!(matches!(thief.steal_into(&mut own, again), Steal::Empty));
    ledger.settle();
}

const BACK_OFF_FOR_TEST: core::time::Duration = core::time::Duration::from_micros(3);

/// A victim that does not run (its M is in a system call, say) is robbed without a wait.
#[test]
fn a_resting_victim_gives_run_next_at_once() {
    let ledger = Ledger::new(1);
    let (mut victim, thief) = Ring::starting_at(0);
    let (mut own, _) = Ring::starting_at(0);
    victim.push(ledger.mint(), Slot::Next, &mut no_spill);
    let round = StealRound { last: true, victim_runs: false, backed_off: false };
    let Steal::Taken(probe) = thief.steal_into(&mut own, round) else { panic!("nothing to wait for") };
    probe.consume();
    ledger.settle();
}

/// The contract wants an empty queue to steal into. If it is not, nothing may be overwritten.
#[test]
fn a_full_thief_takes_one_only() {
    let ledger = Ledger::new(2 * 256);
    let (mut victim, thief) = Ring::starting_at(0);
    let (mut own, own_thief) = Ring::starting_at(0);
    (0..256).for_each(|_| victim.push(ledger.mint(), Slot::Back, &mut no_spill));
    (0..256).for_each(|_| own.push(ledger.mint(), Slot::Back, &mut no_spill));
    let Steal::Taken(probe) = thief.steal_into(&mut own, TAKE_ANY) else { panic!("there are 256") };
    assert_eq!((probe.consume(), thief.len(), own_thief.len()), (0, 255, 256));
    std::iter::from_fn(|| pop(&mut own))
        .zip(256..)
        .for_each(|((number, _), expected)| assert_eq!(number, expected));
    while pop(&mut victim).is_some() {}
    ledger.settle();
}

/// The whole of one owner's behaviour against Go's rules, told with plain collections.
#[derive(Default)]
struct Model {
    run_next: Option<u64>,
    ring: VecDeque<u64>,
    shared: Vec<u64>,
}

impl Model {
    fn push(&mut self, number: u64, slot: Slot) {
        let back = if slot == Slot::Next { self.run_next.replace(number) } else { Some(number) };
        let Some(back) = back else { return };
        if self.ring.len() == 256 {
            self.shared.extend(self.ring.drain(..128));
            self.shared.push(back);
        } else {
            self.ring.push_back(back);
        }
    }

    fn pop(&mut self) -> Option<(u64, bool)> {
        let next = self.run_next.take().map(|number| (number, true));
        next.or_else(|| self.ring.pop_front().map(|number| (number, false)))
    }

    /// The thief's ring, then the one it runs.
    fn steal(&mut self, last: bool) -> Vec<u64> {
        if self.ring.is_empty() && last {
            return self.run_next.take().into_iter().collect();
        }
        self.ring.drain(..self.ring.len().div_ceil(2)).collect()
    }
}

#[test]
fn one_owner_follows_gos_rules_exactly() {
    for seed in 0..40 {
        let mut rng = crate::suite::Rng::new(seed);
        let ledger = Ledger::new(40_000);
        let (mut ring, thief) = Ring::starting_at(0);
        let (mut model, mut shared) = (Model::default(), Vec::new());
        for step in 0..4_000 {
            let pushes = if step / 600 % 2 == 0 { 7 } else { 4 };
            match rng.below(10) {
                choice if choice < pushes => {
                    let slot = if choice % 2 == 0 { Slot::Next } else { Slot::Back };
                    let probe = ledger.mint();
                    model.push(probe.number(), slot);
                    ring.push(probe, slot, &mut |batch: List<Probe>| {
                        shared.extend(batch.map(Probe::consume))
                    });
                }
                8 if rng.once_in(30) => {
                    let (mut own, _) = Ring::starting_at(0);
                    let round = StealRound { last: rng.once_in(2), ..TAKE_ANY };
                    let ran = match thief.steal_into(&mut own, round) {
                        Steal::Taken(probe) => Some(probe.consume()),
                        _ => None,
                    };
                    let stolen = std::iter::from_fn(|| pop(&mut own)).map(|(number, _)| number).chain(ran);
                    assert_eq!(
                        stolen.collect::<Vec<_>>(),
                        model.steal(round.last),
                        "seed {seed}, step {step}"
                    );
                }
                9 if rng.once_in(10) => {
                    let batch: Vec<Probe> = (0..rng.below(70)).map(|_| ledger.mint()).collect();
                    let room = 256 - model.ring.len();
                    model.ring.extend(batch.iter().take(room).map(Token::number));
                    let mut list: List<Probe> = batch.into_iter().collect();
                    ring.push_batch(&mut list);
                    list.for_each(|probe| assert!(probe.consume() < 40_000));
                }
                _ => assert_eq!(pop(&mut ring), model.pop(), "seed {seed}, step {step}"),
            }
            assert_eq!(shared, model.shared, "seed {seed}, step {step}");
            shared.clear();
            model.shared.clear();
            assert_eq!(thief.len(), model.ring.len() + usize::from(model.run_next.is_some()));
        }
        while pop(&mut ring).is_some() {}
        ledger.settle();
    }
}
