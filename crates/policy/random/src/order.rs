//! `Shuffled`: victims in the order of a random permutation.
//!
//! Coprime steps reach only `procs * phi(procs)` of the `procs!` orders, and P 1 follows P 0 in each walk of step 1;
//! a policy that is to produce many orders should reach more. A shuffled vector would need memory for each walk, on
//! the path that an idle M takes four times before it sleeps. So the permutation is computed: a seeded bijection on
//! the next power of two, and numbers that fall outside `0..procs` are walked past. At most half fall outside, so a
//! walk takes at most `2 * procs` steps.

use gmp_core::contract::{VictimOrder, WalkStart};

/// The family of permutations of `0..procs`.
#[derive(Clone, Debug)]
pub struct Shuffled {
    procs: u32,
    bits: u32,
}

/// One permutation, walked through.
#[derive(Clone, Debug)]
pub struct ShuffledWalk {
    procs: u32,
    bits: u32,
    keys: [u32; ROUNDS],
    next: u32,
}

/// Each round multiplies, adds and folds the high bits down. Three, because after one the low bit still alternates and
/// after two neighbours still correlate at eight Ps; four change nothing that the test below can see.
const ROUNDS: usize = 3;

impl VictimOrder for Shuffled {
    type Walk<'a> = ShuffledWalk;

    fn new(procs: usize) -> Self {
        let procs = u32::try_from(procs).expect("the number of Ps fits in 32 bits").max(1);
        let size = procs.checked_next_power_of_two().expect("fewer than 2^31 Ps");
        Self { procs, bits: size.trailing_zeros() }
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> ShuffledWalk {
        self.by_seed(from.seed)
    }
}

impl Shuffled {
    /// The permutation that `seed` picks, whichever P the thief has.
    pub fn by_seed(&self, seed: u32) -> ShuffledWalk {
        let mut rng = fastrand::Rng::with_seed(u64::from(seed));
        let keys = core::array::from_fn(|_| rng.u32(..));
        ShuffledWalk { procs: self.procs, bits: self.bits, keys, next: 0 }
    }
}

impl ShuffledWalk {
    /// A bijection on `0..2^bits`: each of its steps is one (an odd factor, a sum, a fold of high bits into low ones).
    fn permute(&self, index: u32) -> u32 {
        let mask = (1 << self.bits) - 1;
        let fold = self.bits.div_ceil(2).max(1);
        self.keys.iter().fold(index, |at, &key| {
            let at = at.wrapping_mul(key | 1).wrapping_add(key >> 16) & mask;
            at ^ (at >> fold)
        })
    }
}

impl Iterator for ShuffledWalk {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.next < 1 << self.bits {
            let victim = self.permute(self.next);
            self.next += 1;
            if victim < self.procs {
                return Some(victim as usize);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// Each P comes first about equally often, and after each other P about equally often.
    #[test]
    fn no_victim_is_favoured() {
        for procs in [2, 3, 4, 6, 8, 13] {
            let order = Shuffled::new(procs);
            let (mut first, mut pairs) = (HashMap::new(), HashMap::new());
            let walks = 4_000 * procs;
            for seed in 0..walks as u32 {
                let walk: Vec<usize> = order.by_seed(seed).collect();
                *first.entry(walk[0]).or_insert(0_usize) += 1;
                walk.windows(2).for_each(|pair| *pairs.entry((pair[0], pair[1])).or_insert(0_usize) += 1);
            }
            let fair = walks / procs;
            assert_eq!(first.len(), procs);
            assert!(first.values().all(|&times| times > fair / 2 && times < 2 * fair), "{procs}: {first:?}");
            assert_eq!(pairs.len(), procs * (procs - 1), "each order of two occurs");
            assert!(pairs.values().all(|&times| times > fair / 4), "{procs} Ps: {pairs:?}");
        }
    }

    /// There are more orders than coprime steps give: with 8 Ps those give 32.
    #[test]
    fn many_orders_are_reached() {
        let order = Shuffled::new(8);
        let orders: HashSet<Vec<usize>> = (0..10_000).map(|seed| order.by_seed(seed).collect()).collect();
        assert!(orders.len() > 200, "{}", orders.len());
    }
}
