//! `Ring`: where one writer leaves records that others may copy at any time: the last ones stay, older ones are
//! overwritten.
//!
//! ```text
//!   writer                                     reader
//!   ──────                                     ──────
//!   slots[written..] = records, Release        upto = written, Acquire
//!   written += records, Release                copy the slots before `upto`
//!                                              fence, Acquire; again = written
//!                                              keep what lies less than N - SLACK before `again`
//! ```
//!
//! **Invariant.** A record that is kept is one that was written, whole. A reader that has met a word of record `j` in a
//! slot sees, behind its fence, all that the writer stored before that word: a `written` of at least `j - SLACK`, since
//! at most `SLACK` records are written before they are counted. So the older record that it was after, `j - N`, is not
//! kept.
//!
//! Nobody waits for anybody, and the writer's stores are plain ones on x86. Who the writer is the caller decides: the
//! holder of a P, or of a lock. Two at once would mix their records up, and nothing worse: all words are atomic.

use crate::ground::sync::AtomicU64;
use crate::ground::ticks::ticks;
use core::sync::atomic::AtomicU64 as WritersOwn;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

#[cfg(not(loom))]
use core::sync::atomic::fence;
#[cfg(loom)]
use loom::sync::atomic::fence;

/// A record: time, a number and a kind in the first word; whatever the kind says in the second.
pub(crate) type Record = [u64; 2];

/// The most records that are written before they are counted.
#[cfg(not(loom))]
pub(crate) const SLACK: u64 = 128;
#[cfg(loom)]
pub(crate) const SLACK: u64 = 3;

/// How many records there are between two that say who writes.
const BETWEEN_SIGNS: u64 = 512;

/// How many ticks pass before another look at the queues is due: some ten microseconds.
const BETWEEN_LOOKS: u64 = 1 << 15;

/// The kind of such a record: the second word is the writer's M, and the record behind it has the goroutine that runs
/// there.
pub(crate) const SIGN: u8 = 1;
/// The kind of a record that goes with the one before it: a number.
pub(crate) const MORE: u8 = 2;

/// The ring.
#[derive(Debug)]
pub(crate) struct Ring {
    slots: Box<[[AtomicU64; 2]]>,
    written: AtomicU64,
    /// The writer's: when the next sign is due.
    next_sign: AtomicU64,
    /// The writer's: from which ticks on a look at the queues is due.
    next_look: WritersOwn,
}

/// What a reader has copied.
#[derive(Debug, Default)]
pub(crate) struct Copied {
    /// The number of the first record.
    pub(crate) first: u64,
    pub(crate) records: Vec<Record>,
}

impl Ring {
    /// A ring for this many records, rounded up to a power of two.
    pub(crate) fn new(records: usize) -> Self {
        let records = records.max(2 * SLACK as usize).next_power_of_two();
        Self {
            slots: zeroed(records),
            written: AtomicU64::new(0),
            next_sign: AtomicU64::new(0),
            next_look: WritersOwn::new(0),
        }
    }

    /// Writes an event of one record. `writer` says who writes: an M and the goroutine that runs on it. By the one writer.
    /// Returns the event's ticks if a look at the queues is due.
    #[inline(always)]
    pub(crate) fn push(
        &self,
        kind: u8,
        number: u8,
        value: u64,
        writer: impl FnOnce() -> (u64, u64),
    ) -> Option<u64> {
        let now = ticks();
        let at = self.begin(now, [u64::from(number) << 8 | u64::from(kind), value], writer);
        self.publish(at);
        self.due(now)
    }

    /// Writes an event with further records behind it, as many as there is room for. By the one writer. Returns what
    /// [`Ring::push`] does.
    #[inline]
    pub(crate) fn push_with(
        &self,
        kind: u8,
        number: u8,
        value: u64,
        writer: impl FnOnce() -> (u64, u64),
        more: impl IntoIterator<Item = Record>,
    ) -> Option<u64> {
        let now = ticks();
        let mut at = self.begin(now, [u64::from(number) << 8 | u64::from(kind), value], writer);
        for record in more.into_iter().take((SLACK as usize).saturating_sub(3)) {
            self.put(at, record);
            at += 1;
        }
        self.publish(at);
        self.due(now)
    }

    /// Writes what a look at the queues has seen that was due, with the ticks of the event that it comes with. By the one
    /// writer.
    pub(crate) fn push_look(&self, now: u64, kind: u8, number: u8, value: u64) {
        let at = self.written_by_us();
        self.put(at, [now << 16 | u64::from(number) << 8 | u64::from(kind), value]);
        self.publish(at + 1);
        self.next_look.store(now.saturating_add(BETWEEN_LOOKS), Relaxed);
    }

    /// A look at the queues is due with the next event. By the one writer.
    pub(crate) fn look_soon(&self) {
        self.next_look.store(0, Relaxed);
    }

    #[inline(always)]
    fn due(&self, now: u64) -> Option<u64> {
        (now >= self.next_look.load(Relaxed)).then_some(now)
    }

    #[inline(always)]
    fn begin(&self, now: u64, [first, value]: Record, writer: impl FnOnce() -> (u64, u64)) -> u64 {
        let time = now << 16;
        let mut at = self.written_by_us();
        if at >= self.next_sign.load(Relaxed) {
            at = self.sign(at, time, writer());
        }
        self.put(at, [time | first, value]);
        at + 1
    }

    /// The writer's own count.
    #[inline(always)]
    fn written_by_us(&self) -> u64 {
        #[cfg(not(loom))]
        return self.written.load(Relaxed);
        // loom takes a store for a rival of the latest load alone: if that is the writer's own, it does not try the
        // reader's before and after the store.
        // SAFETY: nobody stores at the same time, since this is the one writer.
        #[cfg(loom)]
        return unsafe { self.written.unsync_load() };
    }

