//! Fuzzing with proptest: random sequential and concurrent runs, judged by what the queue promises, shrunk when they fail.
//!
//! `GMP_FUZZ_SEED=<seed>` makes the same scripts again and `GMP_FUZZ_CASES=<n>` makes more of them; `cargo xtask fuzz`
//! sets both. Threads are not replayed with a seed, so each script of a concurrent run runs several times, and more
//! often while a failing one is being shrunk.

use super::concurrent::History;
use super::history;
use super::script::{Op, Raid, Script, Sequential, Step};
use super::violation::{Violation, in_time, watch};
use crate::contract::{RunQueue, Slot, StealRound};
use crate::suite::Probe;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::cell::{Cell, RefCell};
use std::env;
use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::ops::RangeInclusive;

/// How many scripts a run makes unless `GMP_FUZZ_CASES` says otherwise: some seconds in a debug build.
const CASES: u32 = 48;

/// How often each concurrent script runs: with a clock and without, by turns.
const RUNS: usize = 4;

/// How often it runs once one has failed. Otherwise a rare race would be shrunk to a script that hardly ever has it.
const RUNS_TO_SHRINK: usize = 40;

/// How long a failing script is shrunk, in milliseconds.
const SHRINK_MS: u32 = 5_000;

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => Just(Op::Push(Slot::Next)),
        6 => Just(Op::Push(Slot::Back)),
        2 => (0..=u8::MAX).prop_map(Op::PushBatch),
        6 => Just(Op::Pop),
        1 => Just(Op::Look),
        2 => (0..=60_u8).prop_map(Op::Pause),
    ]
}

/// Runs of one repeated item, so that a queue of some hundreds overflows and runs dry, and single items, so that they
/// mix.
fn runs<T: Clone + Debug>(
    item: impl Strategy<Value = T>,
    is_long: fn(&T) -> bool,
) -> impl Strategy<Value = Vec<T>> {
    let run = (item, prop_oneof![3 => 1..4_usize, 1 => 1..200_usize]);
    vec(run, 1..60).prop_map(move |runs| {
        let times = |item: &T, times| if is_long(item) { 1 } else { times };
        runs.into_iter()
            .flat_map(|(item, many)| std::iter::repeat_n(item.clone(), times(&item, many)))
            .collect()
    })
}

/// One such operation is long enough by itself: a batch or a pause.
fn is_long(op: &Op) -> bool {
    matches!(op, Op::PushBatch(_) | Op::Pause(_))
}

fn round() -> impl Strategy<Value = StealRound> {
    any::<(bool, bool, bool)>().prop_map(|(last, victim_runs, backed_off)| StealRound {
        last,
        victim_runs,
        backed_off,
    })
}

fn scripts(thieves: RangeInclusive<usize>) -> impl Strategy<Value = Script> {
    let raid = prop_oneof![4 => round().prop_map(Raid::Steal), 1 => Just(Raid::Look)];
    // A thief that only looks takes nothing, so the tokens stay inside that another such look might fail to see.
    let thief = prop_oneof![3 => vec(raid, 1..6), 1 => Just(vec![Raid::Look])];
    (runs(op(), is_long), vec(thief, thieves)).prop_map(|(owner, thieves)| Script { owner, thieves })
}

fn sequential_runs() -> impl Strategy<Value = Sequential> {
    let step = prop_oneof![
        12 => op().prop_map(Step::Own),
        2 => round().prop_map(Step::Steal),
        1 => Just(Step::StealFromOneself),
    ];
    runs(step, |step| matches!(step, Step::Own(op) if is_long(op))).prop_map(Sequential)
}

fn given(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is to be a number")))
}

/// Tries scripts until one fails. Panics with the violation, the shrunk script and the seed.
fn fuzz<S: Clone + Debug + Sync>(policy: &str, scripts: &impl Strategy<Value = S>, run: impl Fn(&S, bool)) {
    let seed = given("GMP_FUZZ_SEED").unwrap_or_else(|| RandomState::new().hash_one(policy));
    let cases = given("GMP_FUZZ_CASES").map_or(CASES, |cases| cases as u32);
    let config = Config { cases, failure_persistence: None, max_shrink_time: SHRINK_MS, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let failed = Cell::new(false);
    let violation: RefCell<Option<Violation>> = RefCell::new(None);
    let outcome = runner.run(scripts, |script| {
        let what = || format!("a script of the fuzzer with GMP_FUZZ_SEED={seed}: {script:?}");
        in_time(policy, what, || watch(|| run(&script, failed.get()))).map_err(|found| {
            failed.set(true);
            let reason = found.clause.clone();
            *violation.borrow_mut() = Some(found);
            TestCaseError::fail(reason)
        })
    });
    match (outcome, violation.into_inner()) {
        (Ok(()), _) => {}
        (Err(TestError::Fail(_, script)), Some(violation)) => panic!(
            "policy {policy} breaks {violation}\n  shrunk to: {script:?}\n  the same scripts again: GMP_FUZZ_SEED={seed}"
        ),
        (Err(error), _) => panic!("policy {policy}: the fuzzer gave up: {error}"),
    }
}

/// Random operations on one thread, against a model that keeps the queue's promise. `policy` is the name to blame.
pub fn sequential_runs_keep_the_promise<Q: RunQueue<Probe>>(policy: &str) {
    fuzz(policy, &sequential_runs(), |run, _| {
        run.run::<Q>(false);
        run.run::<Q>(true);
    });
}

/// Random operations of an owner under one to four real thieves: each token comes out exactly once, and as promised.
pub fn concurrent_runs_keep_the_promise<Q: RunQueue<Probe>>(policy: &str) {
    concurrent_runs::<Q>(policy, 1..=4, |_, _| {});
}

/// Concurrent runs with that many thieves, for a policy that promises more than [`Promise`](crate::contract::Promise)
/// can say: `check` panics with a clause if it finds that broken.
pub fn concurrent_runs<Q: RunQueue<Probe>>(
    policy: &str,
    thieves: RangeInclusive<usize>,
    check: impl Fn(&Script, &History),
) {
    fuzz(policy, &scripts(thieves), |script, shrinking| {
        for run in 0..if shrinking { RUNS_TO_SHRINK } else { RUNS } {
            let history = script.run::<Q>(run % 2 == 0);
            history::check::<Q>(script, &history);
            check(script, &history);
        }
    });
}
