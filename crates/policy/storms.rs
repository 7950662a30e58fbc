//! Storms for each policy's fuzz test: scripts that proptest makes, shrinks and prints.
//!
//! `PROPTEST_CASES=100000 cargo test -p gmp-policy-go --test fuzz` runs for long. A failure prints the shrunk script and
//! the seed; `GMP_STORM_SEED=<seed>` makes the same scripts again. Threads are not replayed with it, so each script runs
//! several times.

use gmp_core::contract::{RunQueue, Slot, StealRound};
use gmp_core::suite::Probe;
use gmp_core::suite::storm::{History, Op, Script};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::env;
use std::hash::{BuildHasher, RandomState};

/// How many scripts a run makes unless `PROPTEST_CASES` says otherwise: some five seconds in a debug build.
const CASES: u32 = 64;

/// How often each script runs.
const RUNS: usize = 4;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        6 => Just(Op::Push(Slot::Next)),
        6 => Just(Op::Push(Slot::Back)),
        2 => (0..=u8::MAX).prop_map(Op::PushBatch),
        6 => Just(Op::Pop),
        2 => (0..=60_u8).prop_map(Op::Pause),
    ];
    // Runs of one operation, so that a queue of 256 overflows and runs dry, and single ones, so that they mix.
    let run = (op, prop_oneof![3 => 1..4_usize, 1 => 1..200_usize]);
    vec(run, 1..60).prop_map(|runs| {
        let spread =
            |(op, times)| std::iter::repeat_n(op, if matches!(op, Op::PushBatch(_)) { 1 } else { times });
        runs.into_iter().flat_map(spread).collect()
    })
}

fn round() -> impl Strategy<Value = StealRound> {
    any::<(bool, bool, bool)>().prop_map(|(last, victim_runs, backed_off)| StealRound {
        last,
        victim_runs,
        backed_off,
    })
}

fn scripts(thieves: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Script> {
    (ops(), vec(vec(round(), 1..6), thieves)).prop_map(|(owner, thieves)| Script { owner, thieves })
}

/// Runs storms with that many thieves and hands each history to `check`, which panics if it breaks the policy's promise.
pub(crate) fn judge<Q: RunQueue<Probe>>(
    thieves: std::ops::RangeInclusive<usize>,
    check: impl Fn(&Script, &History),
) {
    let given = |name: &str| env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let seed = given("GMP_STORM_SEED").unwrap_or_else(|| RandomState::new().hash_one("storm"));
    let cases = given("PROPTEST_CASES").map_or(CASES, |cases| cases as u32);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let outcome = runner.run(&scripts(thieves), |script| {
        (0..RUNS).for_each(|_| check(&script, &script.run::<Q>()));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}\nthe same scripts again: GMP_STORM_SEED={seed}");
    }
}
