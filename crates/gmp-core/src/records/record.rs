//! Record: an M writes an event, into the ring of the P that it holds, or into the shared one.
//!
//! The right to the M's P is the caller's: it is on the M's thread, inside, or has taken the P from it.

use crate::ground::ring::{Record, Ring};
use crate::records::m::M;
use crate::records::recorder::EventSeam;

/// Writes an event of one record.
#[inline]
pub(crate) fn write(events: &EventSeam, m: Option<&M>, kind: u8, number: u8, value: u64) {
    match m.and_then(|m| Some((m, ring_of(m)?))) {
        Some((m, ring)) => ring.push(kind, number, value, || writer(m)),
        None => events.write_shared(m.map(|m| m.id), None, kind, number, value, []),
    }
}

/// [`write()`] by an M that has gone from goroutine `from` straight to another. The M holds a P.
#[inline]
pub(crate) fn write_hop(m: &M, kind: u8, number: u8, from: u64, to: u64) {
    if let Some(ring) = ring_of(m) {
        ring.push(kind, number, to, || (m.id, from));
    }
}

/// [`write()`] of an event with more to it.
#[cold]
pub(crate) fn write_with(
    events: &EventSeam,
    m: Option<&M>,
    kind: u8,
    number: u8,
    value: u64,
    more: impl IntoIterator<Item = Record>,
) {
    match m.and_then(|m| Some((m, ring_of(m)?))) {
        Some((m, ring)) => ring.push_with(kind, number, value, || writer(m), more),
        None => events.write_shared(m.map(|m| m.id), None, kind, number, value, more),
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
