//! `Coprime`: Go's random victim order.

use crate::contract::{VictimOrder, WalkStart};

/// Walks whose step has no factor in common with the number of Ps, so that each walk visits each P once.
///
/// Go: `randomOrder` and `stealOrder`, Go 1.27: all `c` in `1..=procs` with `gcd(c, procs) == 1`; a seed `r` starts at
/// `r % procs` and steps by `coprimes[r / procs % coprimes.len()]`.
#[derive(Clone, Debug)]
#[doc(alias = "randomOrder")]
#[doc(alias = "stealOrder")]
pub struct Coprime {
    procs: u32,
    coprimes: Vec<u32>,
}

/// One walk of [`Coprime`].
#[derive(Clone, Debug)]
#[doc(alias = "randomEnum")]
pub struct CoprimeWalk {
    at: u32,
    step: u32,
    procs: u32,
    left: u32,
}

impl Coprime {
    /// The steps there are for this number of Ps, rising.
    pub fn steps(&self) -> &[u32] {
        &self.coprimes
    }

    /// The walk that `seed` picks, wherever the thief stands.
    pub fn by_seed(&self, seed: u32) -> CoprimeWalk {
        let choice = (seed / self.procs) as usize % self.coprimes.len();
        CoprimeWalk {
            at: seed % self.procs,
            step: self.coprimes[choice],
            procs: self.procs,
            left: self.procs,
        }
    }
}

impl VictimOrder for Coprime {
    type Walk<'a> = CoprimeWalk;

    fn new(procs: usize) -> Self {
        let procs = u32::try_from(procs).expect("the number of Ps fits in 32 bits").max(1);
        Self { procs, coprimes: (1..=procs).filter(|&step| gcd(step, procs) == 1).collect() }
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> CoprimeWalk {
        self.by_seed(from.seed)
    }
}

impl CoprimeWalk {
    /// Where the walk stands and how far it steps: different seeds should differ here.
    pub fn position_and_step(&self) -> (u32, u32) {
        (self.at, self.step)
    }
}

impl Iterator for CoprimeWalk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let here = self.at;
        // Both are at most `procs`, and 2^31 Ps are not to be had, so the sum does not overflow.
        self.at = (self.at + self.step) % self.procs;
        Some(here as usize)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Go: TestStealOrder (`RunStealOrderTest`).
    #[test]
    fn steal_order() {
        for procs in 1..=64 {
            let order = Coprime::new(procs);
            if procs >= 3 {
                assert!(order.steps().len() >= 2, "{procs} Ps have {:?}", order.steps());
            }
            for seed in 0..procs as u32 * order.steps().len() as u32 {
                let seen: HashSet<usize> = order.by_seed(seed).collect();
                assert_eq!(seen, (0..procs).collect(), "{procs} Ps, seed {seed}");
                assert_eq!(order.by_seed(seed).count(), procs);
            }
        }
    }

    /// The second half of TestStealOrder: different seeds give different walks.
    #[test]
    fn seeds_give_different_walks() {
        let order = Coprime::new(10);
        let seeds = 0..10 * order.steps().len() as u32;
        let walks: HashSet<_> = seeds.clone().map(|seed| order.by_seed(seed).position_and_step()).collect();
        assert_eq!(walks.len(), seeds.len());
    }
}
