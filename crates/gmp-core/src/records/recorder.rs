//! Recorder: where the events of a runtime go: to a sink of the user's, into rings (`ground/ring.rs`), or nowhere.
//!
//! | who | records in |
//! | --- | --- |
//! | an M that holds a P | that P's ring: the P's holder alone writes there |
//! | whoever holds none: plain threads, sysmon, an M that comes back from a call and has lost its P | the shared ring, under a lock |
//!
//! In a P's ring the M and the running goroutine are told once in a while, and follow from the events between. In the
//! shared ring each event says whose it is.

use crate::ground::event::EventSink;
use crate::ground::ring::{MORE, Record, Ring};
use crate::ground::sync::SpinLock;
use crate::ground::ticks::ticks;
use crate::records::p::PCore;
use core::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The kinds of records beyond those of [`EventKind`](crate::ground::event::EventKind), which follow from
/// [`kind::OF_EVENTS`].
pub(crate) mod kind {
    /// A record that goes with the one before it: text, fifteen bytes of it.
    pub(crate) const TEXT: u8 = 3;
    /// The first of the events.
    pub(crate) const OF_EVENTS: u8 = 16;
    /// The running goroutine parked, and this one runs.
    pub(crate) const HOP_PARK: u8 = 40;
    /// It yielded, and this one runs.
    pub(crate) const HOP_YIELD: u8 = 41;
    /// It ended, and this one runs.
    pub(crate) const HOP_EXIT: u8 = 42;
    /// Goroutines were taken from another P: its number in the upper half, how many in the lower.
    pub(crate) const STEAL: u8 = 43;
    /// Goroutines were taken from the shared queue: how many.
    pub(crate) const FROM_SHARED: u8 = 44;
    /// A P was handed to another M.
    pub(crate) const HAND_OFF: u8 = 45;
    /// An M was woken or made.
    pub(crate) const WAKE: u8 = 46;
    /// How long the P's queue is, in the upper half, and the shared one, in the lower; the number is a
    /// [`Seen`](super::Seen). Behind the event with which that was looked at.
    pub(crate) const QUEUES: u8 = 47;
    /// A region of the user's begins in this goroutine.
    pub(crate) const REGION_BEGIN: u8 = 50;
    /// It ends.
    pub(crate) const REGION_END: u8 = 51;
    /// A message of the user's.
    pub(crate) const LOG: u8 = 52;
}

/// When the length of a P's queue was looked at that comes with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Before the event changed it: as long as that the queue was ever since the P's event before.
    Before = 0,
    /// When the event had taken one goroutine out.
    Popped = 1,
    /// After the event; what was before is not known.
    After = 2,
}

const SINK: u8 = 1;
const RING: u8 = 2;

/// Where events leave the scheduler: one relaxed load and a cold branch a point while nobody listens.
pub(crate) struct EventSeam {
    on: AtomicU8,
    sink: Option<Arc<dyn EventSink>>,
    /// How many read the rings, or will.
    readers: AtomicUsize,
    /// The records of each ring; 0 before the first reader.
    records: AtomicUsize,
    shared: OnceLock<Shared>,
    /// The ticks at which the first of the present readers came.
    begun: AtomicU64,
    /// How far back a snapshot goes, if the builder said so.
    pub(crate) window: Option<Duration>,
}

/// The ring of those who hold no P.
struct Shared {
    lock: SpinLock<()>,
    ring: Ring,
}

impl EventSeam {
    pub(super) fn new(sink: Option<Arc<dyn EventSink>>, window: Option<Duration>) -> Self {
        Self {
            on: AtomicU8::new(if sink.is_some() { SINK } else { 0 }),
            sink,
            readers: AtomicUsize::new(0),
            records: AtomicUsize::new(0),
            shared: OnceLock::new(),
            begun: AtomicU64::new(0),
            window,
        }
    }

