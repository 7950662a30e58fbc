//! Latencies: how long goroutines were runnable before they ran, as a histogram of each P.
//!
//! A P counts down the goroutines that become runnable on it; the one at zero is timed, and stands for all that were
//! counted since the one before. Its flag `TIMED` keeps it from being hopped to, so g0 sees it when it is to run, and
//! books its time on the P on which it runs. So whoever is not timed pays for the countdown alone, and nothing when it
//! runs.
//!
//! **How many are timed.** One in 8, as in Go (`gTrackingPeriod`), while a P's samples come at least a millisecond apart;
//! if they come closer than 100 us to each other, half as many, down to one in 1,024. Of those that a goroutine starts
//! without a P, one in 8 is timed as well (`WithoutP`). Any other that is made runnable by one who holds no P, which
//! takes far longer than two looks at the clock, is always timed and stands for itself.
//! So the histogram counts all, nearly, and its shape is that of the samples.
//!
//! Go: `casgstatus`, `timeHistogram` (proc.go, histogram.go, Go 1.27), with the same bounds.

use core::cell::Cell;
use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::Relaxed;

/// Octaves are divided into so many parts.
const PARTS: usize = 4;
/// The first octave ends at 2 to this power, in nanoseconds, and begins at nothing.
const FIRST: u32 = 8;
/// The last one ends at 2 to this power: 39 hours.
const LAST: u32 = 47;
/// How many buckets there are; the last has no upper bound.
pub const BUCKETS: usize = PARTS * (LAST - FIRST + 1) as usize + 1;

/// One in 2 to this power is timed at first.
const OFTEN: u8 = 3;
const SELDOM: u8 = 10;
/// Samples that come closer are made rarer, in nanoseconds.
const CLOSE: u64 = 100_000;
const FAR: u64 = 1_000_000;

/// Adds to what the caller alone writes: no locked instruction.
fn add_own(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(n), Relaxed);
}

/// Which bucket a duration belongs to, in nanoseconds.
fn bucket(nanos: u64) -> usize {
    let octave = (u64::BITS - nanos.leading_zeros()).max(FIRST);
    if octave > LAST {
        return BUCKETS - 1;
    }
    // The first octave has no part below it, so its parts are of 64 ns from nothing on.
    let (below, shift) = if octave == FIRST { (0, FIRST - 2) } else { (1 << (octave - 1), octave - 3) };
    let part = ((nanos - below) >> shift) as usize;
    (octave - FIRST) as usize * PARTS + part
}

/// Where a bucket ends, in nanoseconds; the last one nowhere.
pub fn upper_bound(bucket: usize) -> Option<u64> {
    if bucket + 1 >= BUCKETS {
        return None;
    }
    let (octave, part) = (bucket / PARTS, (bucket % PARTS) as u64 + 1);
    let end = if octave == 0 {
        part << (FIRST - 2)
    } else {
        let below = 1_u64 << (FIRST as usize + octave - 1);
        below + part * below / PARTS as u64
    };
    Some(end)
}

/// The sums of all Ps of a runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    /// How many goroutines waited for so long to run, by bucket: see [`upper_bound`].
    pub counts: Vec<u64>,
    /// How long all of them waited, in nanoseconds.
    pub nanos: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], nanos: 0 }
    }
}

