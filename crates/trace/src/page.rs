//! Page: a trace as one file that a browser shows, by itself and without a network: a timeline by P.
//!
//! ```text
//!   steps ──► Writer ──► <script type="application/json"> a part </script>   one line for each part
//!                        <script type="application/json"> a part </script>
//!             HEAD  ──►  before them all: styles, the script that draws, and the empty page
//! ```
//!
//! The script stands in front and begins when the document ends, so a file that lacks its end shows what it has. A part is
//! an object of arrays on one line, in which texts are numbers of the part's list `texts`, and times are nanoseconds since
//! the first step; the first part also has the program's name:
//!
//! | array | of |
//! | --- | --- |
//! | `goroutines` | number, function, file, line, name or -1 |
//! | `runs` | P, M, goroutine, start, length, why it ended, ns waited before, ns runnable before, who readied it: P or -1, goroutine or 0; and 1 if it was a hit of run_next, plus 2 if it is the goroutine's first |
//! | `calls` | M, P or -1, goroutine, start, length, 1 if the P was taken meanwhile |
//! | `off` | P, M, start, length, 1 if the kernel ran others meanwhile, 0 if the M slept. With the feature `kernel-switches` |
//! | `marks` | P or -1, M, time, kind (of [`Kind`]), text |
//! | `regions` | goroutine, start, length, name |
//! | `queues` | P or -1 for the shared queue, since when, how many goroutines are in it. In order for each queue |
//! | `left` | goroutine, what it still did at the end (0 runnable, 1 waiting), since when |

mod viewer;

use crate::lengths::{Change, Lengths, Queue};
use crate::step::{Act, GState, Mid, Origin, PState, Step};
use core::fmt::Write;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Parts are no longer than this, for readers' sake.
const PART: usize = 1 << 20;

/// What a mark tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Steal = 0,
    FromShared = 1,
    HandOff = 2,
    Wake = 3,
    Taken = 4,
    Log = 5,
    World = 6,
}

#[derive(Clone, Copy, Debug, Default)]
enum Does {
    #[default]
    Unknown,
    Runnable,
    Waiting,
    Running(Mid),
    /// Whether its P was taken.
    Call(Mid, bool),
}

#[derive(Debug, Default)]
struct G {
    does: Does,
    since: u64,
    waited: u64,
    runnable: u64,
    /// The P and the goroutine of whoever readied it.
    by: (Option<u32>, u64),
    /// 1 if it was a hit of run_next, plus 2 if it is the first.
    how: u32,
    is_new: bool,
    regions: Vec<(Arc<str>, u64)>,
}

/// What an M holds and runs.
#[derive(Clone, Copy, Debug, Default)]
struct M {
    p: Option<u32>,
    g: Option<u64>,
}

/// Writes parts, which stand one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    has_head: bool,
    begun: Option<u64>,
    last: u64,
    gs: HashMap<u64, G>,
    ms: HashMap<Mid, M>,
    lengths: Lengths,
    /// Those of the present part.
    texts: HashMap<Arc<str>, usize>,
    /// Goroutines that live and have been described.
    described: HashSet<u64>,
    part: Part,
    /// Since when, and with which P, an M's thread is off its CPU, and whether for others.
    #[cfg(feature = "kernel-switches")]
    off_cpu: HashMap<Mid, (u64, Option<u32>, bool)>,
}

/// Arrays of a part, without their brackets.
#[derive(Debug, Default)]
struct Part {
    texts: String,
    goroutines: String,
    runs: String,
    calls: String,
    off: String,
    marks: String,
    regions: String,
    queues: String,
    left: String,
}

impl Part {
    fn length(&self) -> usize {
        let Self { texts, goroutines, runs, calls, off, marks, regions, queues, left } = self;
        [texts, goroutines, runs, calls, off, marks, regions, queues, left].map(String::len).iter().sum()
    }
}

/// Puts a row behind the others.
fn row<const N: usize>(rows: &mut String, cells: [i64; N]) {
    let mut open = if rows.is_empty() { "[" } else { ",[" };
    for cell in cells {
        let _never_fails = write!(rows, "{open}{cell}");
        open = ",";
    }
    rows.push(']');
}

