//! Story: from what each ring recorded to one order of steps, each of which was possible when it happened.
//!
//! ```text
//!   ring of P0   ─┐  the earliest event that fits what its G, P and M are doing      ┌─► Go's format
//!   ring of P1   ─┼─────────────────────────────────────────────────────────► steps ─┤
//!   shared ring  ─┘  one that never fits: what is missing is made up                 └─► Perfetto's
//! ```
//!
//! An event is recorded before others can know of what happened, so by time alone the order is right but for what the
//! clocks of two processors differ. So an event that does not fit yet waits for one that makes it fit, up to
//! [`PATIENCE`]. What never fits has a cause: events that were overwritten, or recorded before the recording began
//! everywhere. Then the missing steps are made up ([`Story::make_fit`]), and whatever is made of the steps is sound. Go's
//! parser orders events in the same way, by numbers that its runtime counts (`internal/trace/order.go`, Go 1.27), and
//! refuses the file if it cannot.

mod fit;
mod marks;

use crate::clock::Clock;
use crate::step::{Act, GState, MADE_UP, Mid, OUTSIDE, Origin, PState, Step};
use gmp_core::trace::{Event, Recorded, What};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// How much later than others, in nanoseconds, an event may come that does not fit before.
const PATIENCE: u64 = 1_000_000;

/// Where an event was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    P(u32),
    /// By an M that held no P, or by another thread.
    NoP(Option<Mid>),
}

#[derive(Debug)]
struct Stream {
    source: Source,
    events: VecDeque<(u64, What)>,
    /// Which P an event of no P's ring is about.
    about: VecDeque<Option<u32>>,
}

/// What is known, and what is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Story {
    streams: Vec<Stream>,
    gs: HashMap<u64, GState>,
    /// Goroutines that have ended.
    ended: HashSet<u64>,
    ps: HashMap<u32, PState>,
    /// What each M holds and runs.
    ms: HashMap<Mid, (Option<u32>, Option<u64>)>,
    /// The slice in which each P's last goroutine started.
    slices: HashMap<u32, u8>,
    /// When each P's ring told of its last two events, the later one first.
    told: HashMap<u32, [u64; 2]>,
    /// The regions of goroutines that are open, outermost first.
    regions: HashMap<u64, Vec<Arc<str>>>,
    pub(crate) origins: HashMap<u64, Origin>,
    time: u64,
    steps: Vec<Step>,
}

impl Story {
    /// Takes what was recorded.
    pub(crate) fn take(&mut self, recorded: Recorded, clock: &Clock) {
        let begun = if recorded.begun == 0 { 0 } else { clock.nanos(recorded.begun) };
        for (at, ring) in recorded.rings.into_iter().enumerate() {
            for event in ring {
                let source = match at.checked_sub(1) {
                    Some(p) => Source::P(p as u32),
                    None => Source::NoP(event.m),
                };
                let time = clock.nanos(event.ticks);
                if time >= begun {
                    self.queue(source, time, event);
                }
            }
        }
    }

    fn queue(&mut self, source: Source, time: u64, event: Event) {
        if matches!(source, Source::NoP(_)) && !Self::may_be_outside(&event.what) {
            return;
        }
        let at = self.streams.iter().position(|stream| stream.source == source);
        let at = at.unwrap_or_else(|| {
            self.streams.push(Stream { source, events: VecDeque::new(), about: VecDeque::new() });
            self.streams.len() - 1
        });
        let stream = &mut self.streams[at];
        stream.events.push_back((time, event.what));
        if matches!(source, Source::NoP(_)) {
            stream.about.push_back(event.p);
        }
    }

    /// The steps up to this time.
    pub(crate) fn until(&mut self, horizon: u64) -> Vec<Step> {
        while let Some((at, fits)) = self.choose(horizon) {
            let stream = &mut self.streams[at];
            let (time, what) = stream.events.pop_front().expect("it was chosen for its first event");
            let about = stream.about.pop_front().flatten();
            let source = stream.source;
            self.time = self.time.max(time);
            self.note_time(source, &what);
            if fits || self.make_fit(source, &what) {
                self.tell(source, about, what);
            }
        }
        self.streams.retain(|stream| !stream.events.is_empty());
        core::mem::take(&mut self.steps)
    }

