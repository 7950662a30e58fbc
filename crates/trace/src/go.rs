//! Go: a trace as `go tool trace` reads it: Go's execution trace, version 2, with the header of Go 1.23, which every tool
//! since then reads. The format is told in the comments of Go's `internal/trace` (1.27); what is here are its numbers.
//!
//! | part | is |
//! | --- | --- |
//! | a generation | events of about a second, whole by itself: its strings, its stacks, and what state each object is in that it mentions |
//! | a batch | events of one M, at most 64 KiB |
//! | a number of sequence | of a G or P: by these, and not by time, a reader puts the batches of the Ms in order |
//!
//! A goroutine is known by the outermost function of the first stack that names it: here that of the closure with which
//! it was spawned, at the line where it was. What it waits for stands above that in the stacks of waits, so that Go's
//! profiles of waiting tell kinds of waits apart.

mod bytes;
#[cfg(test)]
mod check;
mod marks;
mod names;
mod tables;
#[cfg(test)]
mod tests;
mod waiting;

use crate::step::{Act, GState, Mid, Origin, PState, Step};
use bytes::{Batch, NOBODY};
use names::{ev, words};
use std::collections::HashMap;
use tables::{Frame, Tables};
use waiting::{Mark, Marks};

/// A P that nobody has, for goroutines that were not mentioned when it was time.
const NURSERY_P: u32 = 1 << 24;
const NURSERY_M: Mid = 3 << 32;
/// How many events a generation has, at most about.
const MOST_EVENTS: usize = 4_000_000;

#[derive(Debug)]
struct G {
    /// Its number in the file.
    id: u64,
    state: GState,
    sequence: u64,
    /// The generation in which its state was told last.
    told: u64,
    marks: Marks,
    labelled: u64,
}

#[derive(Debug)]
struct P {
    state: PState,
    sequence: u64,
    told: u64,
}

