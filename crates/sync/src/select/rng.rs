//! `Rng`: random numbers for the order in which a select looks at its cases.

/// How many numbers one random word serves: 8! is far below 2^64, so the bias is below 2^-48.
const DRAWS: u32 = 8;

/// A generator of random numbers for one shuffle.
pub(super) struct Rng {
    word: u64,
    draws: u32,
}

impl Rng {
    #[inline]
    pub(super) fn new() -> Self {
        Self { word: crate::seam::random(), draws: 0 }
    }

    /// A number below `bound`.
    #[doc(alias = "cheaprandn")]
    #[inline]
    pub(super) fn below(&mut self, bound: usize) -> usize {
        if self.draws == DRAWS {
            *self = Self::new();
        }
        self.draws += 1;
        // The word as a fraction of one: its whole part, when multiplied, is the draw, and the rest is the next word.
        let wide = u128::from(self.word) * bound as u128;
        self.word = wide as u64;
        (wide >> 64) as usize
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_four_is_as_likely() {
        let mut counts = std::collections::HashMap::new();
        for _ in 0..24_000 {
            let (mut rng, mut order) = (Rng::new(), Vec::new());
            for i in 0..4 {
                order.insert(rng.below(i + 1), i);
            }
            *counts.entry(order).or_insert(0_i32) += 1;
        }
        // 1000 of each are expected, with a deviation of 31.
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| (count - 1000).abs() < 310), "{counts:?}");
    }

    #[test]
    fn draws_stay_below_their_bound() {
        let mut rng = Rng::new();
        assert!((1..5000).all(|bound| rng.below(bound) < bound));
    }
}
