//! Blocking, the scheduler's half: a P is lent out, and its goroutine comes back with it, with another one, or to a
//! queue. `life/blocking.rs` has what users call, and says how the two sides agree.

use super::switch::leave_stack;
use crate::contract::Config;
use crate::entering::gate;
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::G;
use crate::records::m::door::Way;
use crate::records::m::{Leave, M};
use crate::records::p::{OwnedP, P, PCore};
use crate::shared::sched::Sched;
use core::sync::atomic::Ordering;

/// A call that lasts this long holds up those who wait for the P: it is sysmon's shortest pause, after which sysmon
/// might have taken the P.
const HOLDS_UP: u64 = 20_000;

/// One call in so many is timed while others wait: the clock, asked twice, takes as long as a short call. It is odd, since
/// calls may come in pairs, one long and one short.
const TIMED: u8 = 31;

/// After a call that held others up, so many let them run first. Calls may be short because of that; and the kernel may
/// have run another thread in the middle of the long one.
const POLITE: u16 = 1000;

/// Then so many are timed without that, to see whether they hold anybody up.
const PROBES: u16 = 8;

impl<C: Config> Sched<C> {
    /// [`AnyRuntime::begin_blocking`](crate::records::rt::AnyRuntime::begin_blocking).
    pub(crate) fn begin_blocking_here(&self, g: &'static G) {
        let m = m_of(g);
        // SAFETY: a goroutine that begins a call has a P, whose core is its first field, and Ps live as long as the
        // runtime.
        let p = unsafe { &*m.p().cast::<P<C>>() };
        // SAFETY: it keeps the P during this call.
        let queues = unsafe { self.queues() };
        if !self.policy(m, || queues.are_empty_at(p)) {
            self.begin_beside_others(g, m, &p.core);
        }
        if m_of(g).reserve.get() {
            leave_the_reserve(g);
        }
        self.enter_blocking_here(g);
    }

    /// Others wait for the P on which `g` begins a call. If such calls hold them up, `g` lets them run first.
    fn begin_beside_others(&self, g: &'static G, m: &M, p: &PCore) {
        let left = p.held_up.get();
        p.held_up.set(left.saturating_sub(1));
        if left > PROBES && g.home().is_null() {
            return gate::Inside::of_late_comer(g).leave(Leave::Yield);
        }
        let calls = p.calls_beside.get();
        p.calls_beside.set(calls.wrapping_add(1));
        if left != 0 || calls.is_multiple_of(TIMED) {
            m.call_began.set(self.header.now());
        }
    }

    /// A call that began with others waiting for `p` is over, and nobody has taken the P.
    #[cold]
    fn note_length(&self, p: &PCore, began: u64) {
        if self.header.now().saturating_sub(began) >= HOLDS_UP {
            p.held_up.set(POLITE + PROBES);
        }
    }

    /// See [`AnyRuntime::step_aside`](crate::records::rt::AnyRuntime::step_aside). sysmon takes the P at its next look.
    pub(crate) fn step_aside_here(&self, g: &'static G) {
        let m = m_of(g);
        if self.begin_slice_if_alone(m) {
            return;
        }
        self.enter_blocking_here(g);
        m.step_aside();
        self.sysmon.note.wake();
    }

    /// Begins the next slice of the goroutine on `m`, which holds its P, if g0 would do nothing but run it again. Go would
    /// stop it, and then run it again. What becomes runnable, or due, a moment later waits for the end of that slice.
    fn begin_slice_if_alone(&self, m: &M) -> bool {
        // SAFETY: the caller says that `m` holds a P, whose core is its first field; Ps live as long as the runtime.
        let p = unsafe { &*m.p().cast::<P<C>>() };
        // SAFETY: it keeps the P during this call.
        let queues = unsafe { self.queues() };
        let alone = self.attention() == 0
            && m.inbox.is_empty()
            && p.core.timers.next() > self.header.now()
            && self.policy(m, || queues.are_empty_at(p));
        if alone {
            p.core.slice.begin();
        }
        alone
    }

    pub(crate) fn enter_blocking_here(&self, g: &'static G) {
        let m = m_of(g);
        gate::promote_jobs(g, m);
        self.emit(EventKind::GoSyscallBegin, g, Some(m), 0);
        g.word.to_blocked();
        let p = m.take_p();
        // SAFETY: a goroutine inside the runtime has a P, and Ps live as long as the runtime.
        let call = unsafe { &*p }.word.enter_blocking();
        m.lent.set((p, call));
        m.lent_since.set(self.header.coarse_now());
        self.sysmon.wake_from_light_sleep();
    }

    pub(crate) fn leave_blocking_here(&self, g: &'static G) {
        let m = m_of(g);
        let began = m.call_began.replace(0);
        let was_taken = m.door.way() == Way::Taken;
        let (p, kept) = m.come_back();
        if kept {
            g.word.to_unblocked();
            if began != 0 {
                // SAFETY: Ps live as long as the runtime.
                self.note_length(unsafe { &*p }, began);
            }
            self.emit(EventKind::GoSyscallEnd, g, Some(m), 0);
        } else {
            self.leave_blocking_without_p(g, m, p, was_taken);
        }
    }

