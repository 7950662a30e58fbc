//! Concurrent runs on Go's ring, for what Go's queue does beyond its `PROMISE`: half of it is stolen or spilled,
//! without a gap.
//!
//! A script fixes the place of each token in the ring before anything runs: a token pushed Back enters with its own
//! push, one pushed Next with the next push Next, which kicks it, unless somebody took it from `run_next` before. So each
//! token has a *rank*, and ranks rise along the ring. First in first out then means: whoever takes from the ring, owner
//! or thief, sees rising ranks; and a batch is a stretch of the ring without a gap.

use gmp_core::contract::Slot;
use gmp_core::suite::QueueOf;
use gmp_core::suite::concurrent::{History, Left, Span, Stolen};
use gmp_core::suite::fuzz::concurrent_runs;
use gmp_core::suite::script::{Op, Script};
use gmp_policy_go::Go;
use std::collections::{HashSet, VecDeque};

/// Where a token enters the ring: the index of the operation, and the place in its batch.
type Rank = (usize, usize);

/// What a script says about its tokens before it runs.
struct Ranks {
    /// Of each token; `None` if it never leaves `run_next` for the ring.
    ranks: Vec<Option<Rank>>,
    /// Which tokens are pushed Next.
    next: HashSet<u64>,
}

impl Ranks {
    fn new(script: &Script) -> Self {
        let (mut ranks, mut next, mut in_run_next) = (Vec::new(), HashSet::new(), None);
        for (index, op) in script.owner.iter().enumerate() {
            match *op {
                Op::Push(Slot::Back) => ranks.push(Some((index, 0))),
                Op::Push(Slot::Next) => {
                    if let Some(kicked) = in_run_next.replace(ranks.len()) {
                        ranks[kicked] = Some((index, 0));
                    }
                    next.insert(ranks.len() as u64);
                    ranks.push(None);
                }
                Op::PushBatch(count) => {
                    ranks.extend((0..usize::from(count)).map(|place| Some((index, place))))
                }
                Op::Pop | Op::Look | Op::Pause(_) => {}
            }
        }
        Self { ranks, next }
    }

    fn of(&self, number: u64) -> Rank {
        self.ranks[number as usize].expect("a token came out of the ring that never entered it")
    }

    /// Whether a steal of one token may have taken it from `run_next`; then nothing is known about the ring.
    fn maybe_from_run_next(&self, stolen: &Stolen) -> bool {
        stolen.others.is_empty() && stolen.round.last && self.next.contains(&stolen.ran)
    }
}

/// The stretches of the ring that left, per taker in the order of taking.
fn stretches(ranks: &Ranks, script: &Script, history: &History) -> Vec<Vec<Vec<Rank>>> {
    let mut owner = Vec::new();
    let mut pushed_next = None;
    let mut seen_ops = 0;
    let mut numbers = 0;
    for (index, left) in &history.owner {
        // Follow the script up to this operation, to know what its pushes have put into `run_next`.
        for op in &script.owner[seen_ops..(index + 1).min(script.owner.len())] {
            if *op == Op::Push(Slot::Next) {
                pushed_next = Some(numbers);
            }
            numbers += op.tokens() as u64;
        }
        seen_ops = (index + 1).min(script.owner.len()).max(seen_ops);
        match left {
            Left::Popped(number, true) => {
                assert_eq!(Some(*number), pushed_next, "only what was pushed Next last inherits");
            }
            Left::Popped(number, false) => owner.push(vec![ranks.of(*number)]),
            Left::Spilled(batch) => {
                assert_eq!(batch.len(), 129, "half a ring and the one that was put");
                let (put, oldest) = batch.split_last().expect("129");
                assert_eq!(ranks.of(*put).0, *index, "the token being put comes last");
                owner.push(oldest.iter().map(|&number| ranks.of(number)).collect());
            }
            Left::StayedInBatch(rest) => {
                assert!(
                    rest.iter().copied().eq(numbers - rest.len() as u64..numbers),
                    "the end of the batch stays"
                );
            }
        }
    }
    let stolen = |stolen: &Vec<Stolen>| {
        let ring = stolen.iter().filter(|stolen| !ranks.maybe_from_run_next(stolen));
        ring.map(|stolen| stolen.others.iter().chain([&stolen.ran]).map(|&number| ranks.of(number)).collect())
            .collect()
    };
    history.thieves.iter().map(stolen).chain([owner]).collect()
}

