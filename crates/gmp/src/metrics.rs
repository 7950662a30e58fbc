//! Metrics: a runtime's figures under the names of Go's `runtime/metrics`, and as Prometheus reads them.
//!
//! They cost a program nothing until they are read: all of them are counts that the scheduler keeps anyway. Go's
//! histogram of scheduling latencies is not among them; an event sink gets each sample
//! ([`EventKind::SchedLatency`](crate::event::EventKind)).
//!
//! | name | is |
//! | --- | --- |
//! | `/sched/goroutines:goroutines` and `.../runnable`, `running`, `not-in-go`, `waiting` | goroutines, in all and by what they do |
//! | `/sched/goroutines-created:goroutines` | goroutines started so far |
//! | `/sched/gomaxprocs:threads`, `/sched/threads/total:threads` | Ps, threads |
//! | `/cpu/classes/total:cpu-seconds` | what the Ps could have used so far |
//! | `/gmp/...` | what Go has no name for: idle Ps and Ms, steals, wake-ups, hand-offs, stacks, records |

use crate::{Handle, Stats};
use core::fmt::{self, Write};

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
/// }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Metrics(Vec<Metric>);

impl Metrics {
    /// Every figure. Never suspends.
    pub fn all(&self) -> &[Metric] {
        &self.0
    }

    /// The figure of this name. Never suspends.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.0.iter().find(|metric| metric.name == name).map(|metric| metric.value)
    }
}

/// Reads the metrics of the caller's runtime. Never suspends.
///
/// # Panics
/// Outside a goroutine, where [`Handle::metrics`] is at hand.
#[doc(alias = "runtime/metrics")]
#[track_caller]
pub fn read() -> Metrics {
    Metrics::from(&crate::stats())
}

impl Handle {
    /// Reads the metrics of this runtime: see [`metrics`](crate::metrics). Never suspends.
    pub fn metrics(&self) -> Metrics {
        Metrics::from(&self.stats())
    }
}

impl From<&Stats> for Metrics {
    fn from(stats: &Stats) -> Self {
        let now = |name, help, value: usize| Metric { name, help, cumulative: false, value: value as f64 };
        let grows = |name, help, value: u64| Metric { name, help, cumulative: true, value: value as f64 };
        let total = stats.proc_time.as_secs_f64();
        Self(vec![
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
            now("/gmp/stacks/in-use:stacks", "stacks of goroutines", stats.stacks.in_use),
            now("/gmp/stacks/free:stacks", "stacks kept for reuse", stats.stacks.free),
            now("/gmp/stacks/reserved:bytes", "address space of stacks", stats.stacks.reserved_bytes),
            now("/gmp/records:records", "records of goroutines in the process", stats.records),
        ])
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Metric { name, help, cumulative, value } in &self.0 {
            let mut plain = String::from("gmp");
            let name = name.strip_prefix("/gmp").unwrap_or(name);
            name.chars()
                .try_for_each(|c| plain.write_char(if c.is_ascii_alphanumeric() { c } else { '_' }))?;
            let (total, kind) = if *cumulative { ("_total", "counter") } else { ("", "gauge") };
            writeln!(
                f,
                "# HELP {plain}{total} {help}\n# TYPE {plain}{total} {kind}\n{plain}{total} {value}"
            )?;
        }
        Ok(())
    }
}
