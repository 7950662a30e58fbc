//! Arrive: what a goroutine does first when it is on its stack again, for itself and for the one that hopped to it
//! (`hop.rs`).

use crate::contract::{Config, Slot};
use crate::entering::caller::set_g;
use crate::records::g::G;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::m::hopped::Errand;
use crate::shared::sched::{Sched, SlotOf};

/// What a goroutine does first when it runs again, in [`leave_stack`](super::switch::leave_stack) or after a hop: it
/// sets the slot, and does the errand of the one that left its stack for this one.
///
/// # Safety
/// On the stack of `g`, right after the switch.
#[inline(always)]
pub(crate) unsafe fn arrive<C: Config>(g: &G) {
    // We may be on another thread: from here on only what the record says is valid.
    set_g::<SlotOf<C>>(g);
    // SAFETY: the M that runs us lives.
    let m = unsafe { &*g.m() };
    if m.hopped.is_some() {
        // SAFETY: an M runs goroutines of its own runtime, whose configuration is ours.
        unsafe { run_errand::<C>(m, g) };
    }
}

/// Does for the goroutine that left for `g`, the caller on `m`, what that one could not do on its own stack.
///
/// # Safety
/// Called on `m`'s thread, before anything else, by the goroutine that `m` is to run; `m` is of a runtime of
/// configuration `C`, and somebody has left for the caller.
#[inline(always)]
unsafe fn run_errand<C: Config>(m: &M, g: &G) {
    // SAFETY: the type is the caller's promise; an M lives no longer than its runtime.
    let sched = unsafe { &*m.untyped_rt().cast::<Sched<C>>() };
    // SAFETY: as the caller promises.
    unsafe {
        match m.hopped.take() {
            Ok(hopped) => sched.commit_for(m, g, hopped),
            Err((hopped, Errand::ToShared)) => sched.queue_for(m, g, hopped, true),
            Err((hopped, Errand::ToLocal)) => sched.queue_for(m, g, hopped, false),
            Err((_, Errand::Ended | Errand::Park)) => m.set_running(g),
        }
    }
}

impl<C: Config> Sched<C> {
    /// Queues the goroutine that yielded for the caller on `m`.
    ///
    /// # Safety
    /// Called on `m`'s thread, before anything else, by the goroutine that `m` is to run.
    #[inline(always)]
    unsafe fn queue_for(&self, m: &M, g: &G, hopped: &'static G, to_shared: bool) {
        hopped.word.to_yielded();
        // SAFETY: it is off its stack, and we have just made it Runnable.
        let runnable = unsafe { Runnable::new(hopped) };
        if to_shared {
            // SAFETY: this M holds a P during the push.
            let queues = unsafe { self.queues() };
            self.policy(m, || queues.push_shared(runnable));
        } else {
            self.push_uncounted(m, runnable, Slot::Back);
        }
        m.set_running(g);
        self.wake_for_submission(m);
    }
}
