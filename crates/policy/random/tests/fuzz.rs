//! Storms on the queue of `Random`: each token once (the storm checks that), and the little that it promises of order.

#[path = "../../storms.rs"]
mod storms;

use gmp_core::contract::Slot;
use gmp_core::suite::QueueOf;
use gmp_core::suite::storm::{History, Left, Op, Script};
use gmp_policy_random::Random;
use std::collections::HashSet;

/// The tokens that the script pushes Next.
fn pushed_next(script: &Script) -> HashSet<u64> {
    let mut numbers = 0;
    let mut next = HashSet::new();
    for op in &script.owner {
        if *op == Op::Push(Slot::Next) {
            next.insert(numbers);
        }
        numbers += match op {
            Op::Push(_) => 1,
            Op::PushBatch(count) => u64::from(*count),
            Op::Pop | Op::Pause(_) => 0,
        };
    }
    next
}

fn check(script: &Script, history: &History) {
    let next = pushed_next(script);
    for (_, left) in &history.owner {
        match left {
            Left::Popped(number, inherits) => {
                assert!(!inherits || next.contains(number), "{number} inherits")
            }
            Left::Spilled(batch) => assert!((1..=129).contains(&batch.len()), "{} spilled", batch.len()),
            Left::StayedInBatch(rest) => {
                assert!(rest.windows(2).all(|pair| pair[0] + 1 == pair[1]), "the end of the batch, in order");
            }
        }
    }
}

#[test]
fn storms_lose_nothing() {
    storms::judge::<QueueOf<Random>>(1..=4, check);
}

/// With one P the same seed gives the same run: that is what makes a found bug one that can be looked into.
#[test]
fn calm_repeats_exactly() {
    storms::judge::<QueueOf<Random>>(0..=0, |script, history| {
        assert_eq!(history.owner, script.run::<QueueOf<Random>>().owner);
        check(script, history);
    });
}

/// And it does stir: a run of pushes Next does not come out as from Go's queue.
#[test]
fn order_is_stirred() {
    let script = Script { owner: vec![Op::Push(Slot::Next); 600], thieves: Vec::new() };
    let history = script.run::<QueueOf<Random>>();
    let inherited = history.owner.iter().filter(|(_, left)| matches!(left, Left::Popped(_, true))).count();
    assert!(inherited <= 1, "one at most can be next at the end");
    let spilled: Vec<&Vec<u64>> = history
        .owner
        .iter()
        .filter_map(|(_, left)| if let Left::Spilled(batch) = left { Some(batch) } else { None })
        .collect();
    assert!(!spilled.is_empty());
    assert!(spilled.iter().all(|batch| !batch.is_sorted()), "a spilled batch is shuffled");
}
