//! How long goroutines waited in line: a histogram, and how evenly the waits were shared out.

use crate::clock::{Time, nanoseconds};

/// The number of buckets in each power of two, and so the precision: one part in this many.
const PARTS: usize = 32;

/// The waits of a run.
#[derive(Debug)]
pub(crate) struct Waits {
    buckets: Vec<u64>,
    count: u64,
    sum: f64,
    squares: f64,
    longest: Time,
}

impl Default for Waits {
    fn default() -> Self {
        Self { buckets: vec![0; PARTS * 64], count: 0, sum: 0.0, squares: 0.0, longest: 0 }
    }
}

impl Waits {
    pub(crate) fn add(&mut self, wait: Time) {
        self.buckets[bucket(wait)] += 1;
        self.count += 1;
        let wait_ns = nanoseconds(wait);
        self.sum += wait_ns;
        self.squares += wait_ns * wait_ns;
        self.longest = self.longest.max(wait);
    }

    /// This many per cent of the goroutines waited for no longer than the result, in nanoseconds.
    pub(crate) fn at(&self, percent: f64) -> f64 {
        let rank = (percent / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return nanoseconds(upper_end(at).min(self.longest));
            }
        }
        0.0
    }

    /// Jain's index of the waits (R. Jain, D. Chiu, W. Hawe, DEC-TR-301, 1984): 1 if all waited for the same time, and
    /// one divided by their number if a single one did all the waiting.
    pub(crate) fn fairness(&self) -> f64 {
        if self.squares == 0.0 { 1.0 } else { self.sum * self.sum / (self.count as f64 * self.squares) }
    }
}

fn bucket(value: Time) -> usize {
    let bits = (64 - value.leading_zeros()) as usize;
    let shift = bits.saturating_sub(PARTS.trailing_zeros() as usize + 1);
    shift * PARTS + (value >> shift) as usize
}

/// The largest value of a bucket.
fn upper_end(at: usize) -> Time {
    if at < 2 * PARTS {
        return at as Time;
    }
    let shift = at / PARTS - 1;
    (((at - shift * PARTS) as Time + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_cover_all_values_without_a_gap() {
        for value in (0..5000).chain([1 << 20, (1 << 40) + 12345, 1 << 50]) {
            let (at, end) = (bucket(value), upper_end(bucket(value)));
            assert!(end >= value && end - value <= value / PARTS as u64, "{value}: {at}, {end}");
            assert_eq!(bucket(end + 1), at + 1);
        }
    }

    #[test]
    fn percentiles_and_fairness() {
        let mut waits = Waits::default();
        assert_eq!((waits.at(50.0), waits.fairness()), (0.0, 1.0));
        (1..=100).for_each(|ns| waits.add(ns * 1000));
        assert!((waits.at(50.0) - 50.0).abs() < 2.0 && waits.at(100.0) == 100.0);
        let mut even = Waits::default();
        (0..10).for_each(|_| even.add(7000));
        let mut one = Waits::default();
        (0..10).for_each(|at| one.add(if at == 0 { 7000 } else { 0 }));
        assert_eq!((even.fairness(), one.fairness()), (1.0, 0.1));
    }
}
