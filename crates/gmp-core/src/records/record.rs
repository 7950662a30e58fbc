//! Record: an M writes an event, into the ring of the P that it holds, or into the shared one.
//!
//! The right to the M's P is the caller's: it is on the M's thread, inside, or has taken the P from it.

use crate::ground::ring::{Record, Ring};
use crate::records::m::M;
use crate::records::recorder::{EventSeam, Seen, kind};

/// Writes an event of one record. Returns its ticks if it is in the ring of the P of `m` and a look at the queues is due.
#[inline]
pub(crate) fn write(events: &EventSeam, m: Option<&M>, kind: u8, number: u8, value: u64) -> Option<u64> {
    match m.and_then(|m| Some((m, ring_of(m)?))) {
        Some((m, ring)) => ring.push(kind, number, value, || writer(m)),
        None => {
            events.write_shared(m.map(|m| m.id), None, kind, number, value, []);
            None
        }
    }
}

/// [`write()`] by an M that has gone from goroutine `from` straight to another, returning the same. The M holds a P.
#[inline]
pub(crate) fn write_hop(m: &M, kind: u8, number: u8, from: u64, to: u64) -> Option<u64> {
    ring_of(m)?.push(kind, number, to, || (m.id, from))
}

/// Writes how long `m`, which holds its P, has found the queues with an event of these ticks.
pub(crate) fn write_look(m: &M, now: u64, seen: Seen, own: usize, shared: usize) {
    let short = |length: usize| u64::from(u32::try_from(length).unwrap_or(u32::MAX));
    if let Some(ring) = ring_of(m) {
        ring.push_look(now, kind::QUEUES, seen as u8, short(own) << 32 | short(shared));
    }
}

/// A look at the queues is due with the next event of `m`, which holds its P.
pub(crate) fn look_soon(m: &M) {
    if let Some(ring) = ring_of(m) {
        ring.look_soon();
    }
}

/// [`write()`] of an event with more to it, returning the same.
#[cold]
pub(crate) fn write_with(
    events: &EventSeam,
    m: Option<&M>,
    kind: u8,
    number: u8,
    value: u64,
    more: impl IntoIterator<Item = Record>,
) -> Option<u64> {
    match m.and_then(|m| Some((m, ring_of(m)?))) {
        Some((m, ring)) => ring.push_with(kind, number, value, || writer(m), more),
        None => {
            events.write_shared(m.map(|m| m.id), None, kind, number, value, more);
            None
        }
    }
}

#[inline]
fn ring_of(m: &M) -> Option<&Ring> {
    m.p_core()?.ring.get()
}

/// Who writes on `m`: the M and the goroutine that it runs.
#[cold]
fn writer(m: &M) -> (u64, u64) {
    // SAFETY: records are never freed.
    (m.id, unsafe { m.running().as_ref() }.map_or(0, |g| g.number.get()))
}