    #[cold]
    #[inline(never)]
    fn sign(&self, at: u64, time: u64, (m, g): (u64, u64)) -> u64 {
        self.put(at, [time | u64::from(SIGN), m]);
        self.put(at + 1, [u64::from(MORE), g]);
        self.next_sign.store(at + BETWEEN_SIGNS, Relaxed);
        at + 2
    }

    /// The next event is to say who writes it. By anybody: the writer may miss it once.
    pub(crate) fn sign_soon(&self) {
        self.next_sign.store(0, Relaxed);
    }

    #[inline(always)]
    fn put(&self, at: u64, [first, second]: Record) {
        let slot = &self.slots[at as usize & (self.slots.len() - 1)];
        // ORDER: trace-slot. Release pairs with the fence in `copy`: who meets this word sees how far we had counted.
        slot[0].store(first, Release);
        // ORDER: trace-slot. As above.
        slot[1].store(second, Release);
    }

    #[inline(always)]
    fn publish(&self, at: u64) {
        // ORDER: trace-written. Release pairs with `copy`: the records before it are there.
        self.written.store(at, Release);
    }

    /// Copies what is left of the records from number `from` on. By anybody, at any time.
    pub(crate) fn copy(&self, from: u64) -> Copied {
        let room = self.slots.len() as u64;
        // ORDER: trace-written. Acquire pairs with `publish`.
        let upto = self.written.load(Acquire);
        let first = from.max((upto + SLACK).saturating_sub(room)).min(upto);
        let read = |at: u64| {
            let slot = &self.slots[at as usize & (self.slots.len() - 1)];
            [slot[0].load(Relaxed), slot[1].load(Relaxed)]
        };
        let mut records: Vec<Record> = (first..upto).map(read).collect();
        // ORDER: trace-slot. The fence pairs with `put`.
        fence(Acquire);
        let again = self.written.load(Relaxed);
        let kept = first.max((again + SLACK).saturating_sub(room)).min(upto);
        records.drain(..(kept - first) as usize);
        Copied { first: kept, records }
    }
}

/// Slots that nobody has written. The system gives zeroed memory when it is first touched, so what is not used costs
/// nothing.
#[cfg(not(loom))]
fn zeroed(records: usize) -> Box<[[AtomicU64; 2]]> {
    // SAFETY: a zeroed atomic number is a number.
    unsafe { Box::new_zeroed_slice(records).assume_init() }
}

#[cfg(loom)]
fn zeroed(records: usize) -> Box<[[AtomicU64; 2]]> {
    (0..records).map(|_| [AtomicU64::new(0), AtomicU64::new(0)]).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    fn value_of(ring: &Ring, n: u64) {
        // Both words tell the same number, so that a torn record shows.
        ring.push_with(9, 0, n, || (7, 8), [[(n << 8) | u64::from(MORE), !n]]);
    }

    /// The numbers of the events in what was copied; every record must be whole.
    fn numbers(records: &[Record]) -> Vec<u64> {
        let start = records.iter().position(|record| record[0] as u8 != MORE).unwrap_or(records.len());
        let mut rest = records[start..].iter();
        let mut found = Vec::new();
        while let Some(record) = rest.next() {
            let more = rest.next().expect("events are counted whole");
            assert_eq!(more[0] as u8, MORE);
            match record[0] as u8 {
                SIGN => assert_eq!((record[1], more[1]), (7, 8)),
                9 => {
                    assert_eq!((more[0] >> 8, more[1]), (record[1], !record[1]), "a torn event");
                    found.push(record[1]);
                }
                kind => panic!("no such kind was written: {kind}"),
            }
        }
        found
    }

    #[test]
    fn the_last_records_stay() {
        let ring = Ring::new(1024);
        (0..10_000).for_each(|n| value_of(&ring, n));
        let found = numbers(&ring.copy(0).records);
        assert_eq!(*found.last().unwrap(), 9_999);
        assert!(found.len() > 400 && found.is_sorted_by(|a, b| a + 1 == *b), "{found:?}");
    }

    #[test]
    fn a_copy_goes_on_where_the_last_one_ended() {
        let (ring, mut from, mut all) = (Ring::new(1024), 0, Vec::new());
        for n in 0..1_000 {
            value_of(&ring, n);
            if n % 7 == 0 {
                let copied = ring.copy(from);
                from = copied.first + copied.records.len() as u64;
                all.extend(numbers(&copied.records));
            }
        }
        all.extend(numbers(&ring.copy(from).records));
        assert!(all.iter().copied().eq(0..1_000), "{all:?}");
    }

    #[test]
    fn a_look_is_due_once_in_a_while() {
        let ring = Ring::new(1024);
        let now = ring.push(9, 0, 1, || (7, 8)).expect("the first look is due at once");
        ring.push_look(now, 10, 3, 5);
        let records = ring.copy(0).records;
        assert_eq!(records.last(), Some(&[now << 16 | 3 << 8 | 10, 5]));
        // Whatever the clock says by now.
        ring.push_look(u64::MAX, 10, 3, 5);
        assert_eq!(ring.push(9, 0, 1, || (7, 8)), None);
        ring.look_soon();
        assert!(ring.push(9, 0, 1, || (7, 8)).is_some());
    }

    #[test]
    fn no_torn_record_is_kept_while_it_is_written() {
        let (ring, stop) = (Ring::new(512), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut n = 0;
                while !stop.load(Relaxed) {
                    value_of(&ring, n);
                    n += 1;
                }
            });
            for _ in 0..2_000 {
                let found = numbers(&ring.copy(0).records);
                assert!(found.is_sorted_by(|a, b| a + 1 == *b), "{found:?}");
            }
            stop.store(true, Relaxed);
        });
    }
}
