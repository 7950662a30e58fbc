//! How everything is timed: a warm-up, then the median of repetitions, with the CPU time beside the wall time.

use crate::cell::{Cell, Figures, Result};
use crate::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// One repetition of a calibrated workload lasts about this long: long against timer noise and one scheduler slice of
/// the machine, short against the minutes over which these machines drift.
const REPETITION: Duration = Duration::from_millis(400);
/// The same where each process is to be short.
const SHORT_REPETITION: Duration = Duration::from_millis(100);
/// The same for a smoke run.
const QUICK_REPETITION: Duration = Duration::from_millis(10);
/// Calibration stops doubling here: an eighth of a repetition predicts the whole well enough.
const CALIBRATED: u32 = 8;

/// Nanoseconds of one round of a loop that does the same on every machine and in every commit: multiplications that
/// wait for each other. They show how fast the machine is at this moment. It is the best of several short loops, so
/// that an interruption does not count. The value stays in a register: by way of memory a round would take once or twice as
/// long, as some CPUs guess or do not guess what a load brings that follows its store.
pub(crate) fn calibration() -> f64 {
    const ROUNDS: u64 = 1_000_000;
    const LOOPS: usize = 9;
    let once = |seed: u64| {
        let start = Instant::now();
        // The constants of Knuth's MMIX generator; any odd multiplier would do.
        let step = |x: u64| x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::hint::black_box((0..ROUNDS).fold(std::hint::black_box(seed), |x, _| step(x)));
        start.elapsed().as_nanos() as f64 / ROUNDS as f64
    };
    (1..=LOOPS as u64).map(once).fold(f64::INFINITY, f64::min)
}

/// Repetitions of a cell: five as the definitions say, two where a process is to be short and in a smoke run.
pub(crate) fn repetitions(cell: &Cell) -> usize {
    if cell.quick || cell.short { 2 } else { 5 }
}

/// What one repetition cost.
#[derive(Clone, Copy, Debug)]
struct Sample {
    wall: Duration,
    cpu: Duration,
}

fn sample(run: impl FnOnce() -> Result<()>) -> Result<Sample> {
    let cpu = process::cpu_time();
    let start = Instant::now();
    run()?;
    Ok(Sample { wall: start.elapsed(), cpu: process::cpu_time().saturating_sub(cpu) })
}

/// Times a workload that can be made as long as one likes: `run(n)` does `n` operations.
pub(crate) fn looped(cell: &Cell, mut run: impl FnMut(u64) -> Result<()>) -> Result<Figures> {
    let target = match (cell.quick, cell.short) {
        (true, _) => QUICK_REPETITION,
        (false, true) => SHORT_REPETITION,
        (false, false) => REPETITION,
    };
    let n = if cell.n > 0 { cell.n } else { calibrate(target, &mut run)? };
    let mut samples = Vec::new();
    for _ in 0..repetitions(cell) {
        samples.push(sample(|| run(n))?);
    }
    Ok(summary(n, n, &samples))
}

/// Doubles `n` until a run is long enough to predict one of `target`. It is the warm-up, too.
fn calibrate(target: Duration, run: &mut impl FnMut(u64) -> Result<()>) -> Result<u64> {
    let mut n = 1000;
    loop {
        let took = sample(|| run(n))?.wall;
        if took * CALIBRATED >= target {
            let scale = target.as_secs_f64() / took.as_secs_f64();
            // Whole thousands: workloads that share `n` among 2 or 1000 goroutines divide it without a rest.
            return Ok(((n as f64 * scale / 1000.0) as u64).max(1) * 1000);
        }
        n *= 2;
    }
}

/// Times a workload of fixed size that counts as `ops` operations: one whole run to warm up, then the repetitions.
pub(crate) fn whole(cell: &Cell, ops: u64, mut run: impl FnMut() -> Result<()>) -> Result<Figures> {
    run()?;
    let mut samples = Vec::new();
    for _ in 0..repetitions(cell) {
        samples.push(sample(&mut run)?);
    }
    Ok(summary(cell.n, ops, &samples))
}

/// Times one single run: for workloads whose first run is the measurement (memory) or that sample inside (latencies).
pub(crate) fn once(cell: &Cell, ops: u64, run: impl FnOnce() -> Result<()>) -> Result<Figures> {
    let sample = sample(run)?;
    Ok(summary(cell.n, ops, &[sample]))
}

fn summary(n: u64, ops: u64, samples: &[Sample]) -> Figures {
    let per_op = |d: Duration| d.as_nanos() as f64 / ops as f64;
    let mut wall: Vec<f64> = samples.iter().map(|s| per_op(s.wall)).collect();
    let mut cpu: Vec<f64> = samples.iter().map(|s| per_op(s.cpu)).collect();
    wall.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    Figures::new(n, quantile(&wall, 0.5))
        .with("min", wall[0])
        .with("max", wall[wall.len() - 1])
        .with("cpu_ns_per_op", quantile(&cpu, 0.5))
        .with("maxrss_mb", process::peak_rss() as f64 / (1 << 20) as f64)
}

/// Adds how much of the ideal speed-up over `serial` was reached: 1 is all of it.
pub(crate) fn efficiency(cell: &Cell, serial: Duration, timed: Figures) -> Figures {
    let wall = timed.ns_per_op * cell.n as f64;
    let share = serial.as_nanos() as f64 / cell.procs as f64 / wall;
    timed.with("efficiency", share)
}

/// Adds the growth of the peak resident memory since `before`, for each of the cell's goroutines.
pub(crate) fn bytes_per_g(cell: &Cell, before: u64, timed: Figures) -> Figures {
    timed.with("bytes_per_g", process::peak_rss().saturating_sub(before) as f64 / cell.n as f64)
}

