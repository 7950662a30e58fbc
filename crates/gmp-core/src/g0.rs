//! `G0`: the scheduler on an M's own stack: find a goroutine, run it, act on why it left.

mod arrive;
mod blocking;
mod commit;
mod execute;
mod exit;
mod find;
mod hop;
mod idle;
mod leave;
mod limit;
#[cfg(all(test, loom))]
mod loom_hop;
mod steal;
mod switch;
mod timers;
mod watch;

use crate::contract::{Carry, Config, Switch, ThreadSlice, VictimOrder};
use crate::ground::event::EventKind;
use crate::records::g::G;
use crate::records::m::M;
use crate::records::p::{OwnedP, P};
use crate::shared::sched::{OrderOf, Sched, SlotOf};
use crate::waking::wake::refusal;
use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering;
use crossbeam_epoch::LocalHandle;
use std::sync::Arc;

pub(crate) use switch::leave_stack;

/// An M's scheduler: made on its thread, never leaves it.
pub(crate) struct G0<'a, C: Config> {
    pub(crate) sched: &'a Sched<C>,
    pub(crate) m: &'a M,
    /// The M's own entry to the table of Ms; used here and by sysmon only, never on a goroutine's stack.
    pub(crate) epoch: LocalHandle,
    /// The alternate signal stack, for as long as the M runs goroutines.
    _thread: <C::Switch as Switch>::Thread,
}

impl<'a, C: Config> G0<'a, C> {
    /// Makes the calling thread an M. Go: `mstart`, `minit`.
    #[doc(alias = "mstart")]
    pub(crate) fn attach(sched: &'a Sched<C>, m: &'a M) -> std::io::Result<Self> {
        let thread = C::Switch::attach_thread()?;
        m.note.adopt();
        m.cpu_clock.store(C::Switch::cpu_clock().unwrap_or(0), Ordering::Relaxed);
        m.thread_id.store(C::Switch::thread_id().unwrap_or(0), Ordering::Relaxed);
        m.home.set(C::Switch::home(&thread));
        crate::entering::caller::set_scheduler::<SlotOf<C>>(m);
        Ok(Self { sched, m, epoch: sched.collector.register(), _thread: thread })
    }

    /// The life of an M that is not m0.
    pub(crate) fn thread(sched: Arc<Sched<C>>, m: Arc<M>) {
        let guard = Sched::<C>::no_unwind();
        match G0::attach(&sched, &m) {
            Ok(g0) => {
                sched.lock().refused_threads.end();
                // sysmon may have made this thread, which then has its short slice of the CPU.
                C::Switch::ask_for_slice(m.thread_id.load(Ordering::Relaxed), ThreadSlice::Usual);
                g0.take_next_p();
                g0.schedule();
                g0.detach();
            }
            Err(error) => {
                let error = refusal("a signal stack for a thread", &error);
                sched.thread_refused(&mut sched.lock(), &m, error);
            }
        }
        sched.thread_ended(&m);
        core::mem::forget(guard);
    }

    /// The calling thread is no M any more. Its P is gone already.
    pub(crate) fn detach(self) {
        crate::entering::caller::set_plain::<SlotOf<C>>();
    }

    /// The g0 loop: until the runtime closes, or the M's thread is to end. Go: `schedule`.
    pub(crate) fn schedule(&self) {
        while let Some(popped) = self.next() {
            if !self.execute(popped.token, popped.inherits) {
                return;
            }
        }
    }

    /// The P in hand, borrowed for a moment.
    #[inline]
    pub(crate) fn p(&self) -> ManuallyDrop<OwnedP<C>> {
        // SAFETY: we are on this M's thread, and every caller has made sure of a P.
        unsafe { self.sched.p_of(self.m) }
    }

    /// The shared part of the P in hand.
    #[inline]
    pub(crate) fn p_shared(&self) -> &P<C> {
        // SAFETY: the M holds a P, whose core is its first field, and Ps live as long as the runtime.
        unsafe { &*self.m.p().cast::<P<C>>() }
    }

    /// Takes a P in hand.
    pub(crate) fn acquire(&self, p: OwnedP<C>) {
        debug_assert!(!self.m.has_p());
        p.core.word.acquire();
        p.core.cpu_clock.store(self.m.cpu_clock.load(Ordering::Relaxed), Ordering::Relaxed);
        let id = p.core.id;
        self.m.hold(p.into_core());
        self.sched.emit_proc(EventKind::ProcStart, Some(self.m), Some(id), 0);
        self.note_cpu();
    }

    /// Notes for thieves where the P in hand is used, if the policy's order asks for it.
    fn note_cpu(&self) {
        if <OrderOf<C> as VictimOrder>::WANTS_CPUS {
            self.p_shared().core.cpu.note(C::Switch::cpu());
        }
    }

    /// Lets go of the P in hand: it is nobody's until the caller gives it away.
    pub(crate) fn release(&self) -> OwnedP<C> {
        self.sched.emit_proc(EventKind::ProcStop, Some(self.m), self.m.p_id(), 0);
        let core = self.m.take_p();
        debug_assert!(!core.is_null());
        // SAFETY: the M held it.
        let p = unsafe { OwnedP::from_core(core) };
        p.core.word.release();
        p
    }

    /// Takes the P that a waker left; `false`: it left none.
    pub(crate) fn take_next_p(&self) -> bool {
        let core = self.m.next_p.replace(core::ptr::null());
        if core.is_null() {
            return false;
        }
        // SAFETY: the waker gave its right to us.
        self.acquire(unsafe { OwnedP::from_core(core) });
        true
    }
}

/// The carry of a switch to a goroutine: its record, for one that runs for the first time.
pub(crate) fn carry(g: &'static G) -> Carry {
    core::ptr::from_ref(g).cast_mut().cast()
}
