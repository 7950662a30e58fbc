//! Metrics: a runtime's figures under the names of Go's `runtime/metrics`, and as Prometheus reads them.
//!
//! They are always on. The counts the scheduler keeps anyway, so they cost nothing until they are read; the histogram
//! costs two instructions for each goroutine that becomes runnable, and two looks at the clock for those that are timed:
//! one in 8, and fewer where goroutines come in quick succession, down to one in 1,024.
//!
//! | name | is |
//! | --- | --- |
//! | `/sched/goroutines:goroutines` and `.../runnable`, `running`, `not-in-go`, `waiting` | goroutines, in all and by what they do |
//! | `/sched/goroutines-created:goroutines` | goroutines started so far |
//! | `/sched/gomaxprocs:threads`, `/sched/threads/total:threads` | Ps, threads |
//! | `/sched/latencies:seconds` | how long goroutines were runnable before they ran: a [`Histogram`] |
//! | `/cpu/classes/total:cpu-seconds` | what the Ps could have used so far |
//! | `/gmp/...` | what Go has no name for: idle Ps and Ms, steals, wake-ups, hand-offs, stacks, records |

#[cfg(feature = "metrics")]
mod bridge;
mod histogram;

use crate::{Handle, Stats};
#[cfg(feature = "metrics")]
pub use bridge::Bridge;
use core::fmt;
pub use histogram::Histogram;
use histogram::plain_name;

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with its unit behind the colon: Go's, where Go has one.
    pub name: &'static str,
    /// What it says.
    pub help: &'static str,
    /// Whether it only grows.
    pub cumulative: bool,
    /// How much it is.
    pub value: f64,
}

/// The figures of one moment. Its `Display` is the text that Prometheus reads.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let metrics = gmp::metrics::read();
///     assert_eq!(metrics.value("/sched/goroutines:goroutines"), Some(1.0));
///     assert!(metrics.to_string().contains("\ngmp_sched_goroutines_goroutines 1\n"));
///     let latencies = metrics.histogram("/sched/latencies:seconds").unwrap();
///     println!("one in a hundred waits for {:?} seconds", latencies.quantile(0.99));
/// }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Metrics {
    all: Vec<Metric>,
    histograms: Vec<Histogram>,
}

impl Metrics {
    /// Every figure. Never suspends.
    pub fn all(&self) -> &[Metric] {
        &self.all
    }

    /// Every histogram. Never suspends.
    pub fn histograms(&self) -> &[Histogram] {
        &self.histograms
    }

    /// The histogram of this name. Never suspends.
    pub fn histogram(&self, name: &str) -> Option<&Histogram> {
        self.histograms.iter().find(|histogram| histogram.name == name)
    }

    /// The figure of this name. Never suspends.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.all.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }
}

/// Reads the metrics of the caller's runtime. Never suspends.
///
/// # Panics
/// Outside a goroutine, where [`Handle::metrics`] is at hand.
#[doc(alias = "runtime/metrics")]
#[track_caller]
pub fn read() -> Metrics {
    gmp_core::goroutine::with_runtime("metrics::read", Metrics::of)
}

impl Handle {
    /// Reads the metrics of this runtime: see [`metrics`](crate::metrics). Never suspends.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.0)
    }
}

impl Metrics {
    pub(crate) fn of(runtime: &gmp_core::runtime::Handle) -> Self {
        let stats = &runtime.stats();
        Self { all: figures(stats), histograms: vec![Histogram::of(runtime.latencies())] }
    }
}

fn figures(stats: &Stats) -> Vec<Metric> {
    let now = |name, help, value: usize| Metric { name, help, cumulative: false, value: value as f64 };
    let grows = |name, help, value: u64| Metric { name, help, cumulative: true, value: value as f64 };
    let total = stats.proc_time.as_secs_f64();
    vec![
        now("/sched/goroutines:goroutines", "goroutines that have not ended", stats.goroutines),
        now("/sched/goroutines/runnable:goroutines", "goroutines on queues", stats.runnable),
        now("/sched/goroutines/running:goroutines", "goroutines that an M runs", stats.running),
        now("/sched/goroutines/not-in-go:goroutines", "goroutines in blocking calls", stats.blocked),
        now("/sched/goroutines/waiting:goroutines", "goroutines that wait", stats.waiting),
        grows("/sched/goroutines-created:goroutines", "goroutines started so far", stats.spawned),
        now("/sched/gomaxprocs:threads", "Ps", stats.procs),
        now("/sched/threads/total:threads", "threads", stats.threads),
        Metric {
            name: "/cpu/classes/total:cpu-seconds",
            help: "time that the Ps could have used so far",
            cumulative: true,
            value: total,
        },
        now("/gmp/system-goroutines:goroutines", "the runtime's own goroutines", stats.system_goroutines),
        now("/gmp/idle-procs:threads", "Ps with nothing to do", stats.idle_procs),
        now("/gmp/idle-threads:threads", "Ms asleep", stats.idle_threads),
        grows(
            "/gmp/retired-threads:threads",
            "threads that ended since they were idle",
            stats.retired_threads,
        ),
        grows("/gmp/steals:events", "steals that brought something", stats.steals),
        grows("/gmp/stolen:goroutines", "goroutines that moved by steals", stats.stolen),
        grows("/gmp/wakeups:events", "Ms woken or made for work", stats.wakeups),
        grows("/gmp/handoffs:events", "Ps taken from blocking calls", stats.handoffs),
        grows("/gmp/overruns:events", "Ps taken from goroutines that compute on", stats.overruns),
        now("/gmp/stacks/in-use:stacks", "stacks of goroutines", stats.stacks.in_use),
        now("/gmp/stacks/free:stacks", "stacks kept for reuse", stats.stacks.free),
        now("/gmp/stacks/reserved:bytes", "address space of stacks", stats.stacks.reserved_bytes),
        now("/gmp/records:records", "records of goroutines in the process", stats.records),
    ]
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Metric { name, help, cumulative, value } in &self.all {
            let plain = plain_name(name);
            let (total, kind) = if *cumulative { ("_total", "counter") } else { ("", "gauge") };
            writeln!(
                f,
                "# HELP {plain}{total} {help}\n# TYPE {plain}{total} {kind}\n{plain}{total} {value}"
            )?;
        }
        self.histograms.iter().try_for_each(|histogram| write!(f, "{histogram}"))
    }
}
