//! The gate: the one way from a goroutine's code into the runtime.
//!
//! Every public call that needs the caller's M or P passes here. The gate says who is calling and refuses those who may
//! not. There are two ways through it, and a call's documentation says which one it takes:
//!
//! - A call that **never suspends** [passes](pass) as it is. Inside `blocking` the goroutine has its M and no P, and it
//!   gets none: to come back to one it might have to wait, and it would wake up on another thread. What it starts goes to
//!   the shared queue, as if a plain thread had started it.
//! - A call that **suspends** [enters](enter): a goroutine inside `blocking` is brought back to a P for the duration of
//!   the call.
//!
//! A goroutine whose time slice is over [gives way](give_way) in a call that suspends, and [steps aside](step_aside) in
//! one that never does: then it is as if inside `blocking` (`records/p/slice.rs`).
//!
//! A goroutine whose P was taken (`watching/retake.rs`) finds out here, and is as if it had stepped aside.
//!
//! Whoever uses the M's P says so to its door (`records/m/door.rs`), as [`Inside`] does: only while the goroutine's own
//! code runs may others take it.

use crate::entering::caller::{Caller, Here, Who, caller};
use crate::entering::foreign;
use crate::records::g::{Flags, G};
use crate::records::m::door::Way;
use crate::records::m::{Leave, M, SystemCall};
use crate::records::p::slice::NOTICES;

/// Lets a goroutine through for a call that never suspends. `call` names what was called, for the message to those who
/// may not.
///
/// # Panics
/// Outside a goroutine, and from a policy's code.
#[inline(always)]
#[track_caller]
pub(crate) fn pass(call: &'static str) -> Here {
    step_aside();
    match caller() {
        Caller::G(here) => admit(here, call),
        _ => refuse(call),
    }
}

/// Like [`pass`], or `None` on a plain thread.
#[inline(always)]
#[track_caller]
pub(crate) fn pass_or_plain(call: &'static str) -> Option<Here> {
    step_aside();
    admit_or_plain(call)
}

#[inline(always)]
#[track_caller]
fn admit_or_plain(call: &'static str) -> Option<Here> {
    match caller() {
        Caller::Plain => {
            foreign::refuse(call);
            None
        }
        Caller::G(here) => Some(admit(here, call)),
        Caller::Scheduler(_) => refuse(call),
    }
}

/// The goroutine whose code is calling, also from inside `on_system_stack`, for which it waits. `None` on a plain thread,
/// and in the scheduler.
#[inline]
pub(crate) fn here() -> Option<Here> {
    match caller() {
        Caller::G(here) => Some(here),
        Caller::Plain => None,
        Caller::Scheduler(m) => {
            // SAFETY: records are never freed.
            let g = (m.leave.get() == Leave::SystemStack).then(|| unsafe { m.running().as_ref() });
            // Where goroutines are threads, g0 is on another one, where a value that is not `Send` must not go.
            g.flatten().filter(|g| !g.header().thread_each).map(Here::new)
        }
    }
}

/// Ends the caller's time slice if it is over, and brings the caller back if it has stepped aside. Each function that
/// may suspend, but need not, calls this first. **Suspends.** It never does so inside `blocking`, in the scheduler or
/// on a plain thread.
#[inline(always)]
pub fn give_way() {
    if NOTICES.any() {
        give_way_if_over();
    }
}

#[cold]
#[inline(never)]
fn give_way_if_over() {
    let Some(here) = of_its_own_code() else { return };
    let Some(inside) = Inside::unless_declared(here) else { return };
    if let Some(p) = inside.m().p_core().filter(|p| p.slice.is_over()) {
        // The caller makes room itself, so a goroutine that goes on in its slice need not.
        p.slice.forget();
        inside.make_way(Leave::SliceOver);
    }
}

/// Lends the caller's P out if its time slice is over. Each function that never suspends calls this first. Never
/// suspends: the caller stays on its thread, and comes back to a P with its next call that suspends, or with a spawn that
/// finds one idle.
#[inline(always)]
pub fn step_aside() {
    if NOTICES.any() {
        step_aside_if_over();
    }
}

#[cold]
#[inline(never)]
fn step_aside_if_over() {
    let Some(here) = of_its_own_code() else { return };
    let hold = here.m().door.hold();
    // Inside `blocking` the M has no P.
    if hold.found_p() && here.m().p_core().is_some_and(|p| p.slice.is_over()) {
        here.g().header().runtime().step_aside(here.g());
    }
}

/// The calling goroutine, unless policy code or an event sink is calling: whatever they call refuses them.
fn of_its_own_code() -> Option<Here> {
    match caller() {
        Caller::G(here) => Some(here).filter(|here| !here.m().in_policy.get()),
        Caller::Plain | Caller::Scheduler(_) => None,
    }
}

/// A goroutine inside the runtime: it runs, and its M holds a P.
pub(crate) struct Inside {
    here: Here,
    then: Then,
}

