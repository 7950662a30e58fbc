//! Trace: recorded events as those read them who make traces: what the rings' records mean.

use crate::ground::ring::{Copied, MORE, Record, SIGN};
use crate::records::g::WaitReason;
use crate::records::g::body::BodyTable;
use crate::records::recorder::{Seen, kind};
use core::panic::Location;

/// Up to which record each ring has been read: the shared one's first, then those of the Ps.
#[derive(Clone, Debug, Default)]
pub struct Positions(pub(crate) Vec<u64>);

/// What was recorded.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Recorded {
    /// The events of each ring, each in its own order: the first ring is that of those who hold no P, then follow the Ps.
    pub rings: Vec<Vec<Event>>,
    /// How many records were overwritten before they could be read.
    pub lost: u64,
    /// The ticks at which the recording began that is under way: what is older is of an earlier one.
    pub begun: u64,
}

/// A recorded event.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// When, in [ticks](crate::ticks::Moment), the lower 48 bits.
    pub ticks: u64,
    /// In the ring of those who hold no P: whose M it was; `None`: a thread that is none.
    pub m: Option<u64>,
    /// In the same ring: which P it is about.
    pub p: Option<u32>,
    /// What happened.
    pub what: What,
}

/// What a goroutine is, as far as its birth tells.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Origin {
    /// The type of its closure, which names the function that has it.
    pub function: &'static str,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// One of the runtime's own.
    pub system: bool,
}

/// What happened, mostly to the goroutine of this number. `slice`: the lower bits of a count of time slices; where they
/// are those of the start before on the same P, the goroutine was run next in the same slice.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// Who writes from here on: in a P's ring, once in a while.
    Writer {
        /// The P's M.
        m: u64,
        /// The goroutine that it runs; 0: none.
        g: u64,
    },
    /// A goroutine was spawned.
    GoCreate(u64, Box<Origin>),
    /// It starts or goes on running.
    GoStart {
        /// Which.
        g: u64,
        /// See above.
        slice: u8,
    },
    /// It ended.
    GoDestroy(u64),
    /// It yielded.
    GoStop(u64),
    /// Its time slice ended.
    GoPreempt(u64),
    /// It parked.
    GoBlock(u64, WaitReason),
    /// It was readied.
    GoUnblock(u64),
    /// It entered a blocking call, on this M.
    GoSyscallBegin(u64),
    /// It came back with its P.
    GoSyscallEnd(u64),
    /// It came back and had lost its P.
    GoSyscallEndBlocked(u64),
    /// The running goroutine parked, and another one runs.
    HopPark {
        /// Which runs now.
        to: u64,
        /// Why the one before it waits.
        reason: WaitReason,
    },
    /// The running goroutine yielded, and another one runs.
    HopYield {
        /// Which runs now.
        to: u64,
        /// See above.
        slice: u8,
    },
    /// The running goroutine ended, and another one runs.
    HopExit {
        /// Which runs now.
        to: u64,
        /// See above.
        slice: u8,
    },
    /// The M of this number took the P.
    ProcStart(u64),
    /// The M of this number gave it up.
    ProcStop(u64),
    /// The P was taken from a blocking call.
    ProcSteal,
    /// The number of Ps is this now.
    ProcsChange(u64),
    /// The world is being stopped.
    StwBegin,
    /// It goes on.
    StwEnd,
    /// Goroutines were taken from another P.
    Steal {
        /// From which.
        victim: u32,
        /// How many.
        amount: u32,
    },
    /// So many goroutines were taken from the shared queue.
    FromShared(u64),
    /// The P was handed on.
    HandOff,
    /// The M of this number was woken, or made.
    Wake(u64),
    /// How long the queues are, in a P's ring, once in a while.
    Queues {
        /// The P's.
        own: u32,
        /// The shared one.
        shared: u32,
        /// How long the P's was from the event before the last one in this ring on up to that last one, if that is known.
        before: Option<u32>,
    },
    /// A region of the user's begins in the goroutine of this number.
    RegionBegin(u64, String),
    /// The innermost one of this name ends.
    RegionEnd(u64, String),
    /// A message of the user's: its category and itself.
    Log(u64, String, String),
}