/// A JSON string in which no browser finds a tag.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' || matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') => {
                let _never_fails = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What the program is called.
fn program() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn of_p(p: Option<u32>) -> i64 {
    p.map_or(-1, i64::from)
}

impl Writer {
    /// What is to be written.
    pub(crate) fn flip(&mut self) -> Vec<u8> {
        let mut out = String::new();
        let is_first = !core::mem::replace(&mut self.has_head, true);
        if is_first {
            out.push_str(viewer::HEAD);
        }
        self.texts.clear();
        let Part { texts, goroutines, runs, calls, off, marks, regions, queues, left } =
            core::mem::take(&mut self.part);
        let until = self.last - self.begun.unwrap_or(0);
        let lists = [
            ("texts", texts),
            ("goroutines", goroutines),
            ("runs", runs),
            ("calls", calls),
            ("off", off),
            ("marks", marks),
            ("regions", regions),
            ("queues", queues),
            ("left", left),
        ];
        out.push_str(viewer::PART);
        if is_first {
            let _never_fails = write!(out, "\"program\":{},", quoted(&program()));
        }
        for (name, rows) in lists {
            let _never_fails = write!(out, "\"{name}\":[{rows}],");
        }
        let _never_fails = writeln!(out, "\"until\":{until}}}</script>");
        out.into_bytes()
    }

    /// Whether a part is long enough.
    pub(crate) fn is_full(&self) -> bool {
        self.part.length() >= PART
    }

    /// No step comes any more: what goes on is told as far as it went.
    pub(crate) fn end(&mut self) {
        let mut gs: Vec<u64> = self.gs.keys().copied().collect();
        gs.sort_unstable();
        for g in gs {
            let Some(&G { does, since, .. }) = self.gs.get(&g) else { continue };
            match does {
                Does::Running(m) => self.ends_run(self.last, m, g, "still runs"),
                Does::Call(..) => self.ends_call(self.last, g),
                Does::Runnable | Does::Waiting => {
                    let cells = [number(g), matches!(does, Does::Waiting).into(), self.since_begin(since)];
                    row(&mut self.part.left, cells);
                }
                Does::Unknown => {}
            }
            let regions = self.gs.get_mut(&g).map(|g| core::mem::take(&mut g.regions));
            regions.into_iter().flatten().for_each(|(name, since)| self.region(g, &name, since));
        }
    }

    fn since_begin(&self, time: u64) -> i64 {
        number(time.saturating_sub(self.begun.unwrap_or(0)))
    }

    fn text(&mut self, text: &str) -> i64 {
        let known = match self.texts.get(text) {
            Some(&known) => known,
            None => {
                let new = self.texts.len();
                self.texts.insert(text.into(), new);
                let rows = &mut self.part.texts;
                rows.push_str(if rows.is_empty() { "" } else { "," });
                rows.push_str(&quoted(text));
                new
            }
        };
        number(known as u64)
    }

    fn describe(&mut self, g: u64, origins: &HashMap<u64, Origin>) {
        // Main may have begun before anybody listened.
        let main = (g == 1).then(|| Origin { function: "main".into(), ..Origin::default() });
        let Some(origin) = origins.get(&g).or(main.as_ref()) else { return };
        if !self.described.insert(g) {
            return;
        }
        let name = if origin.name.is_empty() { -1 } else { self.text(&origin.name) };
        let (function, file) = (self.text(&origin.function), self.text(&origin.file));
        row(&mut self.part.goroutines, [number(g), function, file, origin.line.into(), name]);
    }

    /// It does this from now on; how long it did what it did before counts for its next run.
    fn does(&mut self, time: u64, g: u64, does: Does) {
        let record = self.gs.entry(g).or_default();
        let took = time.saturating_sub(record.since);
        match record.does {
            Does::Waiting => record.waited += took,
            Does::Runnable => record.runnable += took,
            _ => {}
        }
        (record.does, record.since) = (does, time);
    }

