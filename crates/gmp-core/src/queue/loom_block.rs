//! loom models of the blocks, on the real types. A block has two slots here, and a queue two blocks.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_block`
//!
//! Threads: at most three (the owner is the model's main thread). Preemptions: what each model gives to `explore`, or
//! what `LOOM_MAX_PREEMPTIONS` says. Time: three quarters of a minute in all.
//!
//! As in the ring's models, a token's content is written before the push and rewritten when it is consumed, through
//! loom's `UnsafeCell`, and the ledger knows tokens that were lost or came out twice. Both fences are full ones here,
//! which is what a near and a far one amount to.
//!
//! What no model here sees, as in `loom_ring.rs`: a thief's read of a slot that the machine performs after the thief's own
//! compare-and-swap. The Acquire of `BlockWord::enter` stands on the argument there alone.

use super::{Blocks, BlocksThief, List};
use crate::contract::{RunQueue, Slot, Steal, StealRound, Thief};
use crate::ground::sync::{Arc, AtomicBool, full_fence};
use crate::suite::{CONFIG, Ledger, Probe, TAKE_ANY};
use core::sync::atomic::Ordering::Relaxed;
use loom::thread;

const FIRST_ROUND: StealRound = StealRound { last: false, ..TAKE_ANY };

fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    builder.check(model);
}

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

fn queue(ledger: &Ledger, tokens: usize) -> (Blocks<Probe>, BlocksThief<Probe>) {
    let (mut queue, thief) = Blocks::new(&CONFIG);
    (0..tokens).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
    (queue, thief)
}

/// Steals once; the numbers in the order of the victim's queue.
fn steal_once(thief: &BlocksThief<Probe>, round: StealRound) -> Vec<u64> {
    let (mut own, _own_thief) = Blocks::new(&CONFIG);
    let ran = match thief.steal_into(&mut own, round) {
        Steal::Taken(probe) => Some(probe.consume()),
        _ => None,
    };
    ran.into_iter().chain(pop_all(&mut own)).collect()
}

fn pop_all(queue: &mut Blocks<Probe>) -> Vec<u64> {
    std::iter::from_fn(|| queue.pop()).map(|popped| popped.token.consume()).collect()
}

fn rises(numbers: &[u64]) -> bool {
    numbers.windows(2).all(|pair| pair[0] < pair[1])
}

/// The owner pops its last token while a thief revokes the block.
#[test]
fn a_last_token_has_one_taker() {
    explore(6, || {
        let ledger = Ledger::new(1);
        let (mut queue, thief) = queue(&ledger, 1);
        let robber = thread::spawn(move || steal_once(&thief, TAKE_ANY).len());
        let popped = pop_all(&mut queue).len();
        assert_eq!(popped + robber.join().unwrap(), 1);
        assert!(queue.is_empty());
        ledger.settle();
    });
}

/// The owner pops a kept block to its end while a thief revokes it and takes half.
#[test]
fn a_kept_block_is_shared_once_revoked() {
    explore(4, || {
        let ledger = Ledger::new(3);
        let (mut queue, thief) = queue(&ledger, 2);
        let robber = thread::spawn(move || {
            let mut stolen = steal_once(&thief, TAKE_ANY);
            stolen.extend(steal_once(&thief, TAKE_ANY));
            stolen
        });
        let mut popped: Vec<u64> = queue.pop().map(|popped| popped.token.consume()).into_iter().collect();
        queue.push(ledger.mint(), Slot::Back, &mut no_spill);
        popped.extend(pop_all(&mut queue));
        let stolen = robber.join().unwrap();
        assert!(rises(&popped), "{popped:?} {stolen:?}");
        assert_eq!(popped.len() + stolen.len(), 3);
        ledger.settle();
    });
}

