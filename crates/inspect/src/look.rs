//! A look at a whole runtime that costs little: everything but stacks, as JSON.

use crate::json::{goroutine, list, text};
use crate::sights::All;
use core::fmt::Write;
use core::panic::Location;
use gmp_core::latency::upper_bound;
use gmp_core::runtime::Handle;
use gmp_core::sight::{Sight, State};
use std::collections::HashMap;
use std::time::Duration;

/// The most sites that are told.
const MOST_SITES: usize = 50;

/// The runtime at this moment, with up to `most` goroutines: those that have waited longest first, after those that run.
/// One JSON object:
///
/// ```json
/// {"pid": 4711, "policy": "go", "procs": 2, "idle_procs": 1, "threads": 5, "idle_threads": 2, "shared_queue": 0,
///  "spawned": 120, "steals": 3, "wakeups": 9, "handoffs": 0, "overruns": 0,
///  "stacks": {"in_use": 7, "free": 25, "reserved_bytes": 33554432},
///  "counts": {"runnable": 1, "running": 1, "blocked": 0, "waiting": 5},
///  "latencies": {"nanos": 123456, "buckets": [[64, 10], [128, 3]]},
///  "ps": [{"id": 0, "status": 1, "tick": 99, "calls": 0, "m": 2, "queue": 4, "timers": 1, "running": 17}],
///  "sites": [{"at": "src/main.rs:40:9", "goroutines": 6, "runnable": 1, "running": 0, "blocked": 0, "waiting": 5}],
///  "goroutines": [{"number": 17, "parent": 1, "created_at": "src/main.rs:40:9", "system": false, "state": "running"}]}
/// ```
///
/// `counts` leave the runtime's own goroutines out; `buckets` have the upper bound in nanoseconds (0: none) and the
/// count, where there is one. A goroutine has the fields that it has in `Dump::to_json`.
pub(crate) fn look(handle: &Handle, most: usize) -> String {
    let mut all = All::default();
    handle.look(&mut all);
    let (stats, schedule, latencies) = (handle.stats(), handle.schedule(true), handle.latencies());
    let mut out = String::from("{\"pid\": ");
    let _ = write!(out, "{}, \"policy\": ", std::process::id());
    text(&mut out, handle.policy());
    let _ = write!(
        out,
        ", \"procs\": {}, \"idle_procs\": {}, \"threads\": {}, \"idle_threads\": {}, \"shared_queue\": {}",
        stats.procs, stats.idle_procs, stats.threads, stats.idle_threads, schedule.shared_queue
    );
    let _ = write!(
        out,
        ", \"spawned\": {}, \"steals\": {}, \"wakeups\": {}, \"handoffs\": {}, \"overruns\": {}",
        stats.spawned, stats.steals, stats.wakeups, stats.handoffs, stats.overruns
    );
    let stacks = stats.stacks;
    let _ = write!(
        out,
        ", \"stacks\": {{\"in_use\": {}, \"free\": {}, \"reserved_bytes\": {}}}, \"counts\": ",
        stacks.in_use, stacks.free, stacks.reserved_bytes
    );
    crate::cycles::name_holders(&mut all.sights.iter_mut().collect::<Vec<_>>());
    let mut counts = Counts::default();
    all.sights.iter().filter(|sight| !sight.system).for_each(|sight| counts.add(sight));
    out.push('{');
    counts.write(&mut out);
    let _ = write!(out, "}}, \"latencies\": {{\"nanos\": {}, \"buckets\": ", latencies.nanos);
    let counted: Vec<_> = latencies.counts.iter().enumerate().filter(|(_, count)| **count != 0).collect();
    list(&mut out, &counted, |out, (bucket, count)| {
        let _ = write!(out, "[{}, {count}]", upper_bound(*bucket).unwrap_or(0));
    });
    out.push_str("}, \"ps\": ");
    list(&mut out, &schedule.ps, |out, p| {
        let _ = write!(out, "{{\"id\": {}, \"status\": {}, \"tick\": {}", p.id, p.status, p.tick);
        let _ = write!(out, ", \"calls\": {}, \"queue\": {}, \"timers\": {}", p.calls, p.queue, p.timers);
        if let Some(id) = p.m {
            let _ = write!(out, ", \"m\": {id}");
            let m = schedule.ms.iter().find(|m| m.id == id);
            if let Some(running) = m.and_then(|m| m.running) {
                let _ = write!(out, ", \"running\": {running}");
            }
        }
        out.push('}');
    });
    sites(&mut out, &all.sights);
    out.push_str(", \"goroutines\": ");
    let sights = &mut all.sights;
    sights.sort_unstable_by_key(|sight| (core::cmp::Reverse(urgency(sight)), sight.number));
    list(&mut out, &sights[..most.min(sights.len())], |out, sight| {
        goroutine(out, sight);
        // Before its closing brace.
        out.pop();
        out.push_str(", \"created_at\": ");
        text(out, &sight.created_at.to_string());
        out.push('}');
    });
    out.push('}');
    out
}

/// Those that run come first, then those in blocking calls, those that are runnable, and those that wait, the longest
/// first.
fn urgency(sight: &Sight) -> (u8, Duration) {
    match sight.state() {
        State::Running(_) => (3, Duration::ZERO),
        State::Blocked(_) => (2, Duration::ZERO),
        State::Runnable { .. } => (1, Duration::ZERO),
        State::Waiting { age, .. } => (0, age),
        _ => (0, Duration::ZERO),
    }
}

#[derive(Clone, Copy, Default)]
struct Counts {
    runnable: usize,
    running: usize,
    blocked: usize,
    waiting: usize,
}

impl Counts {
    fn add(&mut self, sight: &Sight) {
        match sight.state() {
            State::Runnable { .. } => self.runnable += 1,
            State::Running(_) => self.running += 1,
            State::Blocked(_) => self.blocked += 1,
            _ => self.waiting += 1,
        }
    }

    fn sum(&self) -> usize {
        self.runnable + self.running + self.blocked + self.waiting
    }

    fn write(&self, out: &mut String) {
        let Self { runnable, running, blocked, waiting } = self;
        let _ = write!(out, "\"runnable\": {runnable}, \"running\": {running}");
        let _ = write!(out, ", \"blocked\": {blocked}, \"waiting\": {waiting}");
    }
}

/// Where the goroutines were started, the places of most first.
fn sites(out: &mut String, sights: &[Sight]) {
    let mut by_site = HashMap::<&Location<'_>, Counts>::new();
    sights.iter().for_each(|sight| by_site.entry(sight.created_at).or_default().add(sight));
    let mut by_site: Vec<_> = by_site.into_iter().collect();
    by_site.sort_by_key(|(site, counts)| (core::cmp::Reverse(counts.sum()), site.file(), site.line()));
    by_site.truncate(MOST_SITES);
    out.push_str(", \"sites\": ");
    list(out, &by_site, |out, (site, counts)| {
        out.push_str("{\"at\": ");
        text(out, &site.to_string());
        let _ = write!(out, ", \"goroutines\": {}, ", counts.sum());
        counts.write(out);
        out.push('}');
    });
}
