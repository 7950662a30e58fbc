//! Perfetto: a trace as <https://ui.perfetto.dev> reads it: protobuf, by the schema that Perfetto publishes
//! (`protos/perfetto/trace/`). Unlike Go's format it has a place for what the policy decided.
//!
//! | track | shows |
//! | --- | --- |
//! | each P, each M | which goroutine runs; on a P also steals, and what came from the shared queue |
//! | below each M | when its thread is off its CPU, and why. With the feature `kernel-switches` |
//! | each goroutine | running, runnable, waiting for what, in a blocking call; regions on a track below |
//! | arrows | from who readied or started a goroutine to where that runs next |
//! | counters | runnable goroutines; how many are queued on each P, and in the shared queue |

mod queues;
mod schema;

use crate::lengths::Lengths;
use crate::step::{Act, GState, Mid, OUTSIDE, Origin, Step};
use schema::{Annotation, Counter, Packet, Process, Track, TrackEvent};
use std::collections::{HashMap, HashSet};

const BEGIN: i32 = 1;
const END: i32 = 2;
const INSTANT: i32 = 3;
const COUNT: i32 = 4;

/// The tracks' numbers.
const PROCESS: u64 = 1;
const PS: u64 = 2;
const MS: u64 = 3;
const GS: u64 = 4;
const RUNNABLE: u64 = 5;

fn track_of_p(p: u32) -> u64 {
    1 << 33 | u64::from(p)
}

fn track_of_m(m: Mid) -> u64 {
    1 << 40 | m
}

#[cfg(feature = "kernel-switches")]
fn cpu_of_m(m: Mid) -> u64 {
    1 << 48 | m
}

fn track_of_g(g: u64) -> u64 {
    1 << 56 | g << 1
}

fn regions_of_g(g: u64) -> u64 {
    track_of_g(g) | 1
}

/// Writes packets, which may be put one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    tracks: HashSet<u64>,
    gs: HashMap<u64, G>,
    ms: HashMap<Mid, (Option<u32>, Option<u64>)>,
    runnable: i64,
    lengths: Lengths,
    flows: u64,
    /// Ms whose threads are off their CPUs.
    #[cfg(feature = "kernel-switches")]
    off_cpu: HashSet<Mid>,
}

#[derive(Debug, Default)]
struct G {
    /// Something is open on its track.
    open: bool,
    is_runnable: bool,
    /// An arrow that ends where it runs next.
    flow: Option<u64>,
    title: String,
    regions: usize,
}

