//! `Bridge`: the figures for whoever collects by the crate `metrics`. With the feature `metrics`.

use super::histogram::{Histogram, plain_name};
use crate::Handle;
use std::collections::HashMap;

/// The most durations that are told at once.
const MOST: u64 = 1_000;

/// Hands a runtime's figures to the recorder that is installed for the crate [`metrics`](https://docs.rs/metrics), under
/// the names that Prometheus knows them by: counters and gauges, and `gmp_sched_latencies_seconds` as a histogram.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// let mut bridge = gmp::metrics::Bridge::new(&runtime.handle());
/// // On a thread, or by a goroutine, every ten seconds, say:
/// bridge.publish();
/// ```
#[derive(Debug)]
pub struct Bridge {
    handle: Handle,
    /// The counts of each histogram that are told already.
    told: HashMap<&'static str, Vec<u64>>,
}

impl Bridge {
    /// A bridge from this runtime. Never suspends.
    pub fn new(handle: &Handle) -> Self {
        Self { handle: handle.clone(), told: HashMap::new() }
    }

    /// Tells the recorder the figures of this moment. Never suspends, unless the recorder does.
    ///
    /// Of a histogram it tells what has come since the last call, each duration as the middle of its bucket. If there are
    /// more than a thousand, it tells as many in the same proportions, so the recorder's quantiles are right, and its
    /// count is not.
    pub fn publish(&mut self) {
        let metrics = self.handle.metrics();
        for metric in metrics.all() {
            let name = plain_name(metric.name);
            if metric.cumulative {
                metrics::counter!(format!("{name}_total")).absolute(metric.value as u64);
            } else {
                metrics::gauge!(name).set(metric.value);
            }
        }
        metrics.histograms().iter().for_each(|histogram| self.publish_histogram(histogram));
    }

    fn publish_histogram(&mut self, histogram: &Histogram) {
        let recorder = metrics::histogram!(plain_name(histogram.name));
        let told = self.told.entry(histogram.name).or_insert_with(|| vec![0; histogram.counts.len()]);
        let new: Vec<u64> =
            histogram.counts.iter().zip(&*told).map(|(now, before)| now.saturating_sub(*before)).collect();
        let shrink = new.iter().sum::<u64>().div_ceil(MOST).max(1);
        for (i, count) in new.iter().enumerate().filter(|(_, count)| **count != 0) {
            let below = i.checked_sub(1).map_or(0.0, |before| histogram.bounds[before]);
            let above = histogram.bounds.get(i).copied().unwrap_or(below);
            let told = usize::try_from(count.div_ceil(shrink)).unwrap_or(1);
            recorder.record_many(f64::midpoint(below, above), told);
        }
        told.clone_from(&histogram.counts);
    }
}
