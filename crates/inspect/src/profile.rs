//! `Profile`: samples of what a program does, with stacks and labels.
//!
//! CPU time is sampled by a thread of its own, 100 times a second as in Go. Each time it looks at the CPU clock of every
//! thread of the process; a thread that has used 5 ms since its last sample, and runs at this moment, is asked by a signal
//! for its stack and its goroutine, and the sample stands for all that it has used. Go has a timer for each thread send
//! SIGPROF (`runtime/cpuprof.go`, 1.27); a clock that is read cannot lose ticks, leaves SIGPROF to the program, and shows
//! threads of libraries as well.

use crate::dump::Dump;
use crate::elsewhere::elsewhere;
use crate::symbols::{Frame, Symbols};
use crate::threads::threads;
use crate::walk::Walk;
use core::fmt;
use gmp_arch_amd64::{cpu_time_of_thread, thread_id, thread_runs};
use gmp_core::runtime::Handle;
use gmp_core::sight::Sight;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How often threads are looked at.
pub(crate) const PERIOD: Duration = Duration::from_millis(10);
/// A sample stands for so much CPU time at least.
const LEAST: Duration = Duration::from_millis(5);
/// A thread that is running answers in microseconds, unless others have its CPU.
const PATIENCE: Duration = Duration::from_millis(20);

/// What a profile counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u64)]
pub enum Kind {
    /// CPU time, by what ran.
    Cpu,
    /// Goroutines, by where they stand.
    Goroutine,
    /// Time that goroutines and threads have waited, by where they did.
    Block,
    /// Time that they have waited for locks, by where the locks were let go.
    Mutex,
}

/// Labels of a goroutine, its name among them as `goroutine`.
type Labels = Vec<(String, String)>;

/// What was found at one place.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// The stack, innermost address first, each with the functions that stand there, innermost first: more than one if
    /// calls were inlined. Empty if it could not be had.
    pub stack: Vec<Arc<[Frame]>>,
    /// The labels of the goroutine, and its name as the label `goroutine`.
    pub labels: Labels,
    /// How often it was found: goroutines, in a profile of them; waits, where waits are counted.
    pub count: u64,
    /// The CPU time, or the time of waits, that this stands for; none in a profile of goroutines.
    pub time: Duration,
}

/// Where a program's CPU time goes, where its goroutines stand, where they wait, or who makes them wait.
///
/// Its `Display` is a table of functions, the most expensive first; [`Profile::to_pprof`] is for `go tool pprof`, which
/// draws graphs and flames.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// What is counted.
    pub kind: Kind,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// What was found, by place and labels.
    pub samples: Vec<Sample>,
}

/// Samples the CPU time of the process for so long. For a thread that is no M, with a thread's stack.
fn sample(duration: Duration) -> Profile {
    let (began, start) = (SystemTime::now(), Instant::now());
    let mut sampler = Sampler::new();
    while start.elapsed() < duration {
        thread::sleep(PERIOD.min(duration.saturating_sub(start.elapsed())));
        sampler.look();
    }
    Profile { kind: Kind::Cpu, began, took: start.elapsed(), samples: sampler.into_samples() }
}

/// Samples the CPU time of the process, on a thread made for it.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
pub fn cpu(duration: Duration) -> Profile {
    elsewhere("gmp-profile", "gmp::profile::cpu", || sample(duration))
}

/// The goroutines of a runtime that will never go on, as far as can be told, as a profile.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
pub fn goroutine_leaks(handle: &Handle) -> Profile {
    elsewhere("gmp-leaks", "gmp::profile::goroutine_leaks", || {
        let leaked = crate::leaks::find(handle);
        let dump = crate::dump::dump(handle);
        of_goroutines(&dump, |sight| leaked.contains(&(sight.number, sight.wait)))
    })
}

/// The goroutines of a dump as a profile.
#[must_use]
pub fn goroutines(dump: &Dump) -> Profile {
    of_goroutines(dump, |_| true)
}