    fn readied(&mut self, time: u64, m: Mid, g: u64) {
        let by = self.ms.get(&m).copied().unwrap_or_default();
        self.does(time, g, Does::Runnable);
        self.gs.entry(g).or_default().by = (by.p, by.g.unwrap_or(0));
    }

    fn runs(&mut self, time: u64, m: Mid, g: u64, next: bool) {
        self.does(time, g, Does::Running(m));
        self.ms.entry(m).or_default().g = Some(g);
        let record = self.gs.entry(g).or_default();
        record.how = u32::from(next) + 2 * u32::from(core::mem::take(&mut record.is_new));
    }

    fn ends_run(&mut self, time: u64, m: Mid, g: u64, why: &str) {
        let (p, why) = (self.ms.get(&m).and_then(|m| m.p), self.text(why));
        let since = self.gs.get(&g).map_or(time, |g| g.since);
        let start = self.since_begin(since);
        let record = self.gs.entry(g).or_default();
        if let Does::Running(_) = record.does {
            let (waited, runnable) = (number(record.waited), number(record.runnable));
            let (by_p, by_g) = (of_p(record.by.0), number(record.by.1));
            let length = number(time.saturating_sub(since));
            let how = i64::from(record.how);
            (record.waited, record.runnable, record.by) = (0, 0, (None, 0));
            let cells =
                [of_p(p), number(m), number(g), start, length, why, waited, runnable, by_p, by_g, how];
            row(&mut self.part.runs, cells);
        }
    }

    fn ends_call(&mut self, time: u64, g: u64) {
        let Some(&G { does: Does::Call(m, taken), since, .. }) = self.gs.get(&g) else { return };
        let p = self.ms.get(&m).and_then(|m| m.p);
        let (start, length) = (self.since_begin(since), number(time.saturating_sub(since)));
        row(&mut self.part.calls, [number(m), of_p(p), number(g), start, length, taken.into()]);
    }

    /// The goroutine leaves the M.
    fn leaves(&mut self, time: u64, m: Mid, g: u64, why: &str, does: Does) {
        self.ends_run(time, m, g, why);
        self.does(time, g, does);
        self.ms.entry(m).or_default().g = None;
    }

    fn region(&mut self, g: u64, name: &str, since: u64) {
        let name = self.text(name);
        let (start, length) = (self.since_begin(since), number(self.last.saturating_sub(since)));
        row(&mut self.part.regions, [number(g), start, length, name]);
    }

    fn mark(&mut self, p: Option<u32>, m: Mid, kind: Kind, text: &str) {
        let (time, text) = (self.since_begin(self.last), self.text(text));
        row(&mut self.part.marks, [of_p(p), number(m), time, kind as i64, text]);
    }

    fn queue_is(&mut self, Change { queue, time, length }: Change) {
        let p = match queue {
            Queue::OfP(p) => Some(p),
            Queue::Shared => None,
        };
        let time = self.since_begin(time);
        row(&mut self.part.queues, [of_p(p), time, number(length)]);
    }

