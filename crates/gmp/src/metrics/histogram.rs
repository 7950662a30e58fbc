//! `Histogram`: how often a duration was how long.

use core::fmt;
use gmp_core::latency::{BUCKETS, Latencies, upper_bound};

/// How many durations were how long. The bounds are those of Go's `/sched/latencies:seconds`: each doubling of the
/// duration, from 256 ns on, is divided into four.
#[derive(Clone, Debug, PartialEq)]
#[doc(alias = "Float64Histogram")]
#[non_exhaustive]
pub struct Histogram {
    /// Its name, with its unit behind the colon: Go's.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// How many were below each bound and not below the one before; and last, how many were not below any.
    pub counts: Vec<u64>,
    /// The bounds, in seconds.
    pub bounds: Vec<f64>,
    /// All durations together, in seconds.
    pub sum: f64,
}

/// Of the bounds Prometheus is told every eighth, so each is four times the one before, from 1 us on.
const FIRST_TOLD: usize = 11;
const TOLD: usize = 8;
/// The last one told is 17 s.
const LAST_TOLD: usize = FIRST_TOLD + 12 * TOLD;

impl Histogram {
    pub(super) fn of(latencies: Latencies) -> Self {
        let bounds = (0..BUCKETS).filter_map(upper_bound).map(|nanos| nanos as f64 / 1e9).collect();
        Self {
            name: "/sched/latencies:seconds",
            help: "time that goroutines were runnable before they ran",
            counts: latencies.counts,
            bounds,
            sum: latencies.nanos as f64 / 1e9,
        }
    }

    /// How many there are in all. Never suspends.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The bound that this part of all are below: of `0.99`, the bound that one in a hundred reaches. Infinite if that is
    /// beyond all bounds, `None` without any. Never suspends.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all = self.count();
        let wanted = part * all as f64;
        let mut so_far = 0;
        let at = self.counts.iter().position(|count| {
            so_far += count;
            so_far != 0 && so_far as f64 >= wanted
        })?;
        Some(self.bounds.get(at).copied().unwrap_or(f64::INFINITY))
    }
}

impl fmt::Display for Histogram {
    /// As Prometheus reads it, with a thirteenth of the bounds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (plain, help) = (plain_name(self.name), self.help);
        writeln!(f, "# HELP {plain} {help}\n# TYPE {plain} histogram")?;
        let (mut below, mut told) = (0, FIRST_TOLD);
        for (i, (count, bound)) in self.counts.iter().zip(&self.bounds).enumerate() {
            below += count;
            if i == told && i <= LAST_TOLD {
                writeln!(f, "{plain}_bucket{{le=\"{bound}\"}} {below}")?;
                told += TOLD;
            }
        }
        let count = self.count();
        writeln!(f, "{plain}_bucket{{le=\"+Inf\"}} {count}\n{plain}_sum {}\n{plain}_count {count}", self.sum)
    }
}

/// The name that Prometheus allows.
pub(super) fn plain_name(name: &str) -> String {
    let name = name.strip_prefix("/gmp").unwrap_or(name);
    let plain = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' });
    "gmp".chars().chain(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_text() {
        let mut latencies = Latencies::default();
        latencies.counts[0] = 90;
        latencies.counts[20] = 9;
        *latencies.counts.last_mut().unwrap() = 1;
        latencies.nanos = 1_500_000_000;
        let histogram = Histogram::of(latencies);
        assert_eq!(histogram.count(), 100);
        assert_eq!(histogram.quantile(0.5), Some(64e-9));
        assert_eq!(histogram.quantile(0.99), Some(histogram.bounds[20]));
        assert_eq!(histogram.quantile(1.0), Some(f64::INFINITY));
        assert_eq!(Histogram::of(Latencies::default()).quantile(0.5), None);
        let text = histogram.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1], "# TYPE gmp_sched_latencies_seconds histogram");
        assert_eq!(lines[2], "gmp_sched_latencies_seconds_bucket{le=\"0.000001024\"} 90");
        assert_eq!(lines[4], "gmp_sched_latencies_seconds_bucket{le=\"0.000016384\"} 99");
        assert_eq!(lines[14], "gmp_sched_latencies_seconds_bucket{le=\"17.179869184\"} 99");
        assert_eq!(lines[15], "gmp_sched_latencies_seconds_bucket{le=\"+Inf\"} 100");
        assert_eq!(
            lines[16..],
            ["gmp_sched_latencies_seconds_sum 1.5", "gmp_sched_latencies_seconds_count 100"]
        );
    }
}
