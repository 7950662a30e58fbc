//! `Schedule`: what Go's `schedtrace` prints: the scheduler's lists, Ps, Ms and goroutines of one moment.

use crate::records::g::WaitReason;

/// The scheduler at one moment. Under load its numbers were true at slightly different ones.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Schedule {
    /// How many Ps there are.
    pub procs: usize,
    /// How many of them have nothing to do.
    pub idle_procs: usize,
    /// Threads: Ms and sysmon.
    pub threads: usize,
    /// Ms that look for work.
    pub spinning: usize,
    /// Ms asleep.
    pub idle_threads: usize,
    /// Ms asleep that no submission wakes, since their locked goroutine waits, or that have no goroutine to run.
    pub idle_locked: usize,
    /// Goroutines in the shared queue.
    pub shared_queue: usize,
    /// Ps that a stop of the world waits for.
    pub stop_wait: usize,
    /// Whether sysmon sleeps until it is woken.
    pub sysmon_asleep: bool,
    /// The Ps, by number.
    pub ps: Vec<ScheduleP>,
    /// The Ms, if asked for.
    pub ms: Vec<ScheduleM>,
    /// The goroutines, if asked for.
    pub gs: Vec<ScheduleG>,
}

/// A P.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScheduleP {
    /// Its number.
    pub id: u32,
    /// Go's number for what it does: 0 idle, 1 running, 2 lent to a blocking call, 3 stopped, 4 removed.
    pub status: u8,
    /// How many time slices have begun on it.
    pub tick: u32,
    /// How many blocking calls have lent it out.
    pub calls: u64,
    /// The M that holds it, or lends it out, if that is known.
    pub m: Option<u64>,
    /// Goroutines in its queue.
    pub queue: usize,
    /// Timers that are set on it, if Ms and goroutines were asked for.
    pub timers: usize,
}

/// An M.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScheduleM {
    /// Its number.
    pub id: u64,
    /// The P that it holds, if that is known.
    pub p: Option<u32>,
    /// The number of the goroutine that it runs.
    pub running: Option<u64>,
    /// Whether it looks for work.
    pub spinning: bool,
    /// The number of the goroutine that has locked it.
    pub locked: Option<u64>,
}

/// A goroutine.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ScheduleG {
    /// Its number.
    pub number: u64,
    /// Go's number for what it does: 1 runnable, 2 running, 3 in a blocking call, 4 waiting.
    pub status: u8,
    /// What it waits for.
    pub reason: Option<WaitReason>,
    /// The M that runs it.
    pub m: Option<u64>,
}