/// An event that nobody has recorded, in the ring of a P: for tests of those who read them.
#[doc(hidden)]
#[must_use]
pub fn event_for_test(ticks: u64, what: What) -> Event {
    Event { ticks, m: None, p: None, what }
}

/// What separates a message's category from the message.
pub(crate) const SEPARATOR: char = '\u{1f}';

/// The events of a ring, shared or a P's. `cut`: what was before is lost.
///
/// # Safety
/// The records were copied from a ring, whole, and not changed since.
pub(crate) unsafe fn parse(copied: &Copied, shared: bool, cut: bool) -> Vec<Event> {
    let mut events = Vec::with_capacity(copied.records.len());
    let mut rest = &copied.records[..];
    // Of the oldest event the beginning may be gone. A P's ring is understood from where it says who writes.
    let begins = |record: &Record| match record[0] as u8 {
        MORE | kind::TEXT => false,
        of => shared || of == SIGN,
    };
    if cut {
        rest = &rest[rest.iter().position(begins).unwrap_or(rest.len())..];
    }
    while let Some((head, behind)) = rest.split_first() {
        let more = behind.iter().take_while(|record| matches!(record[0] as u8, MORE | kind::TEXT)).count();
        let (with, next) = behind.split_at(more);
        // SAFETY: as the caller promises.
        events.extend(unsafe { event(*head, with, shared) });
        rest = next;
    }
    events
}

/// # Safety
/// As for [`parse`].
unsafe fn event([first, value]: Record, mut with: &[Record], shared: bool) -> Option<Event> {
    let (of, number) = (first as u8, (first >> 8) as u8);
    let (mut m, mut p) = (None, None);
    if shared && of != SIGN {
        let (whose, rest) = with.split_first()?;
        m = whose[1].checked_sub(1);
        p = (whose[0] >> 8).checked_sub(1).and_then(|p| u32::try_from(p).ok());
        with = rest;
    }
    let reason = || WaitReason::ALL.get(usize::from(number & 31)).copied().unwrap_or(WaitReason::Park);
    let what = match of {
        SIGN => What::Writer { m: value, g: with.first()?[1] },
        kind::HOP_PARK => What::HopPark { to: value, reason: reason() },
        kind::HOP_YIELD => What::HopYield { to: value, slice: number },
        kind::HOP_EXIT => What::HopExit { to: value, slice: number },
        kind::STEAL => What::Steal { victim: (value >> 32) as u32, amount: value as u32 },
        kind::FROM_SHARED => What::FromShared(value),
        kind::HAND_OFF => What::HandOff,
        kind::WAKE => What::Wake(value),
        kind::QUEUES => queues(number, value),
        kind::REGION_BEGIN => What::RegionBegin(value, text_of(with)),
        kind::REGION_END => What::RegionEnd(value, text_of(with)),
        kind::LOG => {
            let text = text_of(with);
            let (category, message) = text.split_once(SEPARATOR).unwrap_or(("", &text));
            What::Log(value, category.into(), message.into())
        }
        _ => match of.checked_sub(kind::OF_EVENTS)? {
            0 => {
                let (origin, name) = with.split_first()?;
                // SAFETY: as the caller promises: `origin_of` wrote it.
                What::GoCreate(value, Box::new(unsafe { read_origin(*origin, number != 0, name) }))
            }
            1 => What::GoStart { g: value, slice: number },
            2 => What::GoDestroy(value),
            3 => What::GoStop(value),
            4 => What::GoPreempt(value),
            5 => What::GoBlock(value, reason()),
            6 => What::GoUnblock(value),
            7 => What::GoSyscallBegin(value),
            8 => What::GoSyscallEnd(value),
            9 => What::GoSyscallEndBlocked(value),
            10 => What::ProcStart(value),
            11 => What::ProcStop(value),
            12 => What::ProcSteal,
            13 => What::ProcsChange(value),
            14 => What::StwBegin,
            15 => What::StwEnd,
            _ => return None,
        },
    };
    Some(Event { ticks: first >> 16, m, p, what })
}