    /// Writes a step.
    pub(crate) fn step(&mut self, step: &Step, origins: &HashMap<u64, Origin>) {
        let Step { time, m, ref act } = *step;
        self.begun.get_or_insert(time);
        self.last = time;
        self.lengths.step(time, act).into_iter().for_each(|change| self.queue_is(change));
        match *act {
            Act::GoIs(g, state) => {
                self.describe(g, origins);
                match state {
                    GState::Running(m) => self.runs(time, m, g, false),
                    GState::Runnable => self.does(time, g, Does::Runnable),
                    GState::Waiting => self.does(time, g, Does::Waiting),
                    GState::Syscall(m) => {
                        self.does(time, g, Does::Call(m, false));
                        self.ms.entry(m).or_default().g = Some(g);
                    }
                }
            }
            Act::ProcIs(p, PState::Running(m) | PState::Syscall(m)) => {
                self.ms.entry(m).or_default().p = Some(p);
            }
            Act::ProcStart(p) => self.ms.entry(m).or_default().p = Some(p),
            Act::ProcIs(_, PState::Idle) => {}
            Act::ProcStop(_) => self.ms.entry(m).or_default().p = None,
            Act::ProcSteal(p) => {
                for held in self.ms.values_mut().filter(|held| held.p == Some(p)) {
                    held.p = None;
                    let g = held.g.and_then(|g| self.gs.get_mut(&g));
                    if let Some(G { does: Does::Call(_, taken), .. }) = g {
                        *taken = true;
                    }
                }
                self.mark(Some(p), m, Kind::Taken, "taken from a blocking call");
            }
            Act::GoCreate(g) => {
                self.describe(g, origins);
                self.gs.insert(g, G { is_new: true, since: time, ..G::default() });
                self.readied(time, m, g);
            }
            Act::GoStart { g, next } => {
                self.describe(g, origins);
                self.runs(time, m, g, next);
            }
            Act::GoDestroy(g) => {
                self.leaves(time, m, g, "ended", Does::Unknown);
                let ended = self.gs.remove(&g);
                let regions = ended.into_iter().flat_map(|g| g.regions);
                regions.for_each(|(name, since)| self.region(g, &name, since));
                self.described.remove(&g);
            }
            Act::GoStop { g, preempted } => {
                self.leaves(time, m, g, if preempted { "preempted" } else { "yield" }, Does::Runnable);
            }
            Act::GoBlock(g, reason) => self.leaves(time, m, g, &reason.to_string(), Does::Waiting),
            Act::GoUnblock(g) => self.readied(time, m, g),
            Act::GoSyscallBegin(g) => {
                self.ends_run(time, m, g, "blocking call");
                self.does(time, g, Does::Call(m, false));
            }
            Act::GoSyscallEnd(g) => {
                self.ends_call(time, g);
                self.runs(time, m, g, false);
            }
            Act::GoSyscallEndBlocked(g) => {
                self.ends_call(time, g);
                self.does(time, g, Does::Runnable);
                self.ms.entry(m).or_default().g = None;
            }
            Act::Steal { p, victim, amount } => {
                self.mark(Some(p), m, Kind::Steal, &format!("steals {amount} from P{victim}"));
            }
            Act::FromShared { p, amount } => {
                self.mark(Some(p), m, Kind::FromShared, &format!("takes {amount} from the shared queue"));
            }
            Act::HandOff(p) => self.mark(Some(p), m, Kind::HandOff, "handed on: its M blocks or goes"),
            Act::Wake { p, woken } => {
                self.mark(Some(p), m, Kind::Wake, &format!("given to M{woken}, which slept"));
            }
            Act::ProcsChange(_) | Act::StwBegin(_) | Act::StwEnd(_) => {
                let text = match act {
                    Act::ProcsChange(procs) => format!("{procs} Ps from now on"),
                    Act::StwBegin(_) => "stops the world".into(),
                    _ => "starts the world".into(),
                };
                self.mark(self.ms.get(&m).and_then(|m| m.p), m, Kind::World, &text);
            }
            #[cfg(feature = "kernel-switches")]
            Act::OffCpu { preempted } => {
                let p = self.ms.get(&m).and_then(|m| m.p);
                self.off_cpu.insert(m, (time, p, preempted));
            }
            #[cfg(feature = "kernel-switches")]
            Act::OnCpu => {
                // What an M without a P does holds up nobody.
                if let Some((since, Some(p), preempted)) = self.off_cpu.remove(&m) {
                    let (start, length) = (self.since_begin(since), number(time - since));
                    row(&mut self.part.off, [p.into(), number(m), start, length, preempted.into()]);
                }
            }
            // What a look says is told through `lengths`.
            Act::Queues { .. } => {}
            Act::RegionBegin(g, ref name) => {
                self.gs.entry(g).or_default().regions.push((name.clone(), time));
            }
            Act::RegionEnd(g, _) => {
                let open = self.gs.get_mut(&g).and_then(|g| g.regions.pop());
                open.into_iter().for_each(|(name, since)| self.region(g, &name, since));
            }
            Act::Log(g, ref category, ref message) => {
                let p = self.ms.get(&m).and_then(|m| m.p);
                self.mark(p, m, Kind::Log, &format!("G{g} {category}: {message}"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
