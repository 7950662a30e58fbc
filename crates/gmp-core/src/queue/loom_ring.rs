//! loom models of the ring, on the real types. A ring has four slots here, so two are half of it.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Threads: at most three (the owner is the model's main thread). Preemptions: 6 in each model, 3 where the owner meets
//! two thieves, or what `LOOM_MAX_PREEMPTIONS` says. Time: 10 s in all; with 5 preemptions everywhere 80 s.
//!
//! What a model checks without saying so: a token's content is written before the push and rewritten when it is
//! consumed, both through loom's `UnsafeCell`, so an ordering that does not hand the content over is a failure; and
//! the ledger knows tokens that were lost or came out twice.
//!
//! What no loom model sees: a thief's read of a slot that the machine performs after the thief's own compare-and-swap.
//! loom runs each thread's operations in program order. Two orderings stand on the argument in `ring.rs` alone: the
//! Acquire of `head` in `Ring::tail_and_room`, and that the thief's Release covers its reads.

use super::{List, Ring, RingThief};
use crate::contract::{RunQueue, Slot, Steal, StealRound, Thief};
use crate::ground::sync::Arc;
use crate::suite::{CONFIG, Ledger, Probe, TAKE_ANY};
use loom::thread;

/// Explores with a bound that keeps each model below two minutes; the environment overrules it.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

/// Steals once; the numbers in the order of the victim's ring.
fn steal_once(thief: &RingThief<Probe>, round: StealRound) -> Vec<u64> {
    let (mut own, _own_thief) = Ring::new(&CONFIG);
    let ran = match thief.steal_into(&mut own, round) {
        Steal::Taken(probe) => Some(probe.consume()),
        _ => None,
    };
    std::iter::from_fn(|| own.pop()).map(|popped| popped.token.consume()).chain(ran).collect()
}

fn rises(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// Owner pushes and pops, two thieves steal: exactly once, and each of them sees the ring's order.
#[test]
fn owner_against_two_thieves() {
    explore(3, || {
        let ledger = Arc::new(Ledger::new(3));
        let (mut ring, thief) = Ring::new(&CONFIG);
        ring.push(ledger.mint(), Slot::Back, &mut no_spill);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let (thief, ledger) = (thief.clone(), ledger.clone());
                thread::spawn(move || {
                    let stolen = steal_once(&thief, StealRound { last: false, ..TAKE_ANY });
                    drop(ledger);
                    stolen
                })
            })
            .collect();
        ring.push(ledger.mint(), Slot::Back, &mut no_spill);
        ring.push(ledger.mint(), Slot::Back, &mut no_spill);
        let popped: Vec<u64> =
            std::iter::from_fn(|| ring.pop()).map(|popped| popped.token.consume()).collect();
        assert!(rises(&popped));
        thieves.into_iter().for_each(|handle| assert!(rises(&handle.join().unwrap())));
        assert_eq!(ledger.consumed(), 3);
    });
}

/// A slot is filled again only after the thief that took it has read it: the wrap-around.
#[test]
fn reused_slots_against_a_thief() {
    explore(6, || {
        let ledger = Ledger::new(8);
        let (mut ring, thief) = Ring::new(&CONFIG);
        (0..4).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        let robber = thread::spawn(move || {
            let mut stolen = steal_once(&thief, TAKE_ANY);
            stolen.extend(steal_once(&thief, TAKE_ANY));
            stolen
        });
        let mut spilled = Vec::new();
        for _ in 0..2 {
            let mut spill = |batch: List<Probe>| spilled.extend(batch.map(Probe::consume));
            ring.push(ledger.mint(), Slot::Back, &mut spill);
        }
        while let Some(popped) = ring.pop() {
            popped.token.consume();
        }
        assert!(rises(&robber.join().unwrap()));
        ledger.settle();
    });
}

/// Overflow while a thief steals: the owner's half and the thief's half do not overlap.
#[test]
fn overflow_against_a_thief() {
    explore(6, || {
        let ledger = Ledger::new(5);
        let (mut ring, thief) = Ring::new(&CONFIG);
        (0..4).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        let robber = thread::spawn(move || steal_once(&thief, TAKE_ANY));
        let mut spilled = Vec::new();
        ring.push(ledger.mint(), Slot::Back, &mut |batch: List<Probe>| {
            spilled.extend(batch.map(Probe::consume));
        });
        let popped: Vec<u64> =
            std::iter::from_fn(|| ring.pop()).map(|popped| popped.token.consume()).collect();
        let stolen = robber.join().unwrap();
        // Either the owner came first (two and the new one left), or the thief did and there was room.
        assert!(
            spilled.is_empty() && stolen == [0, 1] || spilled == [0, 1, 4],
            "{spilled:?} {stolen:?} {popped:?}"
        );
        assert!(rises(&popped));
        ledger.settle();
    });
}

