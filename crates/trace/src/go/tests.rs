//! What is written can be read, whatever was recorded.

use super::check::read;
use crate::clock::Clock;
use crate::go::Writer;
use crate::step::{Act, MADE_UP, Step};
use crate::story::Story;
use gmp_core::WaitReason;
use gmp_core::trace::{Event, Recorded, What, event_for_test as event};

/// Writes what the rings tell, in so many parts.
fn written(rings: Vec<Vec<What>>, parts: usize) -> (Vec<u8>, Vec<Step>) {
    let clock = Clock::now();
    let mut story = Story::default();
    let mut writer = Writer::new();
    let mut all = Vec::new();
    let mut out = Vec::new();
    let mut time = 1_000;
    let longest = rings.iter().map(Vec::len).max().unwrap_or(0);
    let share = longest.div_ceil(parts).max(1);
    for part in 0..parts {
        let mut told = Vec::new();
        for ring in &rings {
            let of = ring.iter().skip(part * share).take(share).cloned();
            let mut own = time;
            let of = of.map(|what| {
                own += 10;
                event(clock.ticks_for_test(own), what)
            });
            told.push(of.collect());
        }
        time += 10 * share as u64;
        story.take(recorded(told), &clock);
        let steps = if part + 1 == parts { story.rest() } else { story.until(time) };
        steps.iter().for_each(|step| writer.step(step, &story.origins));
        out.extend(writer.flip());
        all.extend(steps);
    }
    (out, all)
}

fn recorded(rings: Vec<Vec<Event>>) -> Recorded {
    let mut recorded = Recorded::default();
    recorded.rings = rings;
    recorded
}

#[test]
fn a_hop_is_a_wait_and_a_start() {
    let p0 = vec![
        What::Writer { m: 3, g: 0 },
        What::ProcStart(3),
        What::GoStart { g: 1, slice: 1 },
        What::GoUnblock(2),
        What::HopPark { to: 2, reason: WaitReason::ChanReceive },
        What::GoUnblock(1),
        What::HopExit { to: 1, slice: 1 },
        What::RegionBegin(1, "work".into()),
        What::Log(1, "kind".into(), "message".into()),
        What::RegionEnd(1, "work".into()),
        What::GoSyscallBegin(1),
        What::GoSyscallEnd(1),
        What::GoDestroy(1),
    ];
    let (file, steps) = written(vec![Vec::new(), p0], 1);
    let read = read(&file).unwrap();
    assert!(read.reasons.contains("chan receive"), "{read:?}");
    assert_eq!(read.marks, ["work", "kind: message", "work"]);
    assert_eq!((read.kinds[&16], read.kinds[&17], read.kinds[&22], read.kinds[&23]), (3, 2, 1, 1));
    assert!(steps.iter().all(|step| step.m < MADE_UP), "nothing had to be made up: {steps:?}");
}

/// A region that ends before one that began in it leaves that one in two parts.
#[test]
fn regions_end_in_any_order() {
    let p0 = vec![
        What::ProcStart(3),
        What::GoStart { g: 1, slice: 1 },
        What::RegionBegin(1, "outer".into()),
        What::RegionBegin(1, "inner".into()),
        What::RegionBegin(1, "inmost".into()),
        What::RegionEnd(1, "outer".into()),
        What::RegionEnd(1, "inmost".into()),
        What::RegionEnd(1, "never begun".into()),
        What::RegionEnd(1, "inner".into()),
        What::GoDestroy(1),
    ];
    let (file, _) = written(vec![Vec::new(), p0], 1);
    let [inmost, inner, outer] = ["inmost", "inner", "outer"];
    let both = [inmost, inner, outer, inner, inmost];
    let expected = [&[outer, inner, inmost][..], &both, &[inmost, inner]].concat();
    assert_eq!(read(&file).unwrap().marks, expected);
}

