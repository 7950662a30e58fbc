//! Reports: what a runtime tells at its end, of a deadlock and of what main left behind.

use crate::records::g::WaitReason;
use crate::records::sight::Stack;
use core::fmt;
use core::panic::Location;
use std::sync::Arc;
use std::time::Duration;

/// What was left behind when `run` returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Leftover {
    /// Goroutines that had started and were suspended: their stacks are leaked.
    pub suspended: usize,
    /// Goroutines in user code on other threads: they go on until they next call the runtime.
    pub running: usize,
    /// Goroutines that had not started: their closures were dropped.
    pub never_started: usize,
}

impl Leftover {
    /// Whether nothing was left behind that still takes memory.
    pub fn is_clean(&self) -> bool {
        self.suspended == 0 && self.running == 0
    }
}

/// One goroutine of a deadlock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitingGoroutine {
    /// Its number.
    pub number: u64,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Its labels, inherited ones too.
    pub labels: Arc<[(String, String)]>,
    /// What it waits for.
    pub reason: WaitReason,
    /// For how long, good to 10 ms.
    pub age: Duration,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// Its stack, in a program that can unwind: the crate `gmp` can, unless it was built without its feature `dump`.
    pub stack: Stack,
}

/// The goroutines that sleep in a deadlock.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DeadlockReport {
    /// The goroutines, by number.
    pub waiting: Vec<WaitingGoroutine>,
    /// Goroutines that wait for each other in a circle, each for the next and the last for the first: at mutexes, and at
    /// joins.
    pub cycles: Vec<Vec<u64>>,
    /// Main called `exit`, and the others have ended too: nobody is left at all.
    pub main_exited: bool,
}

impl fmt::Display for DeadlockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.main_exited && self.waiting.is_empty() {
            return f.write_str("no goroutines (main called runtime.Goexit) - deadlock!");
        }
        f.write_str("all goroutines are asleep - deadlock!")?;
        for cycle in &self.cycles {
            f.write_str("\n\nin a circle:")?;
            for (i, number) in cycle.iter().enumerate() {
                let next = cycle[(i + 1) % cycle.len()];
                let sleeper = self.waiting.iter().find(|sleeper| sleeper.number == *number);
                let (title, what) = match sleeper {
                    Some(WaitingGoroutine { name: Some(name), reason, .. }) => {
                        (format!("{number} [{name}]"), *reason)
                    }
                    Some(sleeper) => (number.to_string(), sleeper.reason),
                    None => continue,
                };
                write!(f, "{} goroutine {title} waits ({what}) for {next}", if i == 0 { "" } else { "," })?;
            }
        }
        for sleeper in &self.waiting {
            write!(f, "\n\ngoroutine {}", sleeper.number)?;
            if let Some(name) = &sleeper.name {
                write!(f, " [{name}]")?;
            }
            write!(f, " [{}, {:.1?}", sleeper.reason, sleeper.age)?;
            for (i, (key, value)) in sleeper.labels.iter().enumerate() {
                write!(f, "{}{key:?}: {value:?}", if i == 0 { ", labels: {" } else { ", " })?;
            }
            let close = if sleeper.labels.is_empty() { "" } else { "}" };
            write!(f, "{close}]: created at {}{}", sleeper.created_at, sleeper.stack)?;
        }
        Ok(())
    }
}