    /// Whether anybody wants to know.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed) != 0
    }

    /// Whether a sink wants to know.
    pub(crate) fn tells(&self) -> bool {
        self.on.load(Ordering::Relaxed) & SINK != 0
    }

    /// Whether events are recorded.
    #[inline(always)]
    pub(crate) fn records(&self) -> bool {
        self.on.load(Ordering::Relaxed) & RING != 0
    }

    /// Switches the sink on or off; `false`: there is none.
    pub(crate) fn switch(&self, on: bool) -> bool {
        if on && self.sink.is_some() {
            self.on.fetch_or(SINK, Ordering::Relaxed);
        } else {
            self.on.fetch_and(!SINK, Ordering::Relaxed);
        }
        self.sink.is_some()
    }

    /// The sink, if somebody listens.
    #[inline(always)]
    pub(crate) fn listener(&self) -> Option<&Arc<dyn EventSink>> {
        if self.tells() { self.sink.as_ref() } else { None }
    }

    /// One reader more of rings that have this many records, unless they are there already. Under the scheduler's lock.
    pub(crate) fn open(&self, records: usize) -> usize {
        let records = match self.records.load(Ordering::Relaxed) {
            0 => records,
            there => there,
        };
        self.records.store(records, Ordering::Relaxed);
        self.shared.get_or_init(|| Shared { lock: SpinLock::new(()), ring: Ring::new(records / 4) });
        self.readers.fetch_add(1, Ordering::Relaxed);
        records
    }

    /// The rings are there: events are recorded from now on. Under the scheduler's lock.
    pub(crate) fn begin(&self) {
        if !self.records() {
            self.begun.store(ticks(), Ordering::Relaxed);
        }
        self.on.fetch_or(RING, Ordering::Relaxed);
    }

    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// One reader less, if there is one; the last one ends it.
    pub(crate) fn close(&self) {
        let one_less = |readers: usize| readers.checked_sub(1);
        if self.readers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) == Ok(1) {
            self.on.fetch_and(!RING, Ordering::Relaxed);
        }
    }

    /// Gives `p` its ring, if events are recorded or ever were.
    pub(crate) fn equip(&self, p: &PCore) {
        let records = self.records.load(Ordering::Relaxed);
        if records != 0 {
            // If it has been used before, what stands there is old: it is to say again who writes.
            p.ring.get_or_init(|| Ring::new(records)).sign_soon();
        }
    }

    pub(crate) fn shared_ring(&self) -> Option<&Ring> {
        self.shared.get().map(|shared| &shared.ring)
    }

    /// Writes an event into the shared ring, of whom it may concern.
    #[cold]
    #[inline(never)]
    pub(crate) fn write_shared(
        &self,
        m: Option<u64>,
        p: Option<u32>,
        kind: u8,
        number: u8,
        value: u64,
        more: impl IntoIterator<Item = Record>,
    ) {
        let Some(shared) = self.shared.get() else { return };
        let p = p.map_or(0, |p| u64::from(p) + 1);
        let whose = [p << 8 | u64::from(MORE), m.map_or(0, |m| m + 1)];
        shared.lock.with(|()| {
            let more = core::iter::once(whose).chain(more);
            shared.ring.push_with(kind, number, value, || (0, 0), more);
        });
    }
}

/// A text as records, fifteen bytes each, filled up with zeros.
pub(crate) fn text(text: &str) -> impl Iterator<Item = Record> {
    text.as_bytes().chunks(15).map(|chunk| {
        let mut bytes = [0; 16];
        bytes[0] = kind::TEXT;
        bytes[1..=chunk.len()].copy_from_slice(chunk);
        let word =
            |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        [word(0), word(8)]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sink_and_rings_are_switched_apart() {
        let seam = EventSeam::new(None, None);
        assert!(!seam.is_on() && !seam.switch(true) && !seam.is_on());
        assert_eq!(seam.open(1024), 1024);
        assert_eq!(seam.open(4096), 1024, "rings stay as they are");
        seam.begin();
        assert!(seam.records() && !seam.tells());
        seam.close();
        assert!(seam.records());
        seam.close();
        assert!(!seam.is_on());
        seam.close();
        seam.open(1024);
        seam.begin();
        seam.close();
        assert!(!seam.is_on(), "one who left without having come is not counted");
    }
}
