//! Emit: how an event leaves the scheduler: to a sink, into a ring, or to both. The sink is code of others: it may neither
//! call the runtime nor unwind.

use crate::contract::Config;
use crate::entering::foreign::without_runtime;
use crate::ground::event::{Event, EventKind};
use crate::records::g::{Flags, G};
use crate::records::m::M;
use crate::records::record;
use crate::records::recorder::{kind, text};
use crate::records::trace::origin_of;
use crate::shared::sched::Sched;

/// The bits of a slice's count that a start tells, beside what else its number may say.
const SLICES: u32 = 0xff;

impl<C: Config> Sched<C> {
    /// Tells what happened to a goroutine, if there is anybody to tell.
    #[inline(always)]
    pub(crate) fn emit(&self, kind: EventKind, g: &G, m: Option<&M>, value: u64) {
        if self.header.events.is_on() {
            self.send_event(kind, g, m, value);
        }
    }

    pub(crate) fn emit_proc(&self, kind: EventKind, m: Option<&M>, p: Option<u32>, value: u64) {
        if self.header.events.is_on() {
            self.send_proc(kind, m, p, value);
        }
    }

    /// Sends a goroutine's event: off the hot paths.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_event(&self, kind: EventKind, g: &G, m: Option<&M>, value: u64) {
        let number = g.number.get();
        if self.header.events.records() {
            match kind {
                EventKind::GoCreate => self.record_birth(g, m),
                // Who reads the rings sees when each goroutine became runnable.
                EventKind::SchedLatency => {}
                EventKind::GoBlock => self.record(kind, m, g.reason.get() as u8, number),
                EventKind::GoStart => self.record(kind, m, slice_of(m), number),
                _ => self.record(kind, m, 0, number),
            }
        }
        if self.header.events.tells() {
            self.tell(Event { kind, goroutine: number, p: m.and_then(M::p_id), m: m.map(|m| m.id), value });
        }
    }

    /// Records an event that sinks are not told of.
    #[inline(always)]
    pub(crate) fn emit_recorded(&self, kind: EventKind, g: &G, m: &M) {
        if self.header.events.is_on() {
            self.record_only(kind, g, m);
        }
    }

    #[cold]
    #[inline(never)]
    fn record_only(&self, kind: EventKind, g: &G, m: &M) {
        if self.header.events.records() {
            let number = if kind == EventKind::GoStart { slice_of(Some(m)) } else { 0 };
            self.record(kind, Some(m), number, g.number.get());
        }
    }

    #[inline]
    fn record(&self, kind: EventKind, m: Option<&M>, number: u8, value: u64) {
        record::write(&self.header.events, m, kind::OF_EVENTS + kind as u8, number, value);
    }

    #[cold]
    fn record_birth(&self, g: &G, m: Option<&M>) {
        let name = g.extra().and_then(|extra| extra.name.as_deref()).unwrap_or("");
        let more = core::iter::once(origin_of(g.created_at.get(), g.table.get()));
        let more = more.chain(text(name));
        let system = u8::from(g.has(Flags::SYSTEM));
        record::write_with(&self.header.events, m, kind::OF_EVENTS, system, g.number.get(), more);
    }

    /// Says that `hopped`, which `m` ran, has parked, and that `next` runs there now.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_hop_of_parked(&self, hopped: &G, next: &G, m: &M) {
        if !self.header.events.records() {
            return self.send_event(EventKind::GoBlock, hopped, Some(m), 0);
        }
        let reason = hopped.reason.get() as u8;
        record::write_hop(m, kind::HOP_PARK, reason, hopped.number.get(), next.number.get());
    }

    /// Says that the goroutine of number `from` has yielded or ended (`kind`), and that `next` runs there now.
    pub(crate) fn record_hop(&self, kind: u8, from: u64, next: &G, m: &M) {
        record::write_hop(m, kind, slice_of(Some(m)), from, next.number.get());
    }

    /// Says that the goroutine of this number has ended on `m`, and that g0 goes on.
    pub(crate) fn record_end(&self, number: u64, m: &M) {
        self.record(EventKind::GoDestroy, Some(m), 0, number);
    }

    #[cold]
    #[inline(never)]
    fn send_proc(&self, kind: EventKind, m: Option<&M>, p: Option<u32>, value: u64) {
        if self.header.events.records() {
            match (kind, m) {
                (EventKind::ProcStart | EventKind::ProcStop, Some(m)) => self.record(kind, Some(m), 0, m.id),
                // An M has told it, when it let go of the P.
                (EventKind::ProcStop, None) => {}
                (_, Some(_)) => self.record(kind, m, 0, value),
                (_, None) => {
                    let kind = kind::OF_EVENTS + kind as u8;
                    self.header.events.write_shared(None, p, kind, 0, value, []);
                }
            }
        }
        if self.header.events.tells() {
            self.tell(Event { kind, goroutine: 0, p, m: m.map(|m| m.id), value });
        }
    }

    /// Records what the policy, or who hands Ps on, has decided on `m`, if anybody wants to know.
    #[inline]
    pub(crate) fn emit_decision(&self, kind: u8, m: Option<&M>, value: u64) {
        if self.header.events.records() {
            record::write(&self.header.events, m, kind, 0, value);
        }
    }

    /// The same of one who decides about a P that he holds no longer, or never held.
    pub(crate) fn emit_decision_about(&self, kind: u8, p: Option<u32>, value: u64) {
        if self.header.events.records() {
            self.header.events.write_shared(None, p, kind, 0, value, []);
        }
    }

    #[cold]
    fn tell(&self, event: Event) {
        if let Some(sink) = self.header.events.listener() {
            without_runtime("an event sink", || sink.event(&event));
        }
    }
}

fn slice_of(m: Option<&M>) -> u8 {
    m.and_then(M::p_core).map_or(0, |p| (p.slice.tick() & SLICES) as u8)
}
