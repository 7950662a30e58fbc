//! The laws of a victim order: clauses V1 and V2.

use crate::contract::VictimOrder;

/// Numbers of Ps to try: all small ones, and some large ones with many and with few divisors.
fn sizes() -> impl Iterator<Item = usize> {
    (1..=64).chain([97, 100, 128, 1000, 1024])
}

/// Seeds to try: small ones, and ones that reach each bit.
fn seeds() -> impl Iterator<Item = u32> {
    (0..200).chain((0..32).map(|bit| 1 << bit)).chain([u32::MAX, u32::MAX - 1, 0x9e37_79b9])
}

/// V1: each walk visits each P exactly once.
pub fn each_walk_visits_each_once<V: VictimOrder>() {
    for procs in sizes() {
        let order = V::new(procs);
        for seed in seeds() {
            let mut seen = vec![false; procs];
            for victim in order.walk(seed) {
                assert!(victim < procs, "seed {seed} visits P {victim} of {procs}");
                assert!(!seen[victim], "seed {seed} visits P {victim} of {procs} twice");
                seen[victim] = true;
            }
            assert!(seen.iter().all(|&seen| seen), "seed {seed} leaves out some of {procs} Ps");
        }
    }
}

/// V2: the same seed gives the same walk, from another instance too. And an order that never varies is none.
pub fn seeds_repeat<V: VictimOrder>() {
    for procs in sizes() {
        let (order, twin) = (V::new(procs), V::new(procs));
        let mut walks: Vec<Vec<usize>> = Vec::new();
        for seed in seeds() {
            let walk: Vec<usize> = order.walk(seed).collect();
            assert_eq!(walk, twin.walk(seed).collect::<Vec<_>>(), "seed {seed} of {procs} Ps");
            walks.push(walk);
        }
        assert!(procs < 3 || walks.iter().any(|walk| *walk != walks[0]), "{procs} Ps have one walk only");
    }
}
