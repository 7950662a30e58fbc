//! What sysmon remembers of a P between two rounds. Go: `sysmontick` (proc.go, Go 1.27).

use crate::contract::Config;
use crate::ground::clock::nanos;
use crate::records::p::P;
use crate::records::p::slice::SLICE;
use crate::records::p::timers::NEVER;
use crate::records::p::word::Call;
use crate::watching::retake::{Look, cpu_time};
use core::sync::atomic::Ordering;
use std::time::Duration;

/// How much longer than its slice a goroutine computes before its P is taken. One that calls the runtime now and then
/// has made room by then.
pub(super) const GRACE: Duration = Duration::from_micros(500);

/// What sysmon remembers of a P.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) tick: u32,
    pub(super) since: u64,
    /// The M's CPU clock when the slice was first seen, and what it said.
    pub(super) clock: (i32, Option<u64>),
    /// The P's count of blocking calls at that moment.
    calls: u64,
    /// When the slice was found to be over, and what the clock said then.
    pub(super) ended: Option<(u64, u64)>,
    /// When the P is to be looked at again for its slice.
    pub(super) look_at: u64,
    pub(super) call: Call,
    pub(super) call_since: u64,
    pub(super) look: Look,
}

impl Seen {
    pub(super) const NOTHING: Seen = Seen {
        tick: 0,
        since: 0,
        clock: (0, None),
        calls: 0,
        ended: None,
        look_at: NEVER,
        call: Call::NONE,
        call_since: 0,
        look: Look::NOTHING,
    };

    /// Whether the slice that was seen goes on, on the same M.
    pub(super) fn is_same<C: Config>(&self, p: &P<C>) -> bool {
        self.tick == p.core.slice.tick() && self.clock.0 == p.core.cpu_clock.load(Ordering::Relaxed)
    }

    /// How much of its thread's CPU time that slice has used by `now`, or of the wall's where there is no clock for that.
    fn used<C: Config>(&self, now: u64) -> u64 {
        let used = self.clock.1.zip(cpu_time::<C>(self.clock.0)).map(|(then, now)| now.saturating_sub(then));
        used.unwrap_or(now.saturating_sub(self.since))
    }

    /// Whether the slice that was seen goes on and has used so much.
    pub(super) fn has_used<C: Config>(&self, p: &P<C>, time: u64, now: u64) -> bool {
        self.is_same(p) && self.used::<C>(now) >= time
    }

    /// Asks for the P's next switch to end the slice, if it has lasted 10 ms: of its thread's CPU time where there is a
    /// clock for that, so that a goroutine is not blamed for the time in which the system let others run; Go goes by
    /// the wall. While goroutines of this runtime overrun, the wall counts here, too: it is they who take the CPU then.
    /// Go: `preemptone`.
    #[doc(alias = "preemptone")]
    pub(super) fn end_slice<C: Config>(&mut self, p: &P<C>, now: u64, some_overrun: bool) {
        let slice = nanos(SLICE);
        if !self.is_same(p) {
            let clock = p.core.cpu_clock.load(Ordering::Relaxed);
            (self.tick, self.since) = (p.core.slice.tick(), now);
            (self.clock, self.calls) = ((clock, cpu_time::<C>(clock)), p.core.word.calls());
            (self.ended, self.look_at) = (None, now + slice);
            return;
        }
        if now.saturating_sub(self.since) < slice {
            return;
        }
        // A timer that has been due for as long must not wait for what else the machine does.
        let timer_waits = p.core.timers.next().saturating_add(slice) <= now;
        // Time in blocking calls is the goroutine's own doing, and no clock of the CPU counts it.
        let called = self.calls != p.core.word.calls();
        let used = self.used::<C>(now);
        if !(called || timer_waits || some_overrun || used >= slice) {
            self.look_at = now + slice - used;
        } else if self.ended.is_none() || !p.core.slice.is_over() {
            self.ended = cpu_time::<C>(self.clock.0).map(|clock| (now, clock));
            self.look_at = now + nanos(GRACE);
            p.core.slice.end();
        }
    }
}