impl Writer {
    /// What is to be written.
    pub(crate) fn flip(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.out)
    }

    fn packet(&mut self, packet: Packet) {
        // A vector takes all: the field's number and kind, its length, itself.
        let packet = Packet { sequence: Some(1), ..packet };
        prost::encoding::message::encode(1, &packet, &mut self.out);
    }

    fn describe(&mut self, uuid: u64, name: &dyn Fn() -> String, parent: u64, counter: bool) {
        if !self.tracks.insert(uuid) {
            return;
        }
        if uuid != PROCESS {
            self.describe(PROCESS, &|| "gmp".into(), 0, false);
        }
        let name = name();
        let process = (uuid == PROCESS)
            .then(|| Process { pid: Some(std::process::id() as i32), name: Some(name.clone()) });
        let track = Track {
            uuid: Some(uuid),
            name: Some(name),
            parent: Some(parent).filter(|parent| *parent != 0),
            process,
            counter: counter.then_some(Counter {}),
        };
        self.packet(Packet { track: Some(track), ..Packet::default() });
    }

    fn p_track(&mut self, p: u32) -> u64 {
        self.describe(PS, &|| "Ps".into(), PROCESS, false);
        self.describe(track_of_p(p), &|| format!("P{p}"), PS, false);
        track_of_p(p)
    }

    fn m_track(&mut self, m: Mid) -> u64 {
        self.describe(MS, &|| "Ms".into(), PROCESS, false);
        let name = &|| if m < OUTSIDE { format!("M{m}") } else { "other threads".into() };
        self.describe(track_of_m(m), name, MS, false);
        track_of_m(m)
    }

    fn g_track(&mut self, g: u64, origins: &HashMap<u64, Origin>) -> u64 {
        let title = self.title(g, origins);
        self.describe(GS, &|| "goroutines".into(), PROCESS, false);
        self.describe(track_of_g(g), &|| title.clone(), GS, false);
        track_of_g(g)
    }

    fn title(&mut self, g: u64, origins: &HashMap<u64, Origin>) -> String {
        let record = self.gs.entry(g).or_default();
        if record.title.is_empty() {
            record.title = match origins.get(&g) {
                Some(Origin { name, .. }) if !name.is_empty() => format!("G{g} {name}"),
                Some(origin) => format!("G{g} {}", origin.function),
                None => format!("G{g}"),
            };
        }
        record.title.clone()
    }

    fn event(&mut self, time: u64, track: u64, kind: i32, name: &str, more: TrackEvent) {
        let name = (!name.is_empty()).then(|| name.to_owned());
        let event = TrackEvent { kind: Some(kind), track: Some(track), name, ..more };
        self.packet(Packet { time: Some(time), event: Some(event), ..Packet::default() });
    }

    fn count(&mut self, time: u64, track: u64, name: &dyn Fn() -> String, value: i64) {
        self.describe(track, name, PROCESS, true);
        let counted = TrackEvent { count: Some(value), ..TrackEvent::default() };
        self.event(time, track, COUNT, "", counted);
    }

    /// What the goroutine does from now on, on its own track.
    fn does(&mut self, time: u64, g: u64, what: &str, origins: &HashMap<u64, Origin>) {
        let track = self.g_track(g, origins);
        let record = self.gs.entry(g).or_default();
        if core::mem::replace(&mut record.open, !what.is_empty()) {
            self.event(time, track, END, "", TrackEvent::default());
        }
        if !what.is_empty() {
            self.event(time, track, BEGIN, what, TrackEvent::default());
        }
        let now = what == "runnable";
        let record = self.gs.entry(g).or_default();
        let before = core::mem::replace(&mut record.is_runnable, now);
        if now != before {
            self.runnable += if now { 1 } else { -1 };
            self.count(time, RUNNABLE, &|| "runnable goroutines".into(), self.runnable);
        }
    }

    fn starts(&mut self, time: u64, m: Mid, g: u64, next: bool, origins: &HashMap<u64, Origin>) {
        let title = self.title(g, origins);
        let flow = self.gs.get_mut(&g).and_then(|g| g.flow.take());
        let p = self.ms.get(&m).and_then(|&(p, _)| p);
        let event = TrackEvent {
            ended_flows: flow.into_iter().collect(),
            annotations: vec![
                Annotation::of_text("run_next", if next { "hit" } else { "no" }),
                Annotation::of_number("m", m),
            ],
            ..TrackEvent::default()
        };
        if let Some(p) = p {
            let track = self.p_track(p);
            self.event(time, track, BEGIN, &title, event);
        }
        let track = self.m_track(m);
        self.event(time, track, BEGIN, &title, TrackEvent::default());
        self.ms.entry(m).or_default().1 = Some(g);
        let what = p.map_or_else(|| "running".into(), |p| format!("running on P{p}"));
        self.does(time, g, &what, origins);
    }

    fn leaves(&mut self, time: u64, m: Mid, g: u64, what: &str, origins: &HashMap<u64, Origin>) {
        let (p, running) = self.ms.get(&m).copied().unwrap_or_default();
        if running.is_some() {
            if let Some(p) = p {
                let track = self.p_track(p);
                self.event(time, track, END, "", TrackEvent::default());
            }
            let track = self.m_track(m);
            self.event(time, track, END, "", TrackEvent::default());
            self.ms.entry(m).or_default().1 = None;
        }
        self.does(time, g, what, origins);
    }

    /// Where an arrow begins that ends where `g` runs next.
    fn arrow(&mut self, time: u64, m: Mid, g: u64, why: &str, origins: &HashMap<u64, Origin>) {
        self.flows += 1;
        let flow = self.flows;
        self.gs.entry(g).or_default().flow = Some(flow);
        let track = match self.ms.get(&m) {
            Some(&(Some(p), _)) => self.p_track(p),
            _ => self.m_track(m),
        };
        let name = format!("{why} {}", self.title(g, origins));
        let event = TrackEvent { flows: vec![flow], ..TrackEvent::default() };
        self.event(time, track, INSTANT, &name, event);
    }

    fn decision(&mut self, time: u64, p: u32, name: &str, annotations: Vec<Annotation>) {
        let track = self.p_track(p);
        self.event(time, track, INSTANT, name, TrackEvent { annotations, ..TrackEvent::default() });
    }

    /// Writes a step.
    pub(crate) fn step(&mut self, step: &Step, origins: &HashMap<u64, Origin>) {
        let Step { time, m, ref act } = *step;
        self.lengths.step(time, act).into_iter().for_each(|change| self.queue_is(change));
        match *act {
            Act::GoIs(g, GState::Running(m)) => self.starts(time, m, g, false, origins),
            Act::GoIs(g, GState::Runnable) => self.does(time, g, "runnable", origins),
            Act::GoIs(g, GState::Waiting) => self.does(time, g, "waiting", origins),
            Act::GoIs(g, GState::Syscall(_)) => self.does(time, g, "blocking call", origins),
            Act::ProcIs(p, crate::step::PState::Running(m) | crate::step::PState::Syscall(m)) => {
                self.ms.entry(m).or_default().0 = Some(p);
            }
            Act::ProcIs(..) => {}
            Act::ProcStart(p) => self.ms.entry(m).or_default().0 = Some(p),
            Act::ProcStop(_) => self.ms.entry(m).or_default().0 = None,
            Act::ProcSteal(p) => {
                self.ms.values_mut().filter(|held| held.0 == Some(p)).for_each(|held| held.0 = None);
                self.decision(time, p, "taken from a blocking call", Vec::new());
            }
            Act::GoCreate(g) => {
                self.arrow(time, m, g, "go", origins);
                self.does(time, g, "runnable", origins);
            }
            Act::GoStart { g, next } => self.starts(time, m, g, next, origins),
            Act::GoDestroy(g) => {
                self.leaves(time, m, g, "", origins);
                let open = self.gs.remove(&g).map_or(0, |g| g.regions);
                (0..open).for_each(|_| self.event(time, regions_of_g(g), END, "", TrackEvent::default()));
            }
            Act::GoStop { g, .. } => self.leaves(time, m, g, "runnable", origins),
            Act::GoBlock(g, reason) => self.leaves(time, m, g, &format!("waiting: {reason}"), origins),
            Act::GoUnblock(g) => {
                self.arrow(time, m, g, "readies", origins);
                self.does(time, g, "runnable", origins);
            }
            Act::GoSyscallBegin(g) => self.leaves(time, m, g, "blocking call", origins),
            Act::GoSyscallEnd(g) => self.starts(time, m, g, false, origins),
            Act::GoSyscallEndBlocked(g) => self.does(time, g, "runnable", origins),
            Act::ProcsChange(_) | Act::StwBegin(_) | Act::StwEnd(_) => {
                let name = match act {
                    Act::ProcsChange(_) => "number of Ps",
                    Act::StwBegin(_) => "stops the world",
                    _ => "starts the world",
                };
                let track = self.m_track(m);
                self.event(time, track, INSTANT, name, TrackEvent::default());
            }
            Act::Steal { p, victim, amount } => {
                let told = vec![
                    Annotation::of_number("victim", victim.into()),
                    Annotation::of_number("amount", amount.into()),
                ];
                self.decision(time, p, "steals", told);
            }
            Act::FromShared { p, amount } => {
                self.decision(
                    time,
                    p,
                    "takes from the shared queue",
                    vec![Annotation::of_number("amount", amount)],
                );
            }
            Act::HandOff(p) => self.decision(time, p, "handed on: its M blocks or goes", Vec::new()),
            Act::Wake { p, woken } => {
                self.decision(time, p, "given to an M that slept", vec![Annotation::of_number("m", woken)]);
            }
            // What a look says is told through `lengths`.
            Act::Queues { .. } => {}
            #[cfg(feature = "kernel-switches")]
            Act::OffCpu { preempted } => {
                let parent = self.m_track(m);
                self.describe(cpu_of_m(m), &|| "off its CPU".into(), parent, false);
                if self.off_cpu.insert(m) {
                    let why = if preempted { "the kernel runs others" } else { "sleeps in the kernel" };
                    self.event(time, cpu_of_m(m), BEGIN, why, TrackEvent::default());
                }
            }
            #[cfg(feature = "kernel-switches")]
            Act::OnCpu => {
                if self.off_cpu.remove(&m) {
                    self.event(time, cpu_of_m(m), END, "", TrackEvent::default());
                }
            }
            Act::RegionBegin(g, ref name) => {
                let parent = self.g_track(g, origins);
                self.describe(regions_of_g(g), &|| "regions".into(), parent, false);
                self.gs.entry(g).or_default().regions += 1;
                self.event(time, regions_of_g(g), BEGIN, name, TrackEvent::default());
            }
            Act::RegionEnd(g, _) => {
                let record = self.gs.entry(g).or_default();
                if record.regions != 0 {
                    record.regions -= 1;
                    self.event(time, regions_of_g(g), END, "", TrackEvent::default());
                }
            }
            Act::Log(g, ref category, ref message) => {
                let track = self.g_track(g, origins);
                let told = vec![Annotation::of_text("message", message)];
                let event = TrackEvent { annotations: told, ..TrackEvent::default() };
                self.event(time, track, INSTANT, category, event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::PState;
    use gmp_core::WaitReason;
    use prost::Message;

    fn packets(bytes: &[u8]) -> Vec<Packet> {
        schema::Trace::decode(bytes).unwrap().packets
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut writer = Writer::default();
        let acts = [
            Act::ProcIs(0, PState::Running(1)),
            Act::GoCreate(7),
            Act::GoStart { g: 7, next: true },
            Act::Steal { p: 0, victim: 3, amount: 12 },
            Act::RegionBegin(7, "work".into()),
            Act::RegionEnd(7, "work".into()),
            Act::GoBlock(7, WaitReason::ChanSend),
            Act::Queues { p: 0, own: 5, shared: 0, before: None },
        ];
        for (at, act) in acts.into_iter().enumerate() {
            writer.step(&Step { time: 100 + at as u64, m: 1, act }, &HashMap::new());
        }
        let packets = packets(&writer.flip());
        let named = |name: &str| {
            let event =
                |packet: &Packet| packet.event.clone().filter(|event| event.name.as_deref() == Some(name));
            packets.iter().find_map(event).unwrap_or_else(|| panic!("nothing is called {name}"))
        };
        assert_eq!(named("go G7").flows, named("G7").ended_flows, "the arrow ends where it runs");
        assert_eq!(named("steals").annotations.len(), 2);
        named("waiting: chan send");
        let tracks: HashSet<u64> = packets.iter().filter_map(|packet| packet.track.as_ref()?.uuid).collect();
        let mut open = HashMap::<u64, i64>::new();
        for event in packets.iter().filter_map(|packet| packet.event.as_ref()) {
            assert!(tracks.contains(&event.track.unwrap()), "an event has its track: {event:?}");
            let open = open.entry(event.track.unwrap()).or_default();
            *open += match event.kind {
                Some(BEGIN) => 1,
                Some(END) => -1,
                _ => 0,
            };
            assert!(*open >= 0, "nothing ends that has not begun: {event:?}");
        }
    }
}
