//! Going from g0 to a goroutine and back.

use super::arrive::arrive;
use super::exit::Ended;
use super::{G0, carry};
use crate::contract::{Carry, Config, Context, Switch};
use crate::entering::caller::{Caller, Here, caller, set_g, set_plain, set_scheduler};
use crate::entering::gate::Inside;
use crate::records::g::body::Outcome;
use crate::records::g::{Flags, G};
use crate::records::m::Leave;
use crate::shared::sched::{Sched, SlotOf};
use core::ptr;

impl<C: Config> G0<'_, C> {
    /// Runs `g`, and the goroutines to which it and they [hop](crate::records::rt::AnyRuntime::hop), until one leaves
    /// for g0. Returns that one, or `None` if it has ended and nothing is left to do for it. Go: `gogo`.
    #[doc(alias = "gogo")]
    #[inline]
    pub(crate) fn switch_to(&self, g: &'static G) -> Option<&'static G> {
        g.set_m(self.m);
        self.m.set_running(g);
        // SAFETY: C1: the goroutine's context was made by `init` or saved by `leave_stack`, and the holder of its
        // `Runnable` continues it, once; our own context's place lives in the M.
        unsafe { C::Switch::switch(self.m.g0.as_ptr(), g.context.get(), carry(g)) };
        set_scheduler::<SlotOf<C>>(self.m);
        // SAFETY: the goroutine that arrives by a hop is written there before anything else, and records are never freed.
        unsafe { self.m.running().as_ref() }
    }

    /// The context in which a fresh stack starts, if the operating system gives what it needs.
    #[inline]
    pub(crate) fn first_context(&self, stack: &crate::contract::Stack) -> std::io::Result<Context> {
        // SAFETY: the stack is the goroutine's own, unused, and lives as long as the goroutine.
        unsafe { C::Switch::init(stack, goroutine_main::<C>) }
    }
}

/// The context in which a spare stack starts.
#[inline]
pub(crate) fn next_context<C: Config>(spare: &crate::contract::Stack) -> Context {
    // SAFETY: as in `first_context`; and on a spare stack a context has ended (`Spares`).
    unsafe { C::Switch::init_again(spare, goroutine_main::<C>) }
}

/// Leaves the stack of `g` for its M's g0; returns when it runs again.
///
/// # Safety
/// On the stack of `g`, which runs on `g.m`, whose `leave` is set.
#[doc(alias = "mcall")]
#[inline(always)]
pub(crate) unsafe fn leave_stack<C: Config>(g: &G) {
    // SAFETY: the M that runs us lives.
    let g0 = unsafe { &*g.m() }.g0.get();
    // SAFETY: C1: g0 saved its context when it switched to us; ours is saved in the record.
    unsafe { C::Switch::switch(g.context.as_ptr(), g0, ptr::null_mut()) };
    // SAFETY: the switch has just come back.
    unsafe { arrive::<C>(g) };
}

/// Drops what a goroutine's record holds, on a goroutine's stack: destructors are foreign code.
///
/// # Safety
/// The goroutine has ended with an outcome that nobody took, or never ran and holds its closure.
#[cold]
unsafe fn drop_body(g: &G) {
    if g.has(Flags::DROPPING) {
        // SAFETY: as the caller promises.
        return unsafe { g.drop_unwanted() };
    }
    // SAFETY: as the caller promises.
    unsafe { g.drop_closure() };
    g.outcome.set(Outcome::Abandoned);
}

/// Drops the goroutine-locals of `g`, the caller.
#[inline(always)]
fn end_locals(g: &G) {
    if g.has(Flags::EXTRA)
        && let Some(payload) = crate::life::local::end_of_goroutine()
    {
        crate::life::panics::end_in_panic(g, payload);
    }
}

/// The first frame of every goroutine: it runs the closure, and then leaves for good. Go: `goexit1` under every
/// goroutine.
#[doc(alias = "goexit")]
unsafe extern "C" fn goroutine_main<C: Config>(g: Carry) -> Context {
    // SAFETY: C3: the carry of the first switch is the goroutine; where there is none, the slot names it
    // (`Ended::Again`). Records are never freed.
    let g: &'static G = match unsafe { g.cast_const().cast::<G>().as_ref() } {
        Some(g) => g,
        None => goroutine_here(),
    };
    // SAFETY: it has just been switched to, on a stack of its own.
    unsafe { arrive::<C>(g) };
    // SAFETY: the M that runs us lives.
    unsafe { &*g.m() }.door.go_out();
    if g.has(Flags::ONLY_DROPS) {
        // SAFETY: this is a stack of its own, and nobody else has what is in its body.
        unsafe { drop_body(g) };
    } else {
        // SAFETY: a fresh goroutine's body holds its closure, and this is its own stack.
        unsafe { crate::life::panics::run_body(g) };
    }
    end_locals(g);
    if C::Switch::OWN_THREAD_LOCALS {
        g.set(Flags::CODE_OVER);
        // SAFETY: a goroutine is a flow that `init` or `init_again` has made, and its code is over.
        unsafe { C::Switch::end_of_flow() };
        // The destructors of thread-locals may have made goroutine-locals anew.
        end_locals(g);
    }
    // A blocking section, a panic's reservation: whatever was open was closed by unwinding. The M may be another one.
    // SAFETY: the M that runs us lives.
    let mut m = unsafe { &*g.m() };
    let hold = core::mem::ManuallyDrop::new(m.door.hold());
    if !hold.found_p() {
        // The goroutine has stepped aside, or its P was taken, and only a goroutine with a P can end.
        drop(Inside::come_back(Here::new(g)));
        // SAFETY: as above.
        m = unsafe { &*g.m() };
    }
    // SAFETY: an M runs goroutines of its own runtime, whose configuration is ours.
    let sched = unsafe { &*m.untyped_rt().cast::<Sched<C>>() };
    // SAFETY: this is the end of its stack's use.
    let ended = unsafe { sched.exit_from(m, g) };
    // SAFETY: as above, and destructors have run.
    unsafe { C::Switch::make_fresh() };
    match ended {
        Ended::Left(to) => to,
        Ended::Again(next) => {
            set_g::<SlotOf<C>>(next);
            Context::NULL
        }
        Ended::ByG0 => {
            m.leave.set(Leave::Exit);
            if C::Switch::THREAD_EACH {
                // The destructors of this thread's thread-locals are still to run, and the record will be free by then.
                set_plain::<SlotOf<C>>();
            }
            m.g0.get()
        }
    }
}

/// The goroutine that starts on this stack, as the slot says.
#[cold]
fn goroutine_here() -> &'static G {
    match caller() {
        Caller::G(here) => here.g(),
        _ => crate::fatal!("a stack that is used again says for whom", "no goroutine is here"),
    }
}