/// What the end of an [`Inside`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The goroutine's own code goes on.
    GoOut,
    /// Our code goes on.
    StayIn,
    /// The `blocking` section goes on that the goroutine was brought back from.
    BlockAgain,
}

/// Lets a goroutine in, for a call that suspends: **suspends** one that is inside `blocking`. `call` as for [`pass`].
///
/// # Panics
/// The same as for [`pass`].
#[inline(always)]
#[track_caller]
pub(crate) fn enter(call: &'static str) -> Inside {
    match caller() {
        Caller::G(here) => let_in(here, call),
        _ => refuse(call),
    }
}

/// Like [`enter`], or `None` on a plain thread.
#[inline(always)]
#[track_caller]
pub(crate) fn enter_or_plain(call: &'static str) -> Option<Inside> {
    match caller() {
        Caller::Plain => {
            foreign::refuse(call);
            None
        }
        Caller::G(here) => Some(let_in(here, call)),
        Caller::Scheduler(_) => refuse(call),
    }
}

/// Like [`enter_or_plain`], if that need not suspend; `None` for a goroutine that is inside `blocking`.
#[inline(always)]
#[track_caller]
pub(crate) fn enter_at_once(who: Who, call: &'static str) -> Option<Option<Inside>> {
    match who.caller() {
        Caller::Plain => {
            foreign::refuse(call);
            Some(None)
        }
        Caller::G(here) => {
            let here = admit(here, call);
            let hold = here.m().door.hold();
            hold.found_p().then(|| {
                let then = if hold.was_inside() { Then::StayIn } else { Then::GoOut };
                core::mem::forget(hold);
                Some(Inside { here, then })
            })
        }
        Caller::Scheduler(_) => refuse(call),
    }
}

#[inline(always)]
#[track_caller]
fn let_in(here: Here, call: &'static str) -> Inside {
    let hold = core::mem::ManuallyDrop::new(here.m().door.hold());
    if hold.was_inside() || !hold.found_p() {
        return let_in_otherwise(here, hold.was_inside(), call);
    }
    Inside { here, then: Then::GoOut }
}

/// The slow way in: foreign code is calling, and it runs inside; or the M has lent its P.
#[cold]
#[inline(never)]
#[track_caller]
fn let_in_otherwise(here: Here, was_inside: bool, call: &'static str) -> Inside {
    if here.m().in_policy.get() {
        refuse(call);
    }
    Inside::back(here, was_inside)
}

#[inline(always)]
#[track_caller]
fn admit(here: Here, call: &'static str) -> Here {
    if here.m().in_policy.get() {
        refuse(call);
    }
    here
}

impl core::ops::Deref for Inside {
    type Target = Here;

    #[inline(always)]
    fn deref(&self) -> &Here {
        &self.here
    }
}

impl Inside {
    /// A goroutine that has stepped aside, or whose P was taken, comes back for good.
    pub(crate) fn come_back(here: Here) -> Self {
        let hold = core::mem::ManuallyDrop::new(here.m().door.hold());
        Self::back(here, hold.was_inside())
    }

    /// [`Inside::come_back`], or `None` if the goroutine is inside `blocking`.
    pub(crate) fn unless_declared(here: Here) -> Option<Self> {
        let hold = here.m().door.hold();
        if here.m().door.way() == Way::NoP {
            return None;
        }
        let was_inside = hold.was_inside();
        core::mem::forget(hold);
        Some(Self::back(here, was_inside))
    }

    /// The goroutine as it is, in or out of `blocking`: for what begins or ends that.
    pub(crate) fn as_it_is(g: &'static G) -> Self {
        let here = Here::new(g);
        let hold = core::mem::ManuallyDrop::new(here.m().door.hold());
        Self { here, then: if hold.was_inside() { Then::StayIn } else { Then::GoOut } }
    }

    /// Brings a goroutine back to a P if it has none. The door is held already.
    fn back(here: Here, was_inside: bool) -> Self {
        let mut then = if was_inside { Then::StayIn } else { Then::GoOut };
        match here.m().door.way() {
            Way::NoP => {
                here.g().header().runtime().leave_blocking(here.g());
                then = Then::BlockAgain;
            }
            Way::Aside | Way::Taken => here.g().header().runtime().leave_blocking(here.g()),
            Way::Open | Way::Taking => {}
        }
        Self { here, then }
    }

    /// Leaves the stack for g0 with `leave` as the reason; returns when the goroutine runs again.
    #[inline]
    pub(crate) fn leave(&self, leave: crate::records::m::Leave) {
        self.prepare_to_leave();
        self.leave_reserved(leave);
    }

    /// [`Inside::leave`] after [`Inside::prepare_to_leave`].
    #[inline]
    pub(crate) fn leave_reserved(&self, leave: crate::records::m::Leave) {
        self.m().leave.set(leave);
        // SAFETY: we are on this goroutine's stack, it runs on `g.m`, and the reason is set.
        unsafe { self.m().rt().leave(self.g()) };
    }