/// Two thieves revoke the same block, and the owner pops from it.
#[test]
fn two_thieves_revoke_one_block() {
    explore(3, || {
        let ledger = Arc::new(Ledger::new(2));
        let (mut queue, thief) = queue(&ledger, 2);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let (thief, ledger) = (thief.clone(), ledger.clone());
                thread::spawn(move || {
                    let stolen = steal_once(&thief, TAKE_ANY);
                    drop(ledger);
                    stolen
                })
            })
            .collect();
        let popped = pop_all(&mut queue);
        assert!(rises(&popped));
        let stolen: usize = thieves.into_iter().map(|handle| handle.join().unwrap().len()).sum();
        assert_eq!(popped.len() + stolen, 2);
        assert!(queue.is_empty() && thief.is_empty());
        assert_eq!(ledger.consumed(), 2);
    });
}

/// A full block is granted as the owner goes on to the next, and claimed back as it gets there, while a thief reaches for
/// it in a first round.
#[test]
fn a_block_is_handed_over_and_back() {
    explore(5, || {
        let ledger = Ledger::new(5);
        // The owner is in block 0 until it pops 1, and block 1 is full.
        let (mut queue, thief) = queue(&ledger, 4);
        let mut popped = vec![queue.pop().expect("four are inside").token.consume()];
        popped.push(queue.pop().expect("three are inside").token.consume());
        // So here block 1 is granted...
        let robber = thread::spawn(move || steal_once(&thief, FIRST_ROUND));
        queue.push(ledger.mint(), Slot::Back, &mut no_spill);
        // ... and here claimed, if the thief has left anything.
        popped.extend(pop_all(&mut queue));
        let stolen = robber.join().unwrap();
        assert!(rises(&popped) && rises(&stolen), "{popped:?} {stolen:?}");
        assert_eq!(popped.len() + stolen.len(), 5);
        ledger.settle();
    });
}

/// A thief opens a block before it is full; the owner fills it and goes on, and the thief comes for what was added.
#[test]
fn an_open_block_is_filled_to_its_end() {
    explore(4, || {
        let ledger = Ledger::new(3);
        let (mut queue, thief) = queue(&ledger, 1);
        let robber = thread::spawn(move || {
            let mut stolen = steal_once(&thief, TAKE_ANY);
            stolen.extend(steal_once(&thief, FIRST_ROUND));
            stolen
        });
        (0..2).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
        let stolen = robber.join().unwrap();
        assert!(stolen.contains(&0));
        assert_eq!(pop_all(&mut queue).len() + stolen.len(), 3);
        ledger.settle();
    });
}

/// Slots that a thief has read are filled again, one round further.
#[test]
fn slots_are_filled_again_behind_a_thief() {
    explore(3, || {
        let ledger = Ledger::new(6);
        let (mut queue, thief) = queue(&ledger, 2);
        let robber = thread::spawn(move || steal_once(&thief, TAKE_ANY));
        let mut popped = pop_all(&mut queue);
        (0..4).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
        popped.extend(pop_all(&mut queue));
        let stolen = robber.join().unwrap();
        assert!(rises(&popped) && rises(&stolen), "{popped:?} {stolen:?}");
        assert_eq!(popped.len() + stolen.len(), 6);
        ledger.settle();
    });
}

/// A full queue spills its oldest half while a thief steals.
#[test]
fn overflow_against_a_thief() {
    explore(5, || {
        let ledger = Ledger::new(5);
        let (mut queue, thief) = queue(&ledger, 4);
        let robber = thread::spawn(move || steal_once(&thief, TAKE_ANY));
        let mut spilled = Vec::new();
        queue.push(ledger.mint(), Slot::Back, &mut |batch: List<Probe>| {
            spilled.extend(batch.map(Probe::consume));
        });
        let popped = pop_all(&mut queue);
        let stolen = robber.join().unwrap();
        assert!(rises(&popped) && rises(&spilled), "{spilled:?} {stolen:?} {popped:?}");
        assert!(spilled.is_empty() || spilled.last() == Some(&4), "the token being put comes last");
        assert_eq!(popped.len() + spilled.len() + stolen.len(), 5);
        ledger.settle();
    });
}