    /// Forgets all steps up to this time, and begins again with what everything is doing then.
    pub(crate) fn begin_at(&mut self, time: u64) {
        if self.until(time).is_empty() {
            return;
        }
        self.time = self.time.max(time);
        let (ps, gs) = (self.ps.clone(), self.gs.clone());
        for (p, state) in ps {
            let m = match state {
                PState::Running(m) | PState::Syscall(m) => m,
                PState::Idle => OUTSIDE,
            };
            self.step(m, Act::ProcIs(p, state));
        }
        for (g, state) in gs {
            let m = match state {
                GState::Running(m) | GState::Syscall(m) => m,
                GState::Runnable | GState::Waiting => OUTSIDE,
            };
            self.step(m, Act::GoIs(g, state));
        }
        self.forget_times_before();
        self.open_regions_again();
    }

    /// Forgets what happened later than this and has not been told.
    pub(crate) fn end_at(&mut self, time: u64) {
        for stream in &mut self.streams {
            let upto = stream.events.partition_point(|(at, _)| *at <= time);
            stream.events.truncate(upto);
            stream.about.truncate(upto);
        }
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> Vec<Step> {
        self.until(u64::MAX)
    }

    /// The stream whose first event comes next, and whether that fits.
    fn choose(&self, horizon: u64) -> Option<(usize, bool)> {
        let (mut fits, mut waits) = (None::<(u64, usize)>, None::<(u64, usize)>);
        for (at, stream) in self.streams.iter().enumerate() {
            let Some((time, what)) = stream.events.front() else { continue };
            if *time > horizon {
                continue;
            }
            // Only the earliest of each kind counts.
            if fits.is_some_and(|(other, _)| other <= *time) && waits.is_some_and(|(other, _)| other <= *time)
            {
                continue;
            }
            let best = if self.fits(stream.source, stream.about.front().copied().flatten(), what) {
                &mut fits
            } else {
                &mut waits
            };
            if best.is_none_or(|(other, _)| *time < other) {
                *best = Some((*time, at));
            }
        }
        match (fits, waits) {
            (Some((fits, _)), Some((waits, at))) if waits.saturating_add(PATIENCE) < fits => {
                Some((at, false))
            }
            (Some((_, at)), _) => Some((at, true)),
            // What makes it fit may still be on its way.
            (None, Some((waits, at))) if horizon == u64::MAX || waits.saturating_add(PATIENCE) < horizon => {
                Some((at, false))
            }
            (None, _) => None,
        }
    }

    fn m_of(&self, source: Source) -> Mid {
        match source {
            Source::P(p) => match self.ps.get(&p) {
                Some(&(PState::Running(m) | PState::Syscall(m))) => m,
                _ => MADE_UP + u64::from(p),
            },
            Source::NoP(m) => m.unwrap_or(OUTSIDE),
        }
    }

    fn running(&self, m: Mid) -> Option<u64> {
        self.ms.get(&m).and_then(|&(_, g)| g)
    }

    /// Takes a step, which is possible.
    fn step(&mut self, m: Mid, act: Act) {
        match act {
            Act::GoIs(g, state) => {
                self.ended.remove(&g);
                self.gs.insert(g, state);
                if let GState::Running(m) | GState::Syscall(m) = state {
                    self.ms.entry(m).or_default().1 = Some(g);
                }
            }
            Act::ProcIs(p, state) => {
                self.ps.insert(p, state);
                if let PState::Running(m) | PState::Syscall(m) = state {
                    self.ms.entry(m).or_default().0 = Some(p);
                }
            }
            Act::ProcStart(p) => {
                self.ps.insert(p, PState::Running(m));
                self.ms.entry(m).or_default().0 = Some(p);
            }
            Act::ProcStop(p) => {
                self.ps.insert(p, PState::Idle);
                self.ms.entry(m).or_default().0 = None;
            }
            Act::ProcSteal(p) => {
                if let Some(PState::Syscall(victim)) = self.ps.insert(p, PState::Idle) {
                    self.ms.entry(victim).or_default().0 = None;
                }
            }
            Act::GoCreate(g) => {
                self.ended.remove(&g);
                self.gs.insert(g, GState::Runnable);
            }
            Act::GoStart { g, .. } => {
                self.gs.insert(g, GState::Running(m));
                self.ms.entry(m).or_default().1 = Some(g);
            }
            Act::GoDestroy(g) => {
                self.gs.remove(&g);
                self.regions.remove(&g);
                self.ended.insert(g);
                self.ms.entry(m).or_default().1 = None;
            }
            Act::GoStop { g, .. } => self.leave(m, g, GState::Runnable),
            Act::GoBlock(g, _) => self.leave(m, g, GState::Waiting),
            Act::GoUnblock(g) => {
                self.gs.insert(g, GState::Runnable);
            }
            Act::GoSyscallBegin(g) => {
                self.gs.insert(g, GState::Syscall(m));
                if let Some((Some(p), _)) = self.ms.get(&m) {
                    self.ps.insert(*p, PState::Syscall(m));
                }
            }
            Act::GoSyscallEnd(g) => {
                self.gs.insert(g, GState::Running(m));
                if let Some((Some(p), _)) = self.ms.get(&m) {
                    self.ps.insert(*p, PState::Running(m));
                }
            }
            Act::GoSyscallEndBlocked(g) => self.leave(m, g, GState::Runnable),
            _ => {}
        }
        self.steps.push(Step { time: self.time, m, act });
    }

    fn leave(&mut self, m: Mid, g: u64, state: GState) {
        self.gs.insert(g, state);
        self.ms.entry(m).or_default().1 = None;
    }

    /// Tells an event that fits.
    fn tell(&mut self, source: Source, about: Option<u32>, what: What) {
        let m = self.m_of(source);
        let p = match source {
            Source::P(p) => Some(p),
            Source::NoP(_) => about,
        };
        if let What::RegionBegin(g, _) | What::RegionEnd(g, _) | What::Log(g, ..) = what {
            self.meet_outside(m, g);
        }
        let act = match what {
            What::Writer { m, g } => return self.meet_writer(source, m, g),
            What::GoCreate(g, origin) => {
                self.note_origin(g, Origin::from(*origin));
                match source {
                    Source::P(_) => Act::GoCreate(g),
                    Source::NoP(_) => Act::GoIs(g, GState::Runnable),
                }
            }
            What::GoStart { g, slice } => return self.start(m, p, g, Some(slice)),
            What::HopPark { to, reason } => {
                self.stop_running(m, |g| Act::GoBlock(g, reason));
                return self.start(m, p, to, None);
            }
            What::HopYield { to, slice } => {
                self.stop_running(m, |g| Act::GoStop { g, preempted: false });
                return self.start(m, p, to, Some(slice));
            }
            What::HopExit { to, slice } => {
                self.stop_running(m, Act::GoDestroy);
                return self.start(m, p, to, Some(slice));
            }
            What::GoDestroy(g) => Act::GoDestroy(g),
            What::GoStop(g) => Act::GoStop { g, preempted: false },
            What::GoPreempt(g) if self.gs.get(&g) == Some(&GState::Runnable) => return,
            What::GoPreempt(g) => Act::GoStop { g, preempted: true },
            What::GoBlock(g, reason) => Act::GoBlock(g, reason),
            What::GoUnblock(g) => {
                self.meet(m, g, GState::Waiting);
                Act::GoUnblock(g)
            }
            What::GoSyscallBegin(g) => Act::GoSyscallBegin(g),
            What::GoSyscallEnd(g) => Act::GoSyscallEnd(g),
            What::GoSyscallEndBlocked(g) => match self.gs.get(&g) {
                Some(&GState::Syscall(m)) => return self.step(m, Act::GoSyscallEndBlocked(g)),
                Some(_) => return,
                None => Act::GoIs(g, GState::Runnable),
            },
            What::ProcStart(m) => {
                let Some(p) = p else { return };
                if self.ps.get(&p) == Some(&PState::Running(m)) {
                    return;
                }
                self.meet_p(m, p);
                return self.step(m, Act::ProcStart(p));
            }
            What::ProcStop(m) => {
                let Some(p) = p else { return };
                return self.step(m, Act::ProcStop(p));
            }
            What::ProcSteal => match p {
                Some(p) if self.ps.contains_key(&p) => return self.step(OUTSIDE, Act::ProcSteal(p)),
                _ => return,
            },
            What::ProcsChange(procs) => Act::ProcsChange(procs),
            What::StwBegin => match self.running(m) {
                Some(g) => Act::StwBegin(g),
                None => return,
            },
            What::StwEnd => match self.running(m) {
                Some(g) => Act::StwEnd(g),
                None => return,
            },
            What::Steal { victim, amount } => Act::Steal { p: p.unwrap_or(0), victim, amount },
            What::FromShared(amount) => Act::FromShared { p: p.unwrap_or(0), amount },
            What::HandOff => Act::HandOff(p.unwrap_or(0)),
            What::Wake(woken) => Act::Wake { p: p.unwrap_or(0), woken },
            What::Queues { own, shared, before } => match source {
                Source::P(p) => self.queues(p, own, shared, before),
                Source::NoP(_) => return,
            },
            What::RegionBegin(g, name) => return self.begin_region(m, g, name.into()),
            What::RegionEnd(g, name) => return self.end_region(m, g, &name),
            What::Log(g, category, message) => Act::Log(g, category.into(), message.into()),
            _ => return,
        };
        self.step(m, act);
    }

    fn stop_running(&mut self, m: Mid, act: impl FnOnce(u64) -> Act) {
        if let Some(g) = self.running(m) {
            self.step(m, act(g));
        }
    }

    fn start(&mut self, m: Mid, p: Option<u32>, g: u64, slice: Option<u8>) {
        self.meet(m, g, GState::Runnable);
        let before = p.and_then(|p| match slice {
            Some(slice) => self.slices.insert(p, slice),
            None => None,
        });
        self.step(m, Act::GoStart { g, next: slice.is_some() && before == slice });
    }

    /// A goroutine of which nothing is known yet is in this state.
    fn meet(&mut self, m: Mid, g: u64, state: GState) {
        if !self.gs.contains_key(&g) {
            self.step(m, Act::GoIs(g, state));
        }
    }

    fn meet_p(&mut self, m: Mid, p: u32) {
        if !self.ps.contains_key(&p) {
            self.step(m, Act::ProcIs(p, PState::Idle));
        }
    }

    /// A P's ring says who writes. That is news only if nothing is known of the P.
    fn meet_writer(&mut self, source: Source, m: Mid, g: u64) {
        let Source::P(p) = source else { return };
        if self.ps.contains_key(&p) || self.ms.get(&m).is_some_and(|&(p, _)| p.is_some()) {
            return;
        }
        self.step(m, Act::ProcIs(p, PState::Running(m)));
        if g != 0 && !self.gs.contains_key(&g) && self.running(m).is_none() {
            self.step(m, Act::GoIs(g, GState::Running(m)));
        }
    }

    /// Notes what a goroutine is, if that is not known yet.
    pub(crate) fn note_origin(&mut self, g: u64, origin: Origin) {
        self.origins.entry(g).or_insert(origin);
    }

    /// Forgets goroutines that have ended, but for those that are told of later: to be called when all is written.
    pub(crate) fn forget_ended(&mut self) {
        for g in self.ended.drain() {
            self.origins.remove(&g);
        }
    }
}

impl From<gmp_core::trace::Origin> for Origin {
    fn from(origin: gmp_core::trace::Origin) -> Self {
        Self {
            function: function_of(origin.function, origin.system),
            file: origin.created_at.file().into(),
            line: origin.created_at.line(),
            name: origin.name.map(Arc::from).unwrap_or_default(),
        }
    }
}

/// The function of a goroutine: of the runtime's own with the name by which Go's tools know such.
pub(crate) fn function_of(function: &str, system: bool) -> Arc<str> {
    if system { "runtime.system".into() } else { function.into() }
}