/// Go's format knows marks of running goroutines only: those in a blocking call wait, and what is over by then is left out.
#[test]
fn marks_in_blocking_calls_wait() {
    let p0 = vec![
        What::ProcStart(3),
        What::GoStart { g: 1, slice: 1 },
        What::RegionBegin(1, "over".into()),
        What::GoSyscallBegin(1),
    ];
    let mut story = Story::default();
    let mut writer = Writer::new();
    let clock = Clock::now();
    let mut time = 1_000;
    let mut happens = |ring: usize, whats: Vec<What>| {
        let mut rings = vec![Vec::new(), Vec::new()];
        for what in whats {
            time += 10;
            let mut event = event(clock.ticks_for_test(time), what);
            event.m = (ring == 0).then_some(3);
            rings[ring].push(event);
        }
        story.take(recorded(rings), &clock);
    };
    happens(1, p0);
    happens(
        0,
        vec![
            What::RegionEnd(1, "over".into()),
            What::RegionBegin(1, "within".into()),
            What::Log(1, "from".into(), "within".into()),
            What::RegionEnd(1, "within".into()),
            What::RegionBegin(1, "begun".into()),
        ],
    );
    happens(1, vec![What::GoSyscallEnd(1), What::RegionEnd(1, "begun".into()), What::GoDestroy(1)]);
    let steps = story.rest();
    assert!(steps.iter().any(|step| step.act == Act::RegionEnd(1, "within".into())), "Perfetto shows all");
    steps.iter().for_each(|step| writer.step(step, &story.origins));
    let read = read(&writer.flip()).unwrap();
    assert_eq!(read.marks, ["over", "over", "from: within", "begun", "begun"]);
    assert!(steps.iter().all(|step| step.m < MADE_UP), "nothing had to be made up: {steps:?}");
}

/// Once, an end of a blocking call whose beginning nobody had recorded waited for that, and what the goroutine marked
/// later waited behind it, until it was told too late. The kind: what is not known yet makes nobody wait.
#[test]
fn what_began_before_the_recording_holds_up_nothing() {
    let p0 = [
        (200, What::ProcStart(3)),
        (210, What::GoStart { g: 1, slice: 1 }),
        (220, What::GoSyscallBegin(1)),
        (300, What::GoSyscallEnd(1)),
        (310, What::GoStop(1)),
        (320, What::GoStart { g: 1, slice: 2 }),
        (330, What::GoDestroy(1)),
    ];
    let marks = [(230, What::Log(1, "kind".into(), "message".into()))];
    let before = [
        What::GoSyscallEndBlocked(1),
        What::ProcSteal,
        What::GoSyscallBegin(1),
        What::GoStart { g: 1, slice: 1 },
        What::RegionBegin(1, "of a call".into()),
    ];
    for first in before {
        for seen in 0..=p0.len() {
            let is_mark = matches!(first, What::RegionBegin(..));
            let clock = Clock::now();
            let at = |m: Option<u64>| {
                let clock = &clock;
                move |(time, what): (u64, What)| {
                    let mut event = event(clock.ticks_for_test(time), what);
                    (event.m, event.p) = (m, Some(0));
                    event
                }
            };
            let outside = [(100, first.clone())].into_iter().chain(marks.clone()).map(at(Some(3)));
            let on_p = p0.clone().into_iter().map(at(None));
            let (mut story, mut writer) = (Story::default(), Writer::new());
            story.take(recorded(vec![outside.collect(), on_p.take(seen).collect()]), &clock);
            let steps = story.rest();
            let told = |of: fn(&Act) -> bool| steps.iter().position(|step| of(&step.act));
            let message = told(|act| matches!(act, Act::Log(..)));
            let back = told(|act| matches!(act, Act::GoSyscallEnd(_)));
            assert!(message.is_some() || seen < 3, "{first:?}: {steps:?}");
            assert!(back.is_none() || message < back, "{first:?}: {steps:?}");
            assert!(!is_mark || told(|act| matches!(act, Act::RegionBegin(..))).is_some(), "{steps:?}");
            assert!(steps.iter().all(|step| step.m < MADE_UP), "{first:?}: {steps:?}");
            steps.iter().for_each(|step| writer.step(step, &story.origins));
            let read = read(&writer.flip()).unwrap();
            assert!(seen < 4 || read.marks.contains(&"kind: message".into()), "{first:?}: {read:?}");
        }
    }
}