    /// The P was taken: the goroutine gets the same one back if that is idle by now, else any idle one; if none is
    /// idle, it queues.
    #[cold]
    fn leave_blocking_without_p(&self, g: &'static G, m: &M, lost: *const PCore, was_taken: bool) {
        self.emit(EventKind::GoSyscallEndBlocked, g, Some(m), 0);
        if was_taken {
            self.has_come_back(g, m);
        }
        if let Some(p) = self.take_idle_p_for(lost, attention::STOP) {
            return self.go_on_with(g, m, p);
        }
        // One that is bound to its thread could not queue behind the others.
        let is_bound = !g.home().is_null();
        let taken = if is_bound { None } else { gate::on_g0(g, |_| self.take_p_of_a_sleeper()) };
        if let Some(p) = taken {
            let others_wait = self.somebody_waits_for(&p, self.header.now());
            self.go_on_with(g, m, p);
            if others_wait {
                // They queued before this one came.
                gate::Inside::of_late_comer(g).leave(Leave::Yield);
            }
            return;
        }
        // The call may be ending by an unwind, and then the goroutine must not come back on another M.
        gate::Inside::of_late_comer(g).reserve_m_while_panicking();
        m.leave.set(Leave::LostP);
        // SAFETY: we are on this goroutine's stack, it runs on this M, and the reason is set.
        unsafe { leave_stack::<C>(g) };
    }

    /// See [`AnyRuntime::come_back_at_once`](crate::records::rt::AnyRuntime::come_back_at_once).
    ///
    /// The idle P is taken first. Once the goroutine has said that it is back there is no way to say that it is not, so
    /// it says so only with a P in hand.
    pub(crate) fn come_back_at_once_here(&self, g: &'static G) {
        if !self.header.some_p_idle.load(Ordering::Relaxed) {
            return;
        }
        let m = m_of(g);
        let lent = m.lent_p().map_or(core::ptr::null(), core::ptr::from_ref);
        let Some(idle) = self.take_idle_p_for(lent, attention::STOP | attention::CLOSING) else { return };
        let was_taken = m.door.way() == Way::Taken;
        let (p, kept) = m.come_back();
        if !kept {
            self.emit(EventKind::GoSyscallEndBlocked, g, Some(m), 0);
            if was_taken {
                self.has_come_back(g, m);
            }
            return self.go_on_with(g, m, idle);
        }
        // Nobody has wanted the one that it lent out: it goes on there, as one that yields with nobody to yield to.
        // SAFETY: Ps live as long as the runtime.
        unsafe { &*p }.slice.begin();
        g.word.to_unblocked();
        self.emit(EventKind::GoSyscallEnd, g, Some(m), 0);
        self.hand_off(idle);
    }

    /// An idle P for a goroutine that comes back: the one that it had, if that is idle by now, else any. None while there
    /// is a call for attention of one of these kinds.
    fn take_idle_p_for(&self, had: *const PCore, unless: u32) -> Option<OwnedP<C>> {
        let mut lists = self.lock();
        if self.attention() & unless != 0 {
            return None;
        }
        self.take_idle_p_at(&mut lists, had).or_else(|| self.take_idle_p(&mut lists))
    }

    /// Goes on with a P that the caller has got.
    fn go_on_with(&self, g: &G, m: &M, p: OwnedP<C>) {
        p.core.word.acquire();
        p.core.cpu_clock.store(m.cpu_clock.load(Ordering::Relaxed), Ordering::Relaxed);
        if !m.inbox.is_empty() {
            // Nobody else runs those who are pinned to this thread, and they may have waited for all of the call.
            p.core.slice.end();
        }
        let id = p.core.id;
        m.hold(p.into_core());
        if self.header.events.records() {
            self.emit_proc(EventKind::ProcStart, Some(m), Some(id), 0);
            self.emit_recorded(EventKind::GoStart, g, m);
        }
        g.word.to_unblocked();
    }

    /// Counts a P that was taken from a blocking call and given to another M.
    pub(crate) fn count_handoff(&self) {
        self.handoffs.fetch_add(1, Ordering::Relaxed);
    }
}

/// At the limit of threads the last thread that runs goroutines must not block: the caller waits for another one.
#[cold]
fn leave_the_reserve(g: &'static G) {
    // A goroutine that is bound to this thread, or that is to unwind, has nowhere else to go.
    let may_leave = || g.home().is_null() && !g.header().is_unwinding();
    while m_of(g).reserve.get() && may_leave() {
        gate::Inside::of_late_comer(g).leave(Leave::WantsThread);
    }
}

fn m_of(g: &G) -> &M {
    // SAFETY: the M that runs the calling goroutine lives.
    unsafe { &*g.m() }
}