/// A P's.
#[derive(Debug)]
pub(crate) struct Latency {
    /// The owner's: how many are left until the next one is timed.
    left: Cell<i32>,
    /// The owner's: one in 2 to this power is timed.
    every: Cell<u8>,
    /// The owner's: whether the next round is one longer or one shorter than that. Odd rounds do not fall in with
    /// goroutines that take turns.
    longer: Cell<bool>,
    /// The owner's: when the last one began to be timed.
    last: Cell<u64>,
    counts: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self {
            left: Cell::new(1 << OFTEN),
            every: Cell::new(OFTEN),
            longer: Cell::new(false),
            last: Cell::new(0),
            counts: [const { AtomicU64::new(0) }; BUCKETS],
            nanos: AtomicU64::new(0),
        }
    }

    /// Counts a goroutine that becomes runnable on this P, by its holder. `true`: it is to be timed.
    #[inline(always)]
    pub(crate) fn counts_to_zero(&self) -> bool {
        let left = self.left.get() - 1;
        self.left.set(left);
        left == 0
    }

    /// Counts a goroutine that yields on this P, by its holder. `true`: it is to be timed, and not counted yet.
    #[inline(always)]
    pub(crate) fn is_at_zero_with_this(&self) -> bool {
        let zero = self.counts_to_zero();
        if zero {
            self.left.set(1);
        }
        zero
    }

    /// Begins the next round at `now`, by the holder. Returns the power of two that says for how many the goroutine stands
    /// that is now timed.
    pub(crate) fn begin_round(&self, now: u64, always_often: bool) -> u8 {
        let stands_for = self.every.get();
        let apart = now.saturating_sub(self.last.replace(now));
        let next = match apart {
            _ if always_often => OFTEN,
            ..CLOSE => SELDOM.min(stands_for + 1),
            CLOSE..FAR => stands_for,
            FAR.. => OFTEN,
        };
        self.every.set(next);
        let longer = self.longer.replace(!self.longer.get());
        self.left.set((1 << next) + if longer { 1 } else { -1 });
        stands_for
    }

    /// Books the time of one that stands for 2 to the power of `stands_for`, by the holder.
    pub(crate) fn book(&self, nanos: u64, stands_for: u8) {
        add_own(&self.counts[bucket(nanos)], 1 << stands_for);
        add_own(&self.nanos, nanos << stands_for);
    }

    pub(crate) fn add_to(&self, sum: &mut Latencies) {
        for (all, own) in sum.counts.iter_mut().zip(&self.counts) {
            *all += own.load(Relaxed);
        }
        sum.nanos = sum.nanos.wrapping_add(self.nanos.load(Relaxed));
    }
}

/// An M's countdown for what its goroutine starts while it has no P: a loop of spawns may go on so for as long as it
/// likes, and two looks at the clock would be much of each.
#[derive(Debug, Default)]
pub(crate) struct WithoutP(Cell<u8>);

impl WithoutP {
    /// Counts a goroutine, by the M's own thread: if it is to be timed, for how many it stands, as a power of two.
    #[inline]
    pub(crate) fn count(&self) -> Option<u8> {
        let counted = self.0.get() + 1;
        self.0.set(counted % (1 << OFTEN));
        (counted == 1 << OFTEN).then_some(OFTEN)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_started_without_a_p_stands_for_eight() {
        let without_p = WithoutP::default();
        let counted: u64 =
            (0..8_000).filter_map(|_| without_p.count()).map(|stands_for| 1 << stands_for).sum();
        assert_eq!(counted, 8_000);
    }

    #[test]
    fn each_duration_is_below_its_bound_and_not_below_the_one_before() {
        for octave in 0..64 {
            for nanos in [1_u64 << octave, (1 << octave) - 1, (1 << octave) + (1 << octave) / 3] {
                let at = bucket(nanos);
                assert!(upper_bound(at).is_none_or(|end| nanos < end), "{nanos} in {at}");
                let begin = if at == 0 { Some(0) } else { upper_bound(at - 1) };
                assert!(begin.is_some_and(|begin| begin <= nanos), "{nanos} in {at}");
            }
        }
        assert_eq!((upper_bound(0), upper_bound(3), upper_bound(4)), (Some(64), Some(256), Some(320)));
        assert_eq!(upper_bound(BUCKETS - 2), Some(1 << LAST));
    }

    #[test]
    fn what_is_timed_stands_for_all() {
        for apart in [1_000, 300_000, 5_000_000] {
            let latency = Latency::new();
            let (mut now, all) = (0, 1_000_000);
            for _ in 0..all {
                now += apart / 100;
                if latency.counts_to_zero() {
                    let stands_for = latency.begin_round(now, false);
                    latency.book(100, stands_for);
                }
            }
            let mut sum = Latencies::default();
            latency.add_to(&mut sum);
            let counted: u64 = sum.counts.iter().sum();
            assert!(counted.abs_diff(all) < 2_100, "{counted}");
            assert_eq!(sum.nanos, counted * 100);
        }
    }
}