fn of_goroutines(dump: &Dump, wanted: impl Fn(&Sight) -> bool) -> Profile {
    let mut samples = Vec::new();
    for group in &dump.groups {
        let mut by_labels = BTreeMap::<Labels, u64>::new();
        for sight in group.goroutines.iter().filter(|sight| wanted(sight)) {
            *by_labels.entry(labels_of(sight)).or_default() += 1;
        }
        let stack: Vec<Arc<[Frame]>> = group.stack().iter().map(|frame| Arc::from([frame.clone()])).collect();
        samples.extend(by_labels.into_iter().map(|(labels, count)| Sample {
            stack: stack.clone(),
            labels,
            count,
            time: Duration::ZERO,
        }));
    }
    Profile { kind: Kind::Goroutine, began: SystemTime::now(), took: dump.took, samples }
}

fn labels_of(sight: &Sight) -> Labels {
    let mut labels = Labels::new();
    if !sight.name.is_empty() {
        labels.push(("goroutine".to_owned(), sight.name.as_ref().to_owned()));
    }
    labels.extend(sight.labels.iter().cloned());
    labels
}

/// Where something was found.
type Place = (Box<[usize]>, Labels);

struct Sampler {
    own: i32,
    walk: Walk,
    /// The CPU time of each thread up to its last sample.
    before: HashMap<i32, Duration>,
    found: HashMap<Place, (u64, Duration)>,
}

impl Sampler {
    fn new() -> Self {
        let before = threads().filter_map(|thread| Some((thread, cpu_time_of_thread(thread)?))).collect();
        Self { own: thread_id(), walk: Walk::new(), before, found: HashMap::new() }
    }

    fn look(&mut self) {
        for thread in threads().filter(|&thread| thread != self.own) {
            let Some(now) = cpu_time_of_thread(thread) else { continue };
            let before = self.before.entry(thread).or_default();
            let used = now.saturating_sub(*before);
            if used < LEAST || !thread_runs(thread) {
                continue;
            }
            let Some(slot) = self.walk.capture_any(thread, PATIENCE) else { continue };
            *before = now;
            // SAFETY: what the thread's slot held: this process's runtimes have one kind of slot, and this is it, or it is
            // null on every thread.
            let sight = unsafe { Sight::in_slot(slot) };
            let labels = sight.as_ref().map(labels_of).unwrap_or_default();
            let (count, time) = self.found.entry((self.walk.addresses().into(), labels)).or_default();
            *count += 1;
            *time += used;
        }
    }

    fn into_samples(self) -> Vec<Sample> {
        let mut symbols = Symbols::default();
        let sample = |((addresses, labels), (count, time)): (Place, (u64, Duration))| {
            let stack = symbols.by_address(&addresses).collect();
            Sample { stack, labels, count, time }
        };
        let mut samples: Vec<_> = self.found.into_iter().map(sample).collect();
        samples.sort_by_key(|sample| core::cmp::Reverse(sample.time));
        samples
    }
}

impl Profile {
    /// What `sample` weighs: nanoseconds, or goroutines.
    fn weight(&self, sample: &Sample) -> u64 {
        match self.kind {
            Kind::Cpu | Kind::Block | Kind::Mutex => sample.time.as_nanos() as u64,
            Kind::Goroutine => sample.count,
        }
    }

    /// All time that was seen, in nanoseconds, or all goroutines.
    fn whole(&self) -> u64 {
        self.samples.iter().map(|sample| self.weight(sample)).sum()
    }
}