    /// Leaves the stack for a kind of yield, straight for the next goroutine if it can.
    #[inline]
    pub(crate) fn make_way(&self, leave: Leave) {
        self.prepare_to_leave();
        self.m().leave.set(leave);
        // SAFETY: we are on this goroutine's stack, it runs on `g.m`, and the reason is set.
        unsafe { self.m().rt().hop_to_yield(self.g()) };
    }

    /// Leaves the stack to park as the M's request says, straight for the next goroutine if it can.
    #[inline]
    pub(crate) fn hop(&self) {
        // SAFETY: we are on this goroutine's stack, it runs on `g.m`, and the request is set.
        unsafe { self.m().rt().hop(self.g()) };
    }

    /// What has to be done on the goroutine's own stack before it leaves it, and before the reason is set.
    #[inline]
    pub(crate) fn prepare_to_leave(&self) {
        self.reserve_m_while_panicking();
        promote_jobs(self.g(), self.m());
    }

    /// std counts panics per thread, so a goroutine that suspends while it unwinds keeps its M to itself until it is
    /// through: a neighbour would see `panicking()`, or abort by a second panic.
    #[inline]
    pub(crate) fn reserve_m_while_panicking(&self) {
        if std::thread::panicking() != self.g().has(Flags::PANICKING) {
            self.panicking_changed();
        }
    }

    /// A goroutine that comes back from a blocking call and is about to wait for a P; see
    /// [`Inside::reserve_m_while_panicking`].
    pub(crate) fn of_late_comer(g: &'static G) -> Self {
        Self { here: Here::new(g), then: Then::StayIn }
    }

    #[cold]
    fn block_again(&self) {
        self.g().header().runtime().enter_blocking(self.g());
        self.m().door.go_out();
    }

    #[cold]
    fn panicking_changed(&self) {
        if self.g().header().own_thread_locals {
            // std counts this goroutine's panics alone: its neighbours see none of it.
            return;
        }
        if self.g().has(Flags::PANICKING) {
            self.g().unset(Flags::PANICKING);
            crate::entering::locked::unlock(self.g(), self.m());
        } else if crate::entering::locked::try_lock(self.g(), self.m()) {
            // One that holds all the locks is at home, and asks again when it has given some back.
            self.g().set(Flags::PANICKING);
        }
    }
}

/// Makes goroutines of all that `g` has offered to thieves, since it is about to leave its M, or its P.
#[inline(always)]
pub(crate) fn promote_jobs(g: &'static G, m: &M) {
    if !m.jobs.is_empty() {
        m.rt().promote_jobs(g);
    }
}

/// Calls `f` on the stack of the M that runs the calling goroutine `g`; the goroutine goes on at once, on the same M and
/// P, if it has one. `f` must not unwind.
#[doc(alias = "systemstack")]
///
/// `f` runs in a frame of its own, as every function must that is called on another stack than the code around it, or in
/// its stead on the same one: inlined, its locals would lie in the frame of the caller, on the small stack.
pub(crate) fn on_g0<R>(g: &'static G, f: impl FnOnce(&M) -> R) -> R {
    /// Closure and result, on the goroutine's stack.
    struct Call<F, R> {
        f: Option<F>,
        result: Option<R>,
    }
    /// # Safety
    /// `data` is a `Call<F, R>` that nobody else uses.
    unsafe fn make<F: FnOnce(&M) -> R, R>(data: *mut (), m: &M) {
        // SAFETY: the caller says so.
        let call = unsafe { &mut *data.cast::<Call<F, R>>() };
        call.result = call.f.take().map(|f| in_own_frame(|| f(m)));
    }
    fn maker<F: FnOnce(&M) -> R, R>(_: &Call<F, R>) -> unsafe fn(*mut (), &M) {
        make::<F, R>
    }
    let mut call = Call { f: Some(f), result: None };
    let here = Here::new(g);
    let m = here.m();
    let _hold = m.door.hold();
    m.system_call.set(SystemCall { call: maker(&call), data: (&raw mut call).cast() });
    m.leave.set(Leave::SystemStack);
    // SAFETY: we are on this goroutine's stack, it runs on this M, and the reason is set.
    unsafe { m.rt().leave(g) };
    call.result.unwrap_or_else(|| crate::fatal!("a call on the system stack is made", "it was not"))
}

/// Calls `f` in a frame that no optimisation merges with the caller's.
#[inline(never)]
pub(crate) fn in_own_frame<R>(f: impl FnOnce() -> R) -> R {
    f()
}

impl Drop for Inside {
    #[inline(always)]
    fn drop(&mut self) {
        if self.then == Then::GoOut {
            self.m().door.go_out();
        } else if self.then == Then::BlockAgain {
            self.block_again();
        }
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn refuse(call: &'static str) -> ! {
    foreign::refuse_all(call);
    if !matches!(caller(), Caller::Plain) {
        foreign::refuse_whom(call, ("a timer's callback, or a closure given to on_system_stack", ""));
    }
    panic!(
        "gmp::{call} was called outside a goroutine; call it in a closure given to Runtime::run or gmp::go, or use a \
         Handle from a plain thread"
    )
}