/// Q2: one of two tokens is inside at every moment, in one block or the next; nobody sees an empty queue.
#[test]
fn a_moving_token_is_seen() {
    for (before, flags) in [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 3), (3, 0), (3, 3)] {
        explore(6, move || {
            let slot = |bit: u32| if flags & bit == 0 { Slot::Back } else { Slot::Next };
            let ledger = Ledger::new(before + 2);
            let (mut queue, thief) = queue(&ledger, before);
            assert_eq!(pop_all(&mut queue).len(), before);
            queue.push(ledger.mint(), slot(1), &mut no_spill);
            let looker = thread::spawn(move || thief.is_empty());
            queue.push(ledger.mint(), slot(2), &mut no_spill);
            queue.pop().expect("two are inside").token.consume();
            assert!(!looker.join().unwrap(), "a token was out of sight, {before} before, flags {flags}");
            queue.pop().expect("one is inside").token.consume();
            ledger.settle();
        });
    }
}

/// Q2 while a thief takes half of a kept block: what it leaves is seen.
#[test]
fn a_robbed_queue_is_never_empty() {
    explore(4, || {
        let ledger = Ledger::new(3);
        let (mut queue, thief) = queue(&ledger, 2);
        let robber = {
            let thief = thief.clone();
            thread::spawn(move || steal_once(&thief, TAKE_ANY))
        };
        let looker = thread::spawn(move || thief.is_empty());
        queue.push(ledger.mint(), Slot::Back, &mut no_spill);
        assert!(!looker.join().unwrap(), "a thief leaves half");
        assert!(!robber.join().unwrap().is_empty());
        pop_all(&mut queue);
        ledger.settle();
    });
}

/// Q2 where the thief knows of a token that the looker has not seen yet: it takes one only if there are two. From a kept
/// block, and from one that is open already, where no fence helps.
#[test]
fn what_a_thief_leaves_is_seen() {
    for opened in [false, true] {
        explore(3, move || {
            let ledger = Ledger::new(3);
            let (mut queue, thief) = queue(&ledger, 1);
            if opened {
                assert_eq!(steal_once(&thief, TAKE_ANY), [0]);
                queue.push(ledger.mint(), Slot::Back, &mut no_spill);
            }
            let round = if opened { FIRST_ROUND } else { TAKE_ANY };
            let robber = {
                let thief = thief.clone();
                thread::spawn(move || if thief.len() == 2 { steal_once(&thief, round).len() } else { 0 })
            };
            let looker = thread::spawn(move || thief.is_empty());
            queue.push(ledger.mint(), Slot::Back, &mut no_spill);
            assert!(!looker.join().unwrap(), "one is inside at every moment");
            assert_eq!(robber.join().unwrap() + pop_all(&mut queue).len(), 2);
            ledger.settle();
        });
    }
}

/// The submit side and the last look: either the pusher sees the looker, or the looker sees the token.
#[test]
fn a_fence_on_both_sides_makes_a_push_visible() {
    for (before, slot) in [(0, Slot::Back), (0, Slot::Next), (2, Slot::Back)] {
        explore(6, move || {
            let ledger = Ledger::new(before + 1);
            let (mut queue, thief) = queue(&ledger, before);
            assert_eq!(pop_all(&mut queue).len(), before);
            let spinning = Arc::new(AtomicBool::new(true));
            let looker = {
                let spinning = spinning.clone();
                thread::spawn(move || {
                    spinning.store(false, Relaxed);
                    full_fence();
                    thief.is_empty()
                })
            };
            queue.push(ledger.mint(), slot, &mut no_spill);
            full_fence();
            let saw_a_spinner = spinning.load(Relaxed);
            let missed = looker.join().unwrap();
            assert!(!(saw_a_spinner && missed), "the token waits and nobody looks");
            queue.pop().expect("still inside").token.consume();
            ledger.settle();
        });
    }
}
