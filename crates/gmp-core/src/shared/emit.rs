//! Emit: how an event leaves the scheduler. The sink is code of others: it may neither call the runtime nor unwind.

use crate::contract::Config;
use crate::entering::foreign::without_runtime;
use crate::ground::event::{Event, EventKind};
use crate::records::g::G;
use crate::records::m::M;
use crate::shared::sched::Sched;

impl<C: Config> Sched<C> {
    /// Tells the sink what happened to a goroutine, if there is one that listens.
    #[inline(always)]
    pub(crate) fn emit(&self, kind: EventKind, g: &G, m: Option<&M>, value: u64) {
        if self.header.events.is_on() {
            self.send_event(kind, g.number.get(), m, value);
        }
    }

    pub(crate) fn emit_proc(&self, kind: EventKind, m: Option<&M>, p: Option<u32>, value: u64) {
        if self.header.events.is_on() {
            self.tell(Event { kind, goroutine: 0, p, m: m.map(|m| m.id), value });
        }
    }

    /// Sends a goroutine's event: off the hot paths.
    #[cold]
    #[inline(never)]
    pub(crate) fn send_event(&self, kind: EventKind, goroutine: u64, m: Option<&M>, value: u64) {
        self.tell(Event { kind, goroutine, p: m.and_then(M::p_id), m: m.map(|m| m.id), value });
    }

    #[cold]
    fn tell(&self, event: Event) {
        if let Some(sink) = self.header.events.listener() {
            without_runtime("an event sink", || sink.event(&event));
        }
    }
}
