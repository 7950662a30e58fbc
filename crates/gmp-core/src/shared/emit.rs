//! Emit: how an event leaves the scheduler: to a sink, into a ring, or to both. The sink is code of others: it may neither
//! call the runtime nor unwind.

use crate::contract::{Config, SharedQueue, Thief};
use crate::entering::foreign::without_runtime;
use crate::ground::event::{Event, EventKind};
use crate::records::g::{Flags, G};
use crate::records::m::M;
use crate::records::p::P;
use crate::records::record;
use crate::records::recorder::{Seen, kind, text};
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
            let due = match kind {
                EventKind::GoCreate => self.record_birth(g, m),
                // Who reads the rings sees when each goroutine became runnable.
                EventKind::SchedLatency => None,
                EventKind::GoBlock => self.record(kind, m, g.reason.get() as u8, number),
                EventKind::GoStart => self.record(kind, m, slice_of(m), number),
                _ => self.record(kind, m, 0, number),
            };
            if let (Some(now), Some(m), Some(seen)) = (due, m, seen_with(kind)) {
                self.look_at_queues(m, now, seen);
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
    fn record(&self, kind: EventKind, m: Option<&M>, number: u8, value: u64) -> Option<u64> {
        record::write(&self.header.events, m, kind::OF_EVENTS + kind as u8, number, value)
    }

    /// Records how long the queues are, with an event that `m` has just recorded.
    #[cold]
    #[inline(never)]
    fn look_at_queues(&self, m: &M, now: u64, seen: Seen) {
        // SAFETY: the caller is on `m`, which holds the P whose ring has its event; Ps live as long as the runtime.
        let p = unsafe { &*m.p().cast::<P<C>>() };
        let (own, shared) = self.policy(m, || (p.thief.len(), self.shared.len()));
        record::write_look(m, now, seen, own, shared);
    }

    #[cold]
    fn record_birth(&self, g: &G, m: Option<&M>) -> Option<u64> {
        let name = g.extra().and_then(|extra| extra.name.as_deref()).unwrap_or("");
        let more = core::iter::once(origin_of(g.created_at.get(), g.table.get()));
        let more = more.chain(text(name));
        let system = u8::from(g.has(Flags::SYSTEM));
        record::write_with(&self.header.events, m, kind::OF_EVENTS, system, g.number.get(), more)
    }

    /// Says that `hopped`, which `m` ran, has parked, and that `next` runs there now.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_hop_of_parked(&self, hopped: &G, next: &G, m: &M) {
        if !self.header.events.records() {
            return self.send_event(EventKind::GoBlock, hopped, Some(m), 0);
        }
        let reason = hopped.reason.get() as u8;
        let due = record::write_hop(m, kind::HOP_PARK, reason, hopped.number.get(), next.number.get());
        if let Some(now) = due {
            self.look_at_queues(m, now, Seen::Popped);
        }
    }

    /// Says that the goroutine of number `from` has yielded or ended (`kind`), and that `next` runs there now. That was the
    /// first of `took` goroutines from the shared queue, or, if that is 0, of the P's own.
    pub(crate) fn record_hop(&self, kind: u8, from: u64, next: &G, m: &M, took: usize) {
        if took != 0 {
            record::write_hop(m, kind::FROM_SHARED, 0, from, took as u64);
        }
        if let Some(now) = record::write_hop(m, kind, slice_of(Some(m)), from, next.number.get()) {
            self.look_at_queues(m, now, if took == 0 { Seen::Popped } else { Seen::After });
        }
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
                (EventKind::ProcStart, Some(m)) => _ = self.record(kind, Some(m), 0, m.id),
                (EventKind::ProcStop, Some(m)) => self.record_stop(m),
                // An M has told it, when it let go of the P.
                (EventKind::ProcStop, None) => {}
                (_, Some(_)) => _ = self.record(kind, m, 0, value),
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

    /// Records that `m`, which still holds its P, lets go of it. Nobody else looks at the P's queue for now.
    fn record_stop(&self, m: &M) {
        record::look_soon(m);
        if let Some(now) = self.record(EventKind::ProcStop, Some(m), 0, m.id) {
            self.look_at_queues(m, now, Seen::Before);
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

/// When the length of the P's queue is looked at, with an event that an M records of itself on its own thread; what sysmon
/// may record in its place brings no look.
fn seen_with(kind: EventKind) -> Option<Seen> {
    match kind {
        EventKind::GoStart => Some(Seen::After),
        EventKind::GoCreate
        | EventKind::GoUnblock
        | EventKind::GoBlock
        | EventKind::GoStop
        | EventKind::GoPreempt
        | EventKind::GoDestroy => Some(Seen::Before),
        _ => None,
    }
}

fn slice_of(m: Option<&M>) -> u8 {
    m.and_then(M::p_core).map_or(0, |p| (p.slice.tick() & SLICES) as u8)
}
