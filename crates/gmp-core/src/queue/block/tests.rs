//! What the blocks promise beyond the suite: who may take from which block, and when.

use super::*;
use crate::contract::{Steal, StealRound, Thief};
use crate::suite::{CONFIG, Ledger, Probe, TAKE_ANY};

const FIRST_ROUND: StealRound = StealRound { last: false, ..TAKE_ANY };

fn no_spill(_: List<Probe>) {
    panic!("there is room");
}

fn filled(ledger: &Ledger, tokens: usize) -> (Blocks<Probe>, BlocksThief<Probe>) {
    let (mut queue, thief) = Blocks::new(&CONFIG);
    (0..tokens).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
    (queue, thief)
}

fn pop(queue: &mut Blocks<Probe>) -> Option<u64> {
    queue.pop().map(|popped| popped.token.consume())
}

fn pop_all(queue: &mut Blocks<Probe>) -> Vec<u64> {
    std::iter::from_fn(|| pop(queue)).collect()
}

fn steal(thief: &BlocksThief<Probe>, round: StealRound) -> Vec<u64> {
    let (mut own, _) = Blocks::new(&CONFIG);
    let ran = match thief.steal_into(&mut own, round) {
        Steal::Taken(probe) => Some(probe.consume()),
        Steal::Empty => None,
        other => panic!("{other:?}"),
    };
    ran.into_iter().chain(pop_all(&mut own)).collect()
}

fn numbers(range: core::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

/// First in, first out, for many times round and at each distance of head and tail.
#[test]
fn order_holds_around_the_queue() {
    for distance in 1..=CAPACITY - LEN {
        let ledger = Ledger::new(distance + 3 * CAPACITY);
        let (mut queue, thief) = filled(&ledger, distance);
        for number in 0..3 * CAPACITY {
            queue.push(ledger.mint(), Slot::Back, &mut no_spill);
            assert_eq!(pop(&mut queue), Some(number as u64));
        }
        assert_eq!(thief.len(), distance);
        assert_eq!(pop_all(&mut queue).len(), distance);
        ledger.settle();
    }
}

/// Only the last round revokes a kept block; what it leaves there is everybody's, and the owner's next blocks are its own
/// again.
#[test]
fn a_kept_block_is_revoked_by_the_last_round() {
    let ledger = Ledger::new(LEN + 4);
    let (mut queue, thief) = filled(&ledger, 8);
    assert_eq!(steal(&thief, FIRST_ROUND), []);
    assert_eq!(pop(&mut queue), Some(0));
    assert_eq!(steal(&thief, TAKE_ANY), numbers(1..5), "half of what is left");
    assert_eq!(steal(&thief, FIRST_ROUND), numbers(5..7), "the block is open now");
    assert_eq!(pop(&mut queue), Some(7));
    assert!(queue.is_empty() && thief.is_empty());
    (8..LEN + 2).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
    let end = LEN as u64;
    assert_eq!(steal(&thief, FIRST_ROUND), numbers(8..8 + (end - 8) / 2), "and stays open to its end");
    assert_eq!(pop_all(&mut queue), numbers(8 + (end - 8) / 2..end + 2));
    (0..2).for_each(|_| queue.push(ledger.mint(), Slot::Back, &mut no_spill));
    assert_eq!(steal(&thief, FIRST_ROUND), [], "the block after it is kept");
    assert_eq!(pop_all(&mut queue), [end + 2, end + 3]);
    ledger.settle();
}

/// A thief in a first round takes a whole block between the owner's two, and half of the last of these.
#[test]
fn blocks_in_between_are_the_thieves() {
    let tokens = 3 * LEN + 1;
    let ledger = Ledger::new(tokens);
    let (mut queue, thief) = filled(&ledger, tokens);
    let block = LEN as u64;
    assert_eq!(pop(&mut queue), Some(0));
    assert_eq!(steal(&thief, FIRST_ROUND), numbers(block..2 * block));
    assert_eq!(steal(&thief, FIRST_ROUND), numbers(2 * block..2 * block + block / 2));
    assert_eq!(thief.len(), tokens - 1 - LEN - LEN / 2);
    let left: Vec<u64> = (1..block).chain(2 * block + block / 2..tokens as u64).collect();
    assert_eq!(pop_all(&mut queue), left);
    ledger.settle();
}

/// Thieves emptied all between a first block with one token left and the last one: there is room, but no block. A push
/// spills half of the little there is, and the next ones find room.
#[test]
fn a_queue_emptied_in_between_spills_half_of_what_is_left() {
    let ledger = Ledger::new(CAPACITY + 2);
    let (mut queue, thief) = filled(&ledger, CAPACITY);
    (0..LEN as u64 - 1).for_each(|number| assert_eq!(pop(&mut queue), Some(number)));
    while !steal(&thief, FIRST_ROUND).is_empty() {}
    let kept = LEN as u64 - 1;
    let last = numbers((CAPACITY - LEN) as u64..CAPACITY as u64);
    assert_eq!(thief.len(), 1 + last.len(), "the owner's two blocks");
    let mut spilled = Vec::new();
    queue.push(ledger.mint(), Slot::Back, &mut |batch: List<Probe>| {
        spilled.extend(batch.map(Probe::consume));
    });
    let half = last.len().div_ceil(2);
    let oldest: Vec<u64> = [kept].into_iter().chain(last).collect();
    assert_eq!(spilled[..half], oldest[..half]);
    assert_eq!(spilled[half..], [CAPACITY as u64]);
    queue.push(ledger.mint(), Slot::Back, &mut no_spill);
    assert_eq!(pop_all(&mut queue), [&oldest[half..], &[CAPACITY as u64 + 1]].concat());
    ledger.settle();
}

/// Blocks at the head that thieves have emptied make room without a spill.
#[test]
fn an_emptied_head_makes_room() {
    let ledger = Ledger::new(CAPACITY + 1);
    let (mut queue, thief) = filled(&ledger, CAPACITY);
    while !steal(&thief, TAKE_ANY).is_empty() {}
    assert!(thief.is_empty() && queue.is_empty());
    queue.push(ledger.mint(), Slot::Back, &mut no_spill);
    assert_eq!(pop_all(&mut queue), [CAPACITY as u64]);
    ledger.settle();
}