/// Writes a trace, generation after generation.
#[derive(Debug)]
pub(crate) struct Writer {
    generation: u64,
    gs: HashMap<u64, G>,
    ps: HashMap<u32, P>,
    /// What each M holds and runs.
    ms: HashMap<Mid, (Option<u32>, Option<u64>)>,
    batches: HashMap<Mid, Batch>,
    tables: Tables,
    events: usize,
    began: u64,
    /// How often goroutines of a number have ended in this generation. The next one of that number has another one in the
    /// file, since nothing there says which of the two comes first.
    ended: HashMap<u64, u64>,
    /// Who stops the world.
    stopper: Option<u64>,
    out: Vec<u8>,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            generation: 1,
            gs: HashMap::new(),
            ps: HashMap::new(),
            ms: HashMap::new(),
            batches: HashMap::new(),
            tables: Tables::default(),
            events: 0,
            began: 0,
            ended: HashMap::new(),
            stopper: None,
            out: b"go 1.23 trace\0\0\0".to_vec(),
        }
    }

    /// Whether it is time for the next generation.
    pub(crate) fn is_full(&self) -> bool {
        self.events >= MOST_EVENTS
    }

    /// Ends the generation, and returns what is to be written.
    pub(crate) fn flip(&mut self) -> Vec<u8> {
        if self.events == 0 {
            return core::mem::take(&mut self.out);
        }
        let mut sync = Batch::default();
        sync.raw(8, &[1_000_000_000]);
        sync.write_to(&mut self.out, self.generation, NOBODY, self.began);
        let mut batches: Vec<_> = self.batches.drain().collect();
        batches.sort_unstable_by_key(|(m, _)| *m);
        for (m, batch) in batches {
            batch.finish(&mut self.out, self.generation, thread(m));
        }
        self.tables.write_to(&mut self.out, self.generation, self.began);
        self.tables = Tables::default();
        self.events = 0;
        self.ended = HashMap::new();
        self.generation += 1;
        core::mem::take(&mut self.out)
    }

    fn event(&mut self, time: u64, m: Mid, kind: u8, args: &[u64]) {
        if self.events == 0 {
            self.began = time;
        }
        self.events += 1;
        let Self { batches, out, generation, .. } = self;
        batches.entry(m).or_default().event(out, *generation, thread(m), time, kind, args);
    }

    fn entry_frame(&mut self, g: u64, origins: &HashMap<u64, Origin>) -> Frame {
        let Self { tables, .. } = self;
        match origins.get(&g) {
            Some(origin) => tables.frame(&origin.function, &origin.file, origin.line.max(1)),
            None => tables.frame("gmp.unknown", "?", 1),
        }
    }

    /// The stack of a goroutine of which nothing is known but what it runs.
    fn stack(&mut self, g: u64, origins: &HashMap<u64, Origin>) -> u64 {
        let frame = self.entry_frame(g, origins);
        self.tables.stack(&[frame])
    }

    /// The same with what it does there.
    fn stack_at(&mut self, what: &str, g: u64, origins: &HashMap<u64, Origin>) -> u64 {
        let frame = self.entry_frame(g, origins);
        let leaf = self.tables.frame(what, "gmp", 1);
        self.tables.stack(&[leaf, frame])
    }

    /// The M tells in this generation what it holds and runs, if it has not yet.
    fn own(&mut self, time: u64, m: Mid, origins: &HashMap<u64, Origin>) {
        let Some(&(p, g)) = self.ms.get(&m) else { return };
        if let Some(p) = p {
            self.tell_p(time, m, p);
        }
        if let Some(g) = g {
            self.tell_g(time, m, g, origins);
        }
    }

    fn tell_p(&mut self, time: u64, m: Mid, number: u32) {
        let generation = self.generation;
        let Some(p) = self.ps.get_mut(&number).filter(|p| p.told != generation) else { return };
        (p.told, p.sequence) = (generation, 0);
        let status = match p.state {
            PState::Running(_) => 1,
            PState::Idle => 2,
            PState::Syscall(_) => 3,
        };
        self.event(time, m, ev::PROC_STATUS, &[number.into(), status]);
    }

    fn tell_g(&mut self, time: u64, m: Mid, number: u64, origins: &HashMap<u64, Origin>) {
        let generation = self.generation;
        let Some(g) = self.gs.get_mut(&number).filter(|g| g.told != generation) else { return };
        (g.told, g.sequence) = (generation, 0);
        let id = g.id;
        let (on, status) = match g.state {
            GState::Runnable => (NOBODY, 1),
            GState::Running(m) => (thread(m), 2),
            GState::Syscall(m) => (thread(m), 3),
            GState::Waiting => (NOBODY, 4),
        };
        let stack = self.stack(number, origins);
        self.event(time, m, ev::GO_STATUS_STACK, &[id, on, status, stack]);
    }

    fn p_sequence(&mut self, p: u32) -> u64 {
        let Some(p) = self.ps.get_mut(&p) else { return 0 };
        p.sequence += 1;
        p.sequence
    }

    /// A goroutine's number in the file, and its next one of sequence.
    fn g_sequence(&mut self, g: u64) -> [u64; 2] {
        let Some(g) = self.gs.get_mut(&g) else { return [0, 0] };
        g.sequence += 1;
        [g.id, g.sequence]
    }

    /// A goroutine appears: in the first generation it may be in any state. Later every one must be born first.
    fn appear(&mut self, time: u64, m: Mid, number: u64, state: GState, origins: &HashMap<u64, Origin>) {
        let mut g = self.goroutine(number, state);
        if self.generation == 1 {
            self.gs.insert(number, g);
            if let GState::Running(m) | GState::Syscall(m) = state {
                self.ms.entry(m).or_default().1 = Some(number);
            }
            // If it runs, its M tells so itself.
            return self.tell_g(time, m, number, origins);
        }
        g.told = self.generation;
        let id = g.id;
        self.gs.insert(number, g);
        let stack = self.stack(number, origins);
        let kind = if state == GState::Waiting { ev::GO_CREATE_BLOCKED } else { ev::GO_CREATE };
        let holds_p = self.ms.get(&m).and_then(|&(p, _)| p);
        if holds_p.and_then(|p| self.ps.get(&p)).is_some_and(|p| p.state == PState::Running(m)) {
            self.event(time, m, kind, &[id, stack, 0]);
        } else {
            self.open_nursery(time);
            self.event(time, NURSERY_M, kind, &[id, stack, 0]);
            self.event(time, NURSERY_M, ev::PROC_STOP, &[]);
        }
        if let GState::Running(m) | GState::Syscall(m) = state {
            self.ms.entry(m).or_default().1 = Some(number);
            let [id, sequence] = self.g_sequence(number);
            self.event(time, m, ev::GO_START, &[id, sequence]);
        }
    }

    fn goroutine(&self, number: u64, state: GState) -> G {
        let id = number + (self.ended.get(&number).copied().unwrap_or(0) << 40);
        G { id, state, sequence: 0, told: 0, marks: Marks::default(), labelled: 0 }
    }

    fn open_nursery(&mut self, time: u64) {
        self.ps.entry(NURSERY_P).or_insert(P { state: PState::Idle, sequence: 0, told: 0 });
        self.tell_p(time, NURSERY_M, NURSERY_P);
        let sequence = self.p_sequence(NURSERY_P);
        self.event(time, NURSERY_M, ev::PROC_START, &[NURSERY_P.into(), sequence]);
    }

    /// Writes a step.
    pub(crate) fn step(&mut self, step: &Step, origins: &HashMap<u64, Origin>) {
        let Step { time, m, ref act } = *step;
        self.own(time, m, origins);
        match *act {
            // The format has no place for them.
            #[cfg(feature = "kernel-switches")]
            Act::OffCpu { .. } | Act::OnCpu => {}
            Act::GoIs(g, state) => {
                self.appear(time, m, g, state, origins);
            }
            Act::ProcIs(p, state) => {
                self.ps.insert(p, P { state, sequence: 0, told: 0 });
                if let PState::Running(m) | PState::Syscall(m) = state {
                    self.ms.entry(m).or_default().0 = Some(p);
                }
                if self.generation == 1 || state == PState::Idle {
                    self.tell_p(time, m, p);
                } else {
                    // It must not have run before, as far as anybody has read.
                    self.ps.insert(p, P { state: PState::Idle, sequence: 0, told: 0 });
                    self.tell_p(time, m, p);
                    let sequence = self.p_sequence(p);
                    self.event(time, m, ev::PROC_START, &[p.into(), sequence]);
                    self.set_p(p, state);
                }
            }
            Act::ProcStart(p) => {
                self.tell_p(time, m, p);
                let sequence = self.p_sequence(p);
                self.event(time, m, ev::PROC_START, &[p.into(), sequence]);
                self.set_p(p, PState::Running(m));
                self.ms.entry(m).or_default().0 = Some(p);
            }
            Act::ProcStop(p) => {
                self.event(time, m, ev::PROC_STOP, &[]);
                self.set_p(p, PState::Idle);
                self.ms.entry(m).or_default().0 = None;
            }
            Act::ProcSteal(p) => {
                let Some(&P { state: PState::Syscall(victim), .. }) = self.ps.get(&p) else { return };
                self.own(time, victim, origins);
                let sequence = self.p_sequence(p);
                self.event(time, m, ev::PROC_STEAL, &[p.into(), sequence, thread(victim)]);
                self.set_p(p, PState::Idle);
                self.ms.entry(victim).or_default().0 = None;
            }
            Act::GoCreate(g) => {
                let mut record = self.goroutine(g, GState::Runnable);
                record.told = self.generation;
                let id = record.id;
                self.gs.insert(g, record);
                let stack = self.stack(g, origins);
                let by = self.ms.get(&m).and_then(|&(_, g)| g);
                let here = by.map_or(0, |by| self.stack_at("gmp.go", by, origins));
                self.event(time, m, ev::GO_CREATE, &[id, stack, here]);
            }
            Act::GoStart { g, .. } => {
                self.tell_g(time, m, g, origins);
                let [id, sequence] = self.g_sequence(g);
                self.event(time, m, ev::GO_START, &[id, sequence]);
                self.set_g(g, GState::Running(m));
                self.ms.entry(m).or_default().1 = Some(g);
                self.label(time, m, g, origins);
                self.catch_up(time, m, g);
            }
            Act::GoDestroy(g) => {
                self.end_regions(time, m, g);
                self.event(time, m, ev::GO_DESTROY, &[]);
                self.gs.remove(&g);
                *self.ended.entry(g).or_default() += 1;
                self.ms.entry(m).or_default().1 = None;
            }
            Act::GoStop { g, preempted } => {
                let why = if preempted { "preempted" } else { "runtime.Gosched" };
                let stack = self.stack_at("gmp.yield_now", g, origins);
                let why = self.tables.string(why);
                self.event(time, m, ev::GO_STOP, &[why, stack]);
                self.left(m, g, GState::Runnable);
            }
            Act::GoBlock(g, reason) => {
                let (why, place) = words(reason);
                let stack = self.stack_at(place, g, origins);
                let why = self.tables.string(why);
                self.event(time, m, ev::GO_BLOCK, &[why, stack]);
                self.left(m, g, GState::Waiting);
            }
            Act::GoUnblock(g) => {
                self.tell_g(time, m, g, origins);
                let [id, sequence] = self.g_sequence(g);
                let by = self.ms.get(&m).and_then(|&(_, g)| g);
                let stack = by.map_or(0, |by| self.stack_at("gmp.ready", by, origins));
                self.event(time, m, ev::GO_UNBLOCK, &[id, sequence, stack]);
                self.set_g(g, GState::Runnable);
            }
            Act::GoSyscallBegin(g) => {
                let Some(p) = self.ms.get(&m).and_then(|&(p, _)| p) else { return };
                let sequence = self.p_sequence(p);
                let stack = self.stack_at("gmp.blocking", g, origins);
                self.event(time, m, ev::GO_SYSCALL_BEGIN, &[sequence, stack]);
                self.set_p(p, PState::Syscall(m));
                self.set_g(g, GState::Syscall(m));
            }
            Act::GoSyscallEnd(g) => {
                self.event(time, m, ev::GO_SYSCALL_END, &[]);
                if let Some(p) = self.ms.get(&m).and_then(|&(p, _)| p) {
                    self.set_p(p, PState::Running(m));
                }
                self.set_g(g, GState::Running(m));
                self.catch_up(time, m, g);
            }
            Act::GoSyscallEndBlocked(g) => {
                self.event(time, m, ev::GO_SYSCALL_END_BLOCKED, &[]);
                self.left(m, g, GState::Runnable);
            }
            Act::ProcsChange(procs) => {
                if self.is_on_p_with_g(m) {
                    self.event(time, m, ev::PROCS_CHANGE, &[procs, 0]);
                }
            }
            Act::StwBegin(g) => {
                if self.stopper.is_none() && self.is_on_p_with_g(m) {
                    self.stopper = Some(g);
                    let why = self.tables.string("GOMAXPROCS");
                    self.event(time, m, ev::STW_BEGIN, &[why, 0]);
                }
            }
            Act::StwEnd(g) => {
                if self.stopper == Some(g) && self.is_on_p_with_g(m) {
                    self.stopper = None;
                    self.event(time, m, ev::STW_END, &[]);
                }
            }
            Act::RegionBegin(g, ref name) => self.mark(time, g, Mark::Begin(name.clone()), origins),
            Act::RegionEnd(g, ref name) => self.mark(time, g, Mark::End(name.clone()), origins),
            Act::Log(g, ref category, ref message) => {
                self.mark(time, g, Mark::Log(category.clone(), message.clone()), origins);
            }
            // The format has no place for these.
            Act::Steal { .. }
            | Act::FromShared { .. }
            | Act::HandOff(_)
            | Act::Wake { .. }
            | Act::Queues { .. } => {}
        }
    }

    fn is_on_p_with_g(&self, m: Mid) -> bool {
        matches!(self.ms.get(&m), Some((Some(_), Some(_))))
    }

    /// A goroutine's own name, once a generation.
    fn label(&mut self, time: u64, m: Mid, g: u64, origins: &HashMap<u64, Origin>) {
        let Some(name) = origins.get(&g).map(|origin| &origin.name).filter(|name| !name.is_empty()) else {
            return;
        };
        let generation = self.generation;
        let Some(record) = self.gs.get_mut(&g).filter(|g| g.labelled != generation) else { return };
        record.labelled = generation;
        let id = self.tables.string(name);
        self.event(time, m, ev::GO_LABEL, &[id]);
    }

    fn set_p(&mut self, p: u32, state: PState) {
        if let Some(p) = self.ps.get_mut(&p) {
            p.state = state;
        }
    }

    fn set_g(&mut self, g: u64, state: GState) {
        if let Some(g) = self.gs.get_mut(&g) {
            g.state = state;
        }
    }

    fn left(&mut self, m: Mid, g: u64, state: GState) {
        self.set_g(g, state);
        self.ms.entry(m).or_default().1 = None;
    }
}

/// The M's number in the file, where 0 would look like none.
fn thread(m: Mid) -> u64 {
    m + 1
}