/// The most rows of a table. Go: what `pprof -top` shows is cut by weight; the number is that of its interactive `top`.
const ROWS: usize = 30;

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = BTreeMap::<&str, (u64, u64)>::new();
        for sample in &self.samples {
            let weight = self.weight(sample);
            let mut names =
                sample.stack.iter().flat_map(|frames| frames.iter()).map(|frame| &*frame.function);
            let inner = names.next().unwrap_or("?");
            rows.entry(inner).or_default().0 += weight;
            // A function that calls itself counts once.
            for name in core::iter::once(inner).chain(names).collect::<BTreeSet<_>>() {
                rows.entry(name).or_default().1 += weight;
            }
        }
        let mut rows: Vec<_> = rows.into_iter().collect();
        rows.sort_by_key(|&(_, (own, all))| core::cmp::Reverse((own, all)));
        let whole = self.whole();
        let share = |part: u64| 100.0 * part as f64 / whole.max(1) as f64;
        match self.kind {
            Kind::Cpu => {
                let whole = Duration::from_nanos(whole);
                writeln!(f, "{whole:.2?} of CPU time in {:.2?}", self.took)?;
                writeln!(f, "{:>10} {:>6} {:>10} {:>6}", "own", "own%", "with calls", "all%")?;
            }
            Kind::Block | Kind::Mutex => {
                let (whole, count) =
                    (Duration::from_nanos(whole), self.samples.iter().map(|one| one.count).sum::<u64>());
                let how = if self.kind == Kind::Block { "waits" } else { "waits for locks" };
                writeln!(f, "{whole:.2?} of {how} in {:.2?}, {count} times", self.took)?;
                writeln!(f, "{:>10} {:>6} {:>10} {:>6}", "here", "here%", "on stack", "all%")?;
            }
            Kind::Goroutine => {
                writeln!(f, "{whole} goroutines")?;
                writeln!(f, "{:>10} {:>6} {:>10} {:>6}", "here", "here%", "on stack", "all%")?;
            }
        }
        for (name, (own, all)) in rows.iter().take(ROWS) {
            let told = |part: u64| match self.kind {
                Kind::Cpu | Kind::Block | Kind::Mutex => format!("{:.2?}", Duration::from_nanos(part)),
                Kind::Goroutine => part.to_string(),
            };
            let (own_share, all_share) = (share(*own), share(*all));
            writeln!(f, "{:>10} {own_share:>5.1}% {:>10} {all_share:>5.1}% {name}", told(*own), told(*all))?;
        }
        if rows.len() > ROWS {
            writeln!(f, "... and {} functions more", rows.len() - ROWS)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_of(functions: &[&str], label: &str, millis: u64) -> Sample {
        let frame = |name: &&str| Frame::new((*name).into(), None, None);
        Sample {
            stack: functions.iter().map(|name| Arc::from([frame(name)])).collect(),
            labels: vec![("kind".into(), label.into())],
            count: millis / 10,
            time: Duration::from_millis(millis),
        }
    }

    fn profile() -> Profile {
        Profile {
            kind: Kind::Cpu,
            began: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
            took: Duration::from_secs(1),
            samples: vec![
                sample_of(&["inner", "outer", "outer", "main"], "heavy", 700),
                sample_of(&["outer", "main"], "light", 300),
            ],
        }
    }

    #[test]
    fn the_table_tells_a_functions_own_time_from_that_of_its_calls() {
        let table = profile().to_string();
        let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0].join(" "), "1.00s of CPU time in 1.00s");
        assert_eq!(rows[2], ["700.00ms", "70.0%", "700.00ms", "70.0%", "inner"]);
        assert_eq!(rows[3], ["300.00ms", "30.0%", "1.00s", "100.0%", "outer"]);
        assert_eq!(rows[4], ["0.00ns", "0.0%", "1.00s", "100.0%", "main"]);
    }

    #[test]
    fn whoever_computes_is_seen_with_its_stack() {
        #[inline(never)]
        fn computes(until: Instant) -> u64 {
            let mut sum = 0_u64;
            while Instant::now() < until {
                sum = core::hint::black_box(sum.wrapping_mul(3) + 1);
            }
            sum
        }
        let until = Instant::now() + Duration::from_millis(300);
        let worker = thread::spawn(move || computes(until));
        let profile = cpu(Duration::from_millis(250));
        worker.join().unwrap();
        let on_stack = |sample: &&Sample| {
            sample.stack.iter().any(|at| at.iter().any(|frame| frame.function.contains("computes")))
        };
        let seen: Duration = profile.samples.iter().filter(on_stack).map(|sample| sample.time).sum();
        assert!(seen >= Duration::from_millis(20), "{profile}");
    }

    #[test]
    fn this_thread_runs_and_one_that_sleeps_does_not() {
        let (tell, hear) = std::sync::mpsc::channel();
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            tell.send(thread_id()).unwrap();
            let _ = wait.recv();
        });
        let id = hear.recv().unwrap();
        while thread_runs(id) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(thread_runs(thread_id()));
        drop(end);
        sleeper.join().unwrap();
    }
}