/// The owner swaps `run_next` and pops it while a thief in its last round reaches for it.
#[test]
fn run_next_against_a_thief() {
    explore(6, || {
        let ledger = Ledger::new(3);
        let (mut ring, thief) = Ring::new(&CONFIG);
        ring.push(ledger.mint(), Slot::Next, &mut no_spill);
        let robber = thread::spawn(move || steal_once(&thief, TAKE_ANY));
        ring.push(ledger.mint(), Slot::Next, &mut no_spill);
        let first = ring.pop().map(|popped| (popped.token.consume(), popped.inherits));
        ring.push(ledger.mint(), Slot::Next, &mut no_spill);
        let rest: Vec<u64> = std::iter::from_fn(|| ring.pop()).map(|popped| popped.token.consume()).collect();
        let stolen = robber.join().unwrap();
        assert!(first.is_some(), "one was pushed and at most one stolen after it, of two");
        assert_eq!(usize::from(first.is_some()) + rest.len() + stolen.len(), 3);
        ledger.settle();
    });
}

/// Two thieves and the owner at one token in `run_next`.
#[test]
fn run_next_has_one_taker() {
    explore(6, || {
        let ledger = Arc::new(Ledger::new(1));
        let (mut ring, thief) = Ring::new(&CONFIG);
        ring.push(ledger.mint(), Slot::Next, &mut no_spill);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let thief = thief.clone();
                thread::spawn(move || steal_once(&thief, TAKE_ANY).len())
            })
            .collect();
        let own = usize::from(ring.pop().map(|popped| popped.token.consume()).is_some());
        let stolen: usize = thieves.into_iter().map(|handle| handle.join().unwrap()).sum();
        assert_eq!(own + stolen, 1);
        assert!(ring.is_empty() && thief.is_empty());
        assert_eq!(ledger.consumed(), 1);
    });
}

/// Q2: one of two tokens is inside at every moment, wherever it moves; nobody sees an empty queue. Go's four flags.
#[test]
fn a_moving_token_is_seen() {
    for flags in 0..4 {
        explore(6, move || {
            let slot = |bit: u32| if flags & bit == 0 { Slot::Back } else { Slot::Next };
            let ledger = Ledger::new(2);
            let (mut ring, thief) = Ring::new(&CONFIG);
            ring.push(ledger.mint(), slot(1), &mut no_spill);
            let looker = thread::spawn(move || thief.is_empty());
            ring.push(ledger.mint(), slot(2), &mut no_spill);
            ring.pop().expect("two are inside").token.consume();
            assert!(!looker.join().unwrap(), "a token was out of sight, flags {flags}");
            ring.pop().expect("one is inside").token.consume();
            ledger.settle();
        });
    }
}

/// Q2 while the ring overflows: it keeps half and says so.
#[test]
fn an_overflowing_ring_is_never_empty() {
    explore(6, || {
        let ledger = Ledger::new(5);
        let (mut ring, thief) = Ring::new(&CONFIG);
        (0..2).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        let looker = thread::spawn(move || thief.is_empty());
        let mut spilled = 0;
        for _ in 0..3 {
            ring.push(ledger.mint(), Slot::Back, &mut |batch: List<Probe>| {
                spilled += batch.map(Probe::consume).count();
            });
        }
        assert!(!looker.join().unwrap(), "two at least were inside");
        assert_eq!(spilled, 3);
        while let Some(popped) = ring.pop() {
            popped.token.consume();
        }
        ledger.settle();
    });
}

/// Q2 while a thief takes half: what it leaves is seen.
#[test]
fn a_robbed_ring_is_never_empty() {
    explore(4, || {
        let ledger = Ledger::new(3);
        let (mut ring, thief) = Ring::new(&CONFIG);
        (0..2).for_each(|_| ring.push(ledger.mint(), Slot::Back, &mut no_spill));
        let robber = {
            let thief = thief.clone();
            thread::spawn(move || steal_once(&thief, TAKE_ANY))
        };
        let looker = thread::spawn(move || thief.is_empty());
        ring.push(ledger.mint(), Slot::Back, &mut no_spill);
        assert!(!looker.join().unwrap(), "a thief leaves half");
        assert!(!robber.join().unwrap().is_empty());
        while let Some(popped) = ring.pop() {
            popped.token.consume();
        }
        ledger.settle();
    });
}

/// The submit side and the last look: either the pusher sees the looker, or the looker sees the token.
#[test]
fn a_fence_on_both_sides_makes_a_push_visible() {
    use crate::ground::sync::{AtomicBool, full_fence};
    use core::sync::atomic::Ordering::Relaxed;
    for slot in [Slot::Back, Slot::Next] {
        explore(6, move || {
            let ledger = Ledger::new(1);
            let (mut ring, thief) = Ring::new(&CONFIG);
            let spinning = Arc::new(AtomicBool::new(true));
            let looker = {
                let spinning = spinning.clone();
                thread::spawn(move || {
                    spinning.store(false, Relaxed);
                    full_fence();
                    thief.is_empty()
                })
            };
            ring.push(ledger.mint(), slot, &mut no_spill);
            full_fence();
            let saw_a_spinner = spinning.load(Relaxed);
            let missed = looker.join().unwrap();
            assert!(!(saw_a_spinner && missed), "the token waits and nobody looks");
            ring.pop().expect("still inside").token.consume();
            ledger.settle();
        });
    }
}
