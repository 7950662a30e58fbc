//! What the parts of the calibration share: where a thread runs, and the middle of many values.

use gmp_arch_amd64::Amd64;
use gmp_core::contract::Switch;

/// No CPU, or one that nobody knows.
pub(super) const NOWHERE: usize = usize::MAX;

/// Where the calling thread runs. A kernel may leave two threads that spin on one CPU, and what they hand to each other
/// then goes no way at all.
pub(super) fn cpu() -> usize {
    Amd64::cpu().unwrap_or(NOWHERE)
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
