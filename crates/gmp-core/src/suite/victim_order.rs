//! The laws of a victim order: clauses V1 and V2.

use crate::contract::{VictimOrder, Victims, WalkStart};
use crate::suite::Rng;
use core::cell::RefCell;

/// Numbers of Ps to try: all small ones, and some large ones with many and with few divisors.
fn sizes() -> impl Iterator<Item = usize> {
    (1..=40).chain([64, 65, 97, 128, 1000, 1024])
}

/// Seeds to try: small ones, and ones that reach each bit.
fn seeds() -> impl Iterator<Item = u32> {
    (0..100).chain((0..32).map(|bit| 1 << bit)).chain([u32::MAX, u32::MAX - 1, 0x9e37_79b9])
}

/// Ps that nothing is known of, and that have nothing: what a thief sees of an idle runtime.
struct Blank;

impl Victims for Blank {
    fn queued(&self, _: usize) -> usize {
        0
    }
    fn cpu(&self, _: usize) -> Option<usize> {
        None
    }
}

/// Ps with queues of all lengths, on CPUs that exist, that do not exist and that are not known; each gives the same
/// answer whenever it is asked.
struct Settled(u64);

impl Victims for Settled {
    fn queued(&self, p: usize) -> usize {
        answer(&mut Rng::new(self.0 ^ p as u64))
    }
    fn cpu(&self, p: usize) -> Option<usize> {
        place(&mut Rng::new(!self.0 ^ p as u64))
    }
}

/// Ps that never give the same answer twice: owners and other thieves work while this one walks.
struct Fickle(RefCell<Rng>);

impl Victims for Fickle {
    fn queued(&self, _: usize) -> usize {
        answer(&mut self.0.borrow_mut())
    }
    fn cpu(&self, _: usize) -> Option<usize> {
        place(&mut self.0.borrow_mut())
    }
}

fn answer(rng: &mut Rng) -> usize {
    match rng.below(4) {
        0 => 0,
        1 => usize::MAX - rng.below(2),
        _ => rng.below(300),
    }
}

fn place(rng: &mut Rng) -> Option<usize> {
    match rng.below(8) {
        0 => None,
        1 => Some(usize::MAX - rng.below(2)),
        2 => Some(rng.below(10_000)),
        _ => Some(rng.below(16)),
    }
}

/// V1: each walk visits each P exactly once, whatever the Ps say of themselves and however it changes.
pub fn each_walk_visits_each_once<V: VictimOrder>() {
    for procs in sizes() {
        each_visited_once(&V::new(procs), procs);
    }
}

/// V1 for one order, made for this many Ps: for orders that can be made in other ways than by `new`.
pub fn each_visited_once<V: VictimOrder>(order: &V, procs: usize) {
    for seed in seeds() {
        let own = Rng::new(u64::from(seed)).below(procs);
        let settled = Settled(u64::from(seed));
        let fickle = Fickle(RefCell::new(Rng::new(u64::from(seed))));
        let kinds: [&dyn Victims; 3] = [&Blank, &settled, &fickle];
        for victims in kinds {
            let mut seen = vec![false; procs];
            for victim in order.walk(WalkStart { seed, own, victims }).take(procs + 1) {
                assert!(victim < procs, "V1: seed {seed} visits P {victim} of {procs}");
                assert!(!seen[victim], "V1: seed {seed} visits P {victim} of {procs} twice");
                seen[victim] = true;
            }
            let missed = seen.iter().position(|&seen| !seen);
            assert_eq!(missed, None, "V1: seed {seed} leaves out a P of {procs}");
        }
    }
}

/// V2: the same seed, own P and answers give the same walk, from another instance too; and the seed makes a difference.
pub fn seeds_repeat<V: VictimOrder>() {
    for procs in sizes() {
        let (order, twin) = (V::new(procs), V::new(procs));
        let mut walks: Vec<Vec<usize>> = Vec::new();
        for seed in seeds() {
            for victims in [&Blank as &dyn Victims, &Settled(7)] {
                let from = WalkStart { seed, own: procs / 2, victims };
                let walk: Vec<usize> = order.walk(from).collect();
                assert_eq!(walk, twin.walk(from).collect::<Vec<_>>(), "V2: seed {seed} of {procs} Ps");
                walks.push(walk);
            }
        }
        let varies = walks.iter().step_by(2).any(|walk| *walk != walks[0]);
        assert!(procs < 3 || varies, "V2: {procs} Ps have one walk only, whatever the seed");
    }
}

/// Each law meets an order that breaks it and nothing else.
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// How an order is wrong.
    trait Flaw: Send + Sync + 'static {
        fn walk(procs: usize, from: WalkStart<'_>) -> Vec<usize>;
    }

    struct Broken<F>(usize, core::marker::PhantomData<F>);

    impl<F: Flaw> VictimOrder for Broken<F> {
        type Walk<'a> = std::vec::IntoIter<usize>;
        fn new(procs: usize) -> Self {
            Self(procs, core::marker::PhantomData)
        }
        fn walk<'a>(&'a self, from: WalkStart<'a>) -> Self::Walk<'a> {
            F::walk(self.0, from).into_iter()
        }
    }

    fn circle(procs: usize, seed: u32) -> Vec<usize> {
        let start = seed as usize % procs;
        (start..procs).chain(0..start).collect()
    }

    macro_rules! flaws {
        ($($test:ident $flaw:ident $law:ident $says:literal |$procs:ident, $from:ident| $walk:expr;)*) => {$(
            struct $flaw;
            impl Flaw for $flaw {
                fn walk($procs: usize, $from: WalkStart<'_>) -> Vec<usize> {
                    $walk
                }
            }
            #[test]
            #[should_panic(expected = $says)]
            fn $test() {
                $law::<Broken<$flaw>>();
            }
        )*};
    }

    static CALLS: AtomicU32 = AtomicU32::new(0);

    flaws! {
        one_is_left_out LeavesOneOut each_walk_visits_each_once "leaves out"
            |procs, from| circle(procs, from.seed).split_off(1);
        one_comes_twice Doubles each_walk_visits_each_once "twice"
            |procs, from| [circle(procs, from.seed), vec![0]].concat();
        there_is_no_such_p GoesBeyond each_walk_visits_each_once "visits P"
            |procs, from| [circle(procs, from.seed), vec![procs]].concat();
        the_empty_are_skipped SkipsEmpty each_walk_visits_each_once "leaves out"
            |procs, from| circle(procs, from.seed).into_iter().filter(|&p| from.victims.queued(p) > 0).collect();
        // Settled answers give a whole walk; only answers that change show this flaw.
        answers_are_asked_for_twice AsksTwice each_walk_visits_each_once "V1"
            |procs, from| {
                let known = |p: &usize| from.victims.cpu(*p).is_some();
                let (all, again) = (circle(procs, from.seed), circle(procs, from.seed));
                all.into_iter().filter(known).chain(again.into_iter().filter(|p| !known(p))).collect()
            };
        seeds_do_not_matter OneWalk seeds_repeat "V2: 3 Ps have one walk only"
            |procs, _from| circle(procs, 0);
        it_never_repeats Wanders seeds_repeat "V2"
            |procs, from| circle(procs, from.seed.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)));
    }
}