fn check(script: &Script, history: &History) {
    let ranks = Ranks::new(script);
    let takers = stretches(&ranks, script, history);
    let mut entered: Vec<Rank> = takers.iter().flatten().flatten().copied().collect();
    entered.sort_unstable();
    for stretches in &takers {
        let in_order: Vec<Rank> = stretches.iter().flatten().copied().collect();
        assert!(in_order.windows(2).all(|pair| pair[0] < pair[1]), "one taker's ranks rise: {stretches:?}");
        for stretch in stretches {
            assert!(stretch.len() <= 128, "at most half a ring at once");
            let first = entered.binary_search(&stretch[0]).expect("it entered");
            assert_eq!(&entered[first..first + stretch.len()], &stretch[..], "a batch has no gap");
        }
    }
}

#[test]
fn concurrent_runs_keep_gos_order() {
    concurrent_runs::<QueueOf<Go>>("go", 1..=4, check);
}

/// Without thieves everything is fixed: the history is that of a plain model, to the last token.
#[test]
fn a_sequential_run_is_gos_order_exactly() {
    concurrent_runs::<QueueOf<Go>>("go", 0..=0, |script, history| {
        assert_eq!(history.owner, model(&script.owner));
        check(script, history);
    });
}

/// One P of Go, told with plain collections.
fn model(ops: &[Op]) -> Vec<(usize, Left)> {
    let (mut run_next, mut ring, mut left, mut numbers) = (None, VecDeque::new(), Vec::new(), 0_u64..);
    let pop = |run_next: &mut Option<u64>, ring: &mut VecDeque<u64>| {
        let next = run_next.take().map(|number| Left::Popped(number, true));
        next.or_else(|| ring.pop_front().map(|number| Left::Popped(number, false)))
    };
    for (index, op) in ops.iter().enumerate() {
        match *op {
            Op::Push(slot) => {
                let number = numbers.next().expect("endless");
                let back = if slot == Slot::Next { run_next.replace(number) } else { Some(number) };
                let Some(back) = back else { continue };
                if ring.len() == 256 {
                    left.push((index, Left::Spilled(ring.drain(..128).chain([back]).collect())));
                } else {
                    ring.push_back(back);
                }
            }
            Op::PushBatch(count) => {
                let mut batch = numbers.by_ref().take(count.into());
                ring.extend(batch.by_ref().take(256 - ring.len()));
                left.push((index, Left::StayedInBatch(batch.collect())));
            }
            Op::Pop => left.extend(pop(&mut run_next, &mut ring).map(|popped| (index, popped))),
            Op::Look | Op::Pause(_) => {}
        }
    }
    left.extend((ops.len()..).zip(std::iter::from_fn(|| pop(&mut run_next, &mut ring))));
    left
}

/// A check that never fails is no check: histories that break Go's order are found out.
#[test]
fn wrong_orders_are_found_out() {
    let push = Op::Push(Slot::Back);
    let script = Script { owner: vec![push, push, push], thieves: vec![Vec::new()] };
    let popped = |numbers: &[u64]| numbers.iter().map(|&number| (3, Left::Popped(number, false))).collect();
    let round = gmp_core::suite::TAKE_ANY;
    let broken = |history: History| std::panic::catch_unwind(|| check(&script, &history)).is_err();
    assert!(!broken(History { owner: popped(&[0, 1, 2]), ..History::default() }));
    assert!(broken(History { owner: popped(&[1, 0, 2]), ..History::default() }), "out of order");
    assert!(
        broken(History { owner: vec![(3, Left::Popped(0, true))], ..History::default() }),
        "nothing to inherit"
    );
    let gap = vec![Stolen { round, span: Span::ALWAYS, ran: 2, others: vec![0] }];
    assert!(broken(History { owner: popped(&[1]), thieves: vec![gap], ..History::default() }), "a gap");
    let reversed = vec![Stolen { round, span: Span::ALWAYS, ran: 0, others: vec![1] }];
    assert!(
        broken(History { owner: popped(&[2]), thieves: vec![reversed], ..History::default() }),
        "a batch turned round"
    );
}
