//! The parts of the workloads that are the same in every library: sizes, sums, CPU work.

use crate::cell::Result;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Nodes of a full binary tree of this depth (a leaf has depth 0).
pub(crate) fn tree_nodes(depth: u64) -> u64 {
    (2 << depth) - 1
}

/// The Fibonacci number, for the check.
pub(crate) fn fib(n: u64) -> u64 {
    (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
}

/// How often `fib` calls itself for `n`, the first call included.
pub(crate) fn fib_calls(n: u64) -> u64 {
    2 * fib(n + 1) - 1
}

/// A well-mixed number for each input: which pieces are long is random, and the same for every library.
pub(crate) fn splitmix64(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `matmul_steal`'s unequal pieces: most take 6000 steps, one in 2048 takes 2048 times as many.
pub(crate) fn piece(i: u64) -> u64 {
    steps(6000u64 << splitmix64(i).trailing_zeros().min(11), i)
}

/// The sum of all pieces by one thread without a scheduler, and how long that takes.
pub(crate) fn serial(pieces: u64) -> (u64, Duration) {
    let start = Instant::now();
    let sum = (0..pieces).map(piece).fold(0u64, u64::wrapping_add);
    (sum, start.elapsed())
}

/// Burns CPU until `end` without a call into any scheduler.
pub(crate) fn hog(end: Instant) {
    let mut x = 1u64;
    while Instant::now() < end {
        for _ in 0..1000 {
            x = black_box(x.wrapping_mul(3));
        }
    }
}

/// Takes some 2 ns for each step, since each needs the one before.
#[inline(never)]
pub(crate) fn steps(count: u64, seed: u64) -> u64 {
    let mut x = seed | 1 << 63;
    for _ in 0..count {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// How many milliseconds sleep number `k` of sleeper `i` lasts: 1 to 50, spread over all of them.
pub(crate) fn sleep_ms(i: u64, k: u64) -> u64 {
    1 + splitmix64(i * 10 + k) % 50
}

/// How many sleeps one sleeper of `sleep_many` makes, and how many blocking calls one caller of `blocking_sys`.
pub(crate) const CALLS: u64 = 10;
/// How long one blocking call of `blocking_sys` lasts.
pub(crate) const BLOCKED: Duration = Duration::from_millis(10);
/// How many goroutines make the blocking calls of `blocking_often`, and how long one lasts.
pub(crate) const CALLERS: u64 = 16;
pub(crate) const BLOCKED_SHORTLY: Duration = Duration::from_micros(100);
/// How long the sender of `park_unpark` sleeps so that every processor has gone idle.
pub(crate) const QUIET: Duration = Duration::from_micros(200);

/// Children of an inner node of `skynet`.
pub(crate) const CHILDREN: u64 = 10;
/// The sum of the numbers of `skynet`'s leaves.
///
/// # Errors
/// `n` is no power of ten: then some node would have children without leaves, and so without an end.
pub(crate) fn sky(n: u64) -> Result<u64> {
    let mut size = n;
    while size > 1 && size.is_multiple_of(CHILDREN) {
        size /= CHILDREN;
    }
    if size == 1 { Ok(below(n)) } else { Err(format!("skynet takes a power of ten, not {n}").into()) }
}

/// Buffer of the channels of `chan_buffered_spsc` and `chan_mpmc`.
pub(crate) const BUFFER: usize = 128;
/// Senders of `chan_mpmc`, and receivers.
pub(crate) const SENDERS: u64 = 4;
/// How many goroutines compete for the lock of `mutex_contended`.
pub(crate) const LOCKERS: u64 = 8;

/// The sum of the numbers below `n`: what arrives when each is sent once.
pub(crate) fn below(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_definitions() {
        assert_eq!(tree_nodes(20), (1 << 21) - 1);
        assert!(sky(10_000).is_ok() && sky(30_000).is_err() && sky(0).is_err());
        assert_eq!((below(0), below(1), below(1_000_000)), (0, 0, 499_999_500_000));
        assert_eq!((fib(27), fib_calls(27)), (196_418, 635_621));
    }

    #[test]
    fn sleeps_lie_between_1_and_50_ms() {
        assert!((0..1000).all(|i| (1..=50).contains(&sleep_ms(i, i % 10))));
    }

    #[test]
    fn pieces_are_unequal_and_repeatable() {
        assert_eq!(piece(5), piece(5));
        let steps: Vec<u32> = (0..4096).map(|i| splitmix64(i).trailing_zeros().min(11)).collect();
        assert!(steps.contains(&0) && steps.iter().any(|s| *s >= 9));
    }
}