/// The figures of `sleep_many`: CPU time counts, not the wall time that the sleeps themselves fill.
pub(crate) fn sleeps(timed: Figures, overshoot: Vec<f64>) -> Figures {
    let late = Latencies::of(overshoot);
    late.distributed(by_cpu(timed)).with("p50_ns", late.p50).with("p99_ns", late.p99)
}

/// The same figures, with the CPU time as the one that counts.
pub(crate) fn by_cpu(timed: Figures) -> Figures {
    let cpu =
        timed.extra.iter().find(|(name, _)| *name == "cpu_ns_per_op").map_or(f64::NAN, |(_, value)| *value);
    timed.counting(cpu)
}

/// The figures of `hog_fairness`: the longest gap counts.
pub(crate) fn fairness(timed: Figures, gaps: Option<Latencies>) -> Result<Figures> {
    let gaps = gaps.ok_or("the ticker did not end")?;
    Ok(gaps.distributed(timed.counting(gaps.max)).with("p50_ns", gaps.p50).with("p99_ns", gaps.p99))
}

/// The figures of a workload whose 99th percentile counts.
pub(crate) fn tail(timed: Figures, latencies: Latencies) -> Figures {
    let timed = latencies.distributed(timed.counting(latencies.p99));
    timed.with("p50_ns", latencies.p50).with("max_ns", latencies.max)
}

/// The value below which the share `q` of the sorted values lies (nearest rank).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        len => sorted[((len as f64 * q).ceil() as usize).clamp(1, len) - 1],
    }
}

/// Which percentiles of the latencies are printed, and under which names.
const DISTRIBUTION: [(&str, f64); 9] = [
    ("latency_1", 0.01),
    ("latency_10", 0.1),
    ("latency_25", 0.25),
    ("latency_50", 0.5),
    ("latency_75", 0.75),
    ("latency_90", 0.9),
    ("latency_99", 0.99),
    ("latency_99.9", 0.999),
    ("latency_100", 1.0),
];

/// Latencies: the three figures that are shown, and the distribution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Latencies {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
    distribution: [(&'static str, f64); DISTRIBUTION.len()],
}

impl Latencies {
    pub(crate) fn of(mut nanoseconds: Vec<f64>) -> Self {
        nanoseconds.sort_by(f64::total_cmp);
        let at = |q| quantile(&nanoseconds, q);
        let distribution = DISTRIBUTION.map(|(name, q)| (name, at(q)));
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0), distribution }
    }

    /// Adds the distribution.
    fn distributed(&self, figures: Figures) -> Figures {
        self.distribution.iter().fold(figures, |figures, (name, value)| figures.with(name, *value))
    }

    /// Adds the latencies to the figures of a workload whose wall time counts.
    pub(crate) fn beside(self, timed: Figures) -> Figures {
        self.distributed(timed).with("p50_ns", self.p50).with("p99_ns", self.p99).with("max_ns", self.max)
    }

    /// The figures of a workload whose operation is one latency: its median counts.
    pub(crate) fn figures(self, timed: Figures) -> Figures {
        self.distributed(timed.counting(self.p50)).with("p99_ns", self.p99).with("max_ns", self.max)
    }
}

/// The gaps between the ticks of a ticker that should tick each millisecond. It counts from the moment in which it was
/// made, which is before its goroutine is started.
#[derive(Debug)]
pub(crate) struct Ticks {
    last: Instant,
    gaps: Vec<f64>,
}

/// How long a ticker sleeps between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(1);

impl Ticks {
    pub(crate) fn start() -> Self {
        Self { last: Instant::now(), gaps: Vec::with_capacity(4096) }
    }

    pub(crate) fn tick(&mut self) {
        let now = Instant::now();
        self.gaps.push((now - self.last).as_nanos() as f64);
        self.last = now;
    }

    /// Ticks each millisecond until told to stop, once at least: on a loaded machine a ticker may get its first turn
    /// when all is over, and then the whole time is its gap.
    pub(crate) fn until(mut self, over: &AtomicBool, sleep: impl Fn(Duration)) -> Latencies {
        loop {
            sleep(TICK);
            self.tick();
            if over.load(Ordering::Relaxed) {
                return self.gaps();
            }
        }
    }

    pub(crate) fn gaps(self) -> Latencies {
        Latencies::of(self.gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            [quantile(&values, 0.5), quantile(&values, 0.99), quantile(&values, 1.0)],
            [50.0, 99.0, 100.0]
        );
        assert!(quantile(&[], 0.5).is_nan());
    }

    /// A ticker that came late had no gap at all, and its cell "measured nothing".
    #[test]
    fn a_ticker_that_starts_when_all_is_over_has_one_gap() {
        let gaps = Ticks::start().until(&AtomicBool::new(true), std::thread::sleep);
        assert!(gaps.max >= TICK.as_nanos() as f64, "{gaps:?}");
    }

    #[test]
    fn summary_divides_by_operations_and_sorts() {
        let ms = |wall, cpu| Sample { wall: Duration::from_millis(wall), cpu: Duration::from_millis(cpu) };
        let figures = summary(7, 1000, &[ms(3, 1), ms(1, 2), ms(2, 3)]);
        assert_eq!((figures.n, figures.ns_per_op), (7, 2000.0));
        assert_eq!(&figures.extra[..3], &[("min", 1000.0), ("max", 3000.0), ("cpu_ns_per_op", 2000.0)]);
    }

    #[test]
    fn calibration_gives_whole_thousands() {
        let mut run = |n| {
            std::thread::sleep(Duration::from_nanos(n * 100));
            Ok(())
        };
        let n = calibrate(Duration::from_millis(4), &mut run).unwrap();
        assert!(n >= 1000 && n % 1000 == 0, "{n}");
    }
}
