//! What a program answered to `look`, as values. What it did not tell, because it is older, is nothing or 0.

use serde_json::Value;
use std::time::{Duration, Instant};

/// A program at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub taken: Instant,
    pub pid: u64,
    pub policy: String,
    pub procs: u64,
    pub idle_procs: u64,
    pub threads: u64,
    pub idle_threads: u64,
    pub shared_queue: u64,
    pub counts: Counts,
    /// Counters, by name.
    pub spawned: u64,
    pub steals: u64,
    pub wakeups: u64,
    pub handoffs: u64,
    pub overruns: u64,
    pub stacks: u64,
    /// Upper bounds in nanoseconds and counts, lowest first; 0: no bound.
    pub latencies: Vec<(u64, u64)>,
    pub ps: Vec<P>,
    pub sites: Vec<Site>,
    pub goroutines: Vec<Goroutine>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub runnable: u64,
    pub running: u64,
    pub blocked: u64,
    pub waiting: u64,
}

#[derive(Clone, Debug)]
pub struct P {
    pub id: u64,
    pub status: u64,
    pub tick: u64,
    pub queue: u64,
    pub timers: u64,
    pub m: Option<u64>,
    pub running: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Site {
    pub at: String,
    pub goroutines: u64,
    pub counts: Counts,
}

#[derive(Clone, Debug)]
pub struct Goroutine {
    pub number: u64,
    pub name: String,
    pub labels: String,
    /// What it does, with what it waits for.
    pub state: String,
    pub age: Option<Duration>,
    pub created_at: String,
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("").to_owned()
}

fn list<T>(value: &Value, name: &str, item: impl Fn(&Value) -> T) -> Vec<T> {
    value[name].as_array().map(|items| items.iter().map(item).collect()).unwrap_or_default()
}

impl Snapshot {
    /// Reads an answer.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let all: Value = serde_json::from_slice(bytes)?;
        let mut latencies = list(&all["latencies"], "buckets", |pair| {
            (pair[0].as_u64().unwrap_or(0), pair[1].as_u64().unwrap_or(0))
        });
        latencies.sort_unstable_by_key(|&(bound, _)| bound.wrapping_sub(1));
        Ok(Self {
            taken: Instant::now(),
            pid: number(&all, "pid"),
            policy: text(&all, "policy"),
            procs: number(&all, "procs"),
            idle_procs: number(&all, "idle_procs"),
            threads: number(&all, "threads"),
            idle_threads: number(&all, "idle_threads"),
            shared_queue: number(&all, "shared_queue"),
            counts: Counts::read(&all["counts"]),
            spawned: number(&all, "spawned"),
            steals: number(&all, "steals"),
            wakeups: number(&all, "wakeups"),
            handoffs: number(&all, "handoffs"),
            overruns: number(&all, "overruns"),
            stacks: number(&all["stacks"], "in_use"),
            latencies,
            ps: list(&all, "ps", |p| P {
                id: number(p, "id"),
                status: number(p, "status"),
                tick: number(p, "tick"),
                queue: number(p, "queue"),
                timers: number(p, "timers"),
                m: p["m"].as_u64(),
                running: p["running"].as_u64(),
            }),
            sites: list(&all, "sites", |site| Site {
                at: text(site, "at"),
                goroutines: number(site, "goroutines"),
                counts: Counts::read(site),
            }),
            goroutines: list(&all, "goroutines", Goroutine::read),
        })
    }

    /// The latency that this part of the goroutines stayed below which ran since `before`; `None`: none were timed.
    pub fn latency(&self, before: Option<&Snapshot>, part: f64) -> Option<Duration> {
        let earlier = |bound: u64| {
            let of = before.map(|before| &before.latencies[..]).unwrap_or(&[]);
            of.iter().find(|(its, _)| *its == bound).map_or(0, |(_, count)| *count)
        };
        let new: Vec<_> = self
            .latencies
            .iter()
            .map(|&(bound, count)| (bound, count.saturating_sub(earlier(bound))))
            .collect();
        let all: u64 = new.iter().map(|(_, count)| count).sum();
        let mut below = 0;
        let reached = |&&(_, count): &&(u64, u64)| {
            below += count;
            below != 0 && below as f64 >= part * all as f64
        };
        new.iter().find(reached).map(|&(bound, _)| match bound {
            0 => Duration::MAX,
            bound => Duration::from_nanos(bound),
        })
    }
}

impl Counts {
    fn read(value: &Value) -> Self {
        Self {
            runnable: number(value, "runnable"),
            running: number(value, "running"),
            blocked: number(value, "blocked"),
            waiting: number(value, "waiting"),
        }
    }

    pub fn all(&self) -> u64 {
        self.runnable + self.running + self.blocked + self.waiting
    }
}

impl Goroutine {
    fn read(value: &Value) -> Self {
        let labels = value["labels"].as_object();
        let labels =
            labels.into_iter().flatten().map(|(key, text)| format!("{key}={}", text.as_str().unwrap_or("")));
        Self {
            number: number(value, "number"),
            name: text(value, "name"),
            labels: labels.collect::<Vec<_>>().join(" "),
            state: state(value),
            age: value["age_ns"].as_u64().map(Duration::from_nanos),
            created_at: text(value, "created_at"),
        }
    }
}

fn state(value: &Value) -> String {
    let mut state = value["reason"].as_str().or(value["state"].as_str()).unwrap_or("?").to_owned();
    if let Some(m) = value["m"].as_u64() {
        state += &format!(" on M{m}");
    }
    if let Some(at) = value["at"].as_str() {
        state += &format!(" at {at}");
    }
    if let Some(holder) = value["holder"].as_u64() {
        state += &format!(", {holder} has it");
    }
    if let Some(joined) = value["joins"].as_u64() {
        state += &format!(" of {joined}");
    }
    state
}
