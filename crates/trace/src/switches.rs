//! Switches: when the kernel took an M's thread off its CPU, and when it ran again. With the feature `kernel-switches`.
//!
//! The kernel writes a record of each switch into a ring for each thread (`perf_event_open`, PERF_RECORD_SWITCH; Linux 4.3
//! and later, 4.17 for why). A process may ask this of its own threads without being root, unless
//! `/proc/sys/kernel/perf_event_paranoid` is above its usual 2 or a sandbox forbids the call. Then a trace has no switches,
//! and says so.

use crate::step::{Act, Mid, Step};
use gmp_core::runtime::Handle;
use gmp_core::ticks::Moment;
use nix::time::{ClockId, clock_gettime};
use perf_event_open::config::{Clock, Cpu, Opts, Proc};
use perf_event_open::count::Counter;
use perf_event_open::event::sw::Software;
use perf_event_open::sample::Sampler;
use perf_event_open::sample::record::Record;
use perf_event_open::sample::record::ctx::Switch;
use std::collections::VecDeque;
use std::collections::hash_map::{Entry, HashMap};
use std::io;

/// How many threads are watched at most: each takes a descriptor and nine pages.
const MOST: usize = 64;
/// A ring's pages, as a power of two: some thousand switches.
const PAGES: u8 = 3;
/// How often the two clocks are compared.
const LOOKS: usize = 8;

/// The threads that are watched.
pub(crate) struct Switches {
    /// What the kernel's clock is ahead of the trace's, in nanoseconds.
    ahead: u64,
    watched: HashMap<i32, Watched>,
    /// The kernel has refused, and is not asked again.
    refused: bool,
    /// What it has told, by time, and nobody has had yet.
    steps: VecDeque<Step>,
    /// How often a thread was taken off its CPU.
    off: u64,
}

struct Watched {
    m: Mid,
    sampler: Sampler,
    /// Its end is the ring's.
    _counter: Counter,
}

impl Switches {
    pub(crate) fn new() -> Self {
        let ahead = ahead_of_the_trace();
        Self {
            ahead: ahead.unwrap_or(0),
            watched: HashMap::new(),
            refused: ahead.is_none(),
            steps: VecDeque::new(),
            off: 0,
        }
    }

    /// How often a thread was taken off its CPU so far; `None`: the kernel does not tell.
    pub(crate) fn told(&self) -> Option<u64> {
        (!self.refused).then_some(self.off)
    }

    /// The next switch that is not after this time.
    pub(crate) fn next_until(&mut self, time: u64) -> Option<Step> {
        self.steps.pop_front_if(|step| step.time <= time)
    }

    /// Reads what the kernel has told since the last look. Threads that are new are watched from here on.
    pub(crate) fn look(&mut self, handle: &Handle) {
        let threads = handle.threads();
        let new: Vec<Step> = self.watched.values().flat_map(|watched| watched.read(self.ahead)).collect();
        self.off += new.iter().filter(|step| matches!(step.act, Act::OffCpu { .. })).count() as u64;
        self.steps.extend(new);
        self.steps.make_contiguous().sort_by_key(|step| step.time);
        self.watched.retain(|thread, _| threads.iter().any(|(_, known)| known == thread));
        for (m, thread) in threads {
            if self.refused || self.watched.len() == MOST {
                break;
            }
            if let Entry::Vacant(place) = self.watched.entry(thread) {
                // One that has ended meanwhile is none of ours any more; whatever else is refused is so for all.
                match watch(m, thread) {
                    Ok(watched) => drop(place.insert(watched)),
                    Err(error) => self.refused = error.raw_os_error() != Some(nix::libc::ESRCH),
                }
            }
        }
    }
}

/// What the kernel's clock is ahead of the trace's: of some looks the one that took the shortest, since the kernel may run
/// somebody else in between, and the first look at a clock waits for its memory.
fn ahead_of_the_trace() -> Option<u64> {
    let look = || {
        let before = Moment::now().nanos;
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC).ok()?;
        let took = Moment::now().nanos.saturating_sub(before);
        let now = u64::try_from(now.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(now.tv_nsec()).ok()?;
        Some((took, now.saturating_sub(before + took / 2)))
    };
    (0..LOOKS).filter_map(|_| look()).min().map(|(_, ahead)| ahead)
}

fn watch(m: Mid, thread: i32) -> io::Result<Watched> {
    let mut opts = Opts::default();
    (opts.exclude.kernel, opts.exclude.hv) = (true, true);
    opts.enable = true;
    opts.extra_record.ctx_switch = true;
    opts.record_id_all = true;
    opts.record_id_format.time = true;
    opts.timer = Some(Clock::Monotonic);
    let counter = Counter::new(Software::Dummy, (Proc(thread.unsigned_abs()), Cpu::ALL), opts)?;
    let sampler = counter.sampler(PAGES)?;
    Ok(Watched { m, sampler, _counter: counter })
}

impl Watched {
    fn read(&self, ahead: u64) -> Vec<Step> {
        let step = |record| match record {
            Record::CtxSwitch(switch) => {
                let time = switch.record_id?.time?.saturating_sub(ahead);
                let act = match switch.info {
                    Switch::OutTo { preempt, .. } => Act::OffCpu { preempted: preempt },
                    Switch::InFrom(_) => Act::OnCpu,
                };
                Some(Step { time, m: self.m, act })
            }
            _ => None,
        };
        // There is none only while another one is there.
        self.sampler.iter().into_iter().flatten().filter_map(|(_, record)| step(record)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_thread_that_sleeps_is_off_its_cpu_for_so_long() {
        let own = std::fs::read_link("/proc/thread-self").unwrap();
        let own = own.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let Ok(watched) = watch(7, own) else {
            println!("skipped: this kernel does not tell of switches");
            return;
        };
        let switches = Switches::new();
        let before = Moment::now().nanos;
        std::thread::sleep(Duration::from_millis(3));
        let after = Moment::now().nanos;
        let steps = watched.read(switches.ahead);
        let out = steps.iter().position(|step| step.act == Act::OffCpu { preempted: false });
        let pair = &steps[out.expect("it slept")..][..2];
        assert_eq!((pair[1].m, &pair[1].act), (7, &Act::OnCpu), "{steps:?}");
        assert!(pair[1].time - pair[0].time >= 3_000_000, "{steps:?}");
        // The clocks are compared to some hundred nanoseconds.
        let off = Duration::from_micros(1).as_nanos() as u64;
        assert!(before <= pair[0].time + off && pair[1].time <= after + off, "{before}, {steps:?}, {after}");
    }
}