/// A region that was open before what is read begins stands in it.
#[test]
fn regions_that_began_before_are_open() {
    let p0 = vec![
        What::ProcStart(3),
        What::GoStart { g: 1, slice: 1 },
        What::RegionBegin(1, "long".into()),
        What::GoUnblock(2),
        What::RegionEnd(1, "long".into()),
    ];
    let clock = Clock::now();
    let events = p0.into_iter().zip(1..).map(|(what, at)| event(clock.ticks_for_test(1_000 * at), what));
    let (mut story, mut writer) = (Story::default(), Writer::new());
    story.take(recorded(vec![Vec::new(), events.collect()]), &clock);
    story.begin_at(3_500);
    story.rest().iter().for_each(|step| writer.step(step, &story.origins));
    assert_eq!(read(&writer.flip()).unwrap().marks, ["long", "long"]);
}

#[test]
fn a_look_at_the_queues_reaches_back_to_the_event_before_the_last() {
    let p0 = vec![
        What::ProcStart(3),
        What::GoStart { g: 1, slice: 1 },
        What::Queues { own: 1, shared: 2, before: None },
        What::GoUnblock(2),
        What::Writer { m: 3, g: 1 },
        What::HopPark { to: 2, reason: WaitReason::Park },
        What::Queues { own: 6, shared: 2, before: Some(7) },
    ];
    let (file, steps) = written(vec![Vec::new(), p0], 1);
    read(&file).unwrap();
    let at = |of: fn(&Act) -> bool| steps.iter().find(|step| of(&step.act)).unwrap().time;
    let readied = at(|act| matches!(act, Act::GoUnblock(2)));
    let last = steps.iter().rfind(|step| matches!(step.act, Act::Queues { .. })).unwrap();
    assert_eq!(last.act, Act::Queues { p: 0, own: 6, shared: 2, before: Some((readied, 7)) });
}

/// Any event at any time, as if the rings had lost the rest.
fn any(random: &mut fastrand::Rng) -> What {
    let g = random.u64(1..8);
    let to = random.u64(1..8);
    let m = random.u64(0..4);
    match random.u8(0..21) {
        0 => What::Writer { m, g: random.u64(0..4) },
        1 => What::GoStart { g, slice: 0 },
        2 => What::GoDestroy(g),
        3 => What::GoStop(g),
        4 => What::GoPreempt(g),
        5 => What::GoBlock(g, WaitReason::Sleep),
        6 => What::GoUnblock(g),
        7 => What::GoSyscallBegin(g),
        8 => What::GoSyscallEnd(g),
        9 => What::GoSyscallEndBlocked(g),
        10 => What::HopPark { to, reason: WaitReason::Select },
        11 => What::HopYield { to, slice: 0 },
        12 => What::HopExit { to, slice: 0 },
        13 => What::ProcStart(m),
        14 => What::ProcStop(m),
        15 => What::ProcSteal,
        16 => What::RegionBegin(g, "region".into()),
        17 => What::RegionEnd(g, "region".into()),
        18 => What::Queues { own: 1, shared: 2, before: Some(3) },
        19 => What::Log(g, "kind".into(), "message".into()),
        _ => What::StwBegin,
    }
}

#[test]
fn whatever_was_recorded_what_is_written_is_sound() {
    for seed in 0..2_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let parts = random.usize(1..4);
        let rings = (0..4).map(|_| (0..random.usize(0..60)).map(|_| any(&mut random)).collect()).collect();
        let (file, steps) = written(rings, parts);
        if let Err(error) = read(&file) {
            panic!("seed {seed}, {parts} parts: {error}\n{steps:#?}");
        }
    }
}

#[test]
fn a_broken_file_is_refused() {
    let p0 = vec![
        What::Writer { m: 1, g: 0 },
        What::GoStart { g: 1, slice: 0 },
        What::GoBlock(1, WaitReason::Park),
    ];
    let (file, _) = written(vec![Vec::new(), p0], 1);
    read(&file).unwrap();
    // The sequence of the start: its event's last byte.
    let start = file.windows(4).position(|at| at[0] == 16 && at[2] == 1 && at[3] == 1).unwrap();
    let mut broken = file.clone();
    broken[start + 3] = 2;
    assert!(read(&broken).unwrap_err().contains("failed to advance"));
    assert!(read(&file[..file.len() - 3]).is_err());
}
