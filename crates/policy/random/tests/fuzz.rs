//! What the queue of `Random` does beyond the laws of the suite: it stirs, and stirs in the same way from the same seed.

use gmp_core::contract::Slot;
use gmp_core::suite::QueueOf;
use gmp_core::suite::concurrent::Left;
use gmp_core::suite::fuzz::concurrent_runs;
use gmp_core::suite::script::{Op, Script};
use gmp_policy_random::Random;

/// With one P the same seed gives the same run: that is what makes a found bug one that can be looked into.
#[test]
fn a_sequential_run_repeats_exactly() {
    concurrent_runs::<QueueOf<Random>>("random", 0..=0, |script, history| {
        assert_eq!(history.owner, script.run::<QueueOf<Random>>(false).owner);
    });
}

/// And it does stir: a run of pushes Next does not come out as from Go's queue.
#[test]
fn order_is_stirred() {
    let script = Script { owner: vec![Op::Push(Slot::Next); 600], thieves: Vec::new() };
    let history = script.run::<QueueOf<Random>>(false);
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