fn queues(seen: u8, value: u64) -> What {
    let (own, shared) = ((value >> 32) as u32, value as u32);
    let before = match seen {
        seen if seen == Seen::Before as u8 => Some(own),
        seen if seen == Seen::Popped as u8 => Some(own.saturating_add(1)),
        _ => None,
    };
    What::Queues { own, shared, before }
}

/// What `read_origin` reads.
pub(crate) fn origin_of(created_at: &'static Location<'static>, table: &'static BodyTable) -> Record {
    let place = core::ptr::from_ref(created_at).expose_provenance() as u64;
    [place << 8 | u64::from(MORE), core::ptr::from_ref(table).expose_provenance() as u64]
}

/// # Safety
/// `origin_of` made the record.
unsafe fn read_origin([place, table]: Record, system: bool, name: &[Record]) -> Origin {
    let place = core::ptr::with_exposed_provenance::<Location<'static>>((place >> 8) as usize);
    let table = core::ptr::with_exposed_provenance::<BodyTable>(table as usize);
    // SAFETY: as the caller promises, they are the addresses of statics.
    let (created_at, table) = unsafe { (&*place, &*table) };
    let name = Some(text_of(name)).filter(|name| !name.is_empty());
    Origin { function: (table.name)(), created_at, name, system }
}

fn text_of(records: &[Record]) -> String {
    let texts = records.iter().filter(|record| record[0] as u8 == kind::TEXT);
    let mut bytes: Vec<u8> = texts
        .flat_map(|[first, second]| {
            first.to_le_bytes()[1..].iter().copied().chain(second.to_le_bytes()).collect::<Vec<_>>()
        })
        .collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::g::body::NOTHING;
    use crate::records::recorder::text;

    fn parsed(records: Vec<Record>, shared: bool) -> Vec<Event> {
        // SAFETY: the tests below make whole records.
        unsafe { parse(&Copied { first: 0, records }, shared, false) }
    }

    #[test]
    fn texts_of_any_length_come_back() {
        for long in [
            "",
            "x",
            "fifteen bytes!!",
            "sixteen bytes it",
            "\u{fc}ber f\u{fc}nfzehn Bytes lang, viel l\u{e4}nger",
        ] {
            assert_eq!(text_of(&text(long).collect::<Vec<_>>()), long);
        }
    }

    #[test]
    fn a_birth_tells_place_function_and_name() {
        let here = Location::caller();
        let mut records = vec![[7 << 16 | u64::from(kind::OF_EVENTS), 12], origin_of(here, &NOTHING)];
        records.extend(text("a reader of files"));
        let events = parsed(records, false);
        let What::GoCreate(12, origin) = &events[0].what else { panic!("{events:?}") };
        assert_eq!((origin.created_at, origin.name.as_deref()), (here, Some("a reader of files")));
        assert_eq!(events[0].ticks, 7);
    }

    #[test]
    fn a_look_at_the_queues_says_what_was_before() {
        for (seen, was) in [(Seen::Before, Some(5)), (Seen::Popped, Some(6)), (Seen::After, None)] {
            let first = 9 << 16 | u64::from(seen as u8) << 8 | u64::from(kind::QUEUES);
            let What::Queues { own, shared, before } = parsed(vec![[first, 5 << 32 | 7]], false)[0].what
            else {
                panic!("something else was read");
            };
            assert_eq!((own, shared, before), (5, 7, was));
        }
    }

    #[test]
    fn events_of_no_p_say_whose_they_are() {
        let records = vec![[u64::from(kind::OF_EVENTS + 9), 5], [2 << 8 | u64::from(MORE), 4]];
        let event = &parsed(records, true)[0];
        assert_eq!((event.m, event.p), (Some(3), Some(1)));
        assert!(matches!(event.what, What::GoSyscallEndBlocked(5)));
    }
}
