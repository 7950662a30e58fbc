//! The current-G slot: who is calling?
//!
//! The slot itself is the switch's business (`CurrentSlot`); what its value means is told here: null on a plain
//! thread, the G's address on a goroutine's stack, the M's address with the lowest bit set on an M's own stack.

use crate::contract::CurrentSlot;
use crate::records::g::G;
use crate::records::m::M;
use core::any::TypeId;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::OnceLock;

const SCHEDULER: usize = 1;

/// Who is calling.
#[derive(Clone, Copy)]
pub(crate) enum Current {
    /// A thread that is no M.
    Plain,
    /// A goroutine.
    G(&'static G),
    /// The scheduler, on an M's own stack.
    Scheduler(*const M),
}

/// Who is calling, looked up once for several questions. The answer is the calling thread's, and holds until it next
/// suspends, enters or leaves `blocking`, or returns to the scheduler: to be asked anew after that.
#[derive(Clone, Copy, Debug)]
pub struct Who(*mut ());

impl Who {
    /// Looks. Never suspends.
    ///
    /// ```compile_fail,E0133
    /// let _kept_for_later = gmp_core::park::Who::calls();
    /// ```
    ///
    /// # Safety
    /// It is used only by the caller, and only for as long as it holds.
    #[inline(always)]
    pub unsafe fn calls() -> Self {
        Self(slot())
    }

    /// The goroutine, if it is one's own code that calls.
    #[inline(always)]
    pub(crate) fn goroutine(self) -> Option<&'static G> {
        // SAFETY: only `set_g` stores untagged addresses, of records that are never freed.
        (!self.0.is_null() && self.0.addr() & SCHEDULER == 0).then(|| unsafe { &*self.0.cast_const().cast() })
    }

    #[inline(always)]
    pub(crate) fn current(self) -> Current {
        let value = self.0;
        if let Some(g) = self.goroutine() {
            Current::G(g)
        } else if value.is_null() {
            Current::Plain
        } else {
            Current::Scheduler(value.map_addr(|addr| addr & !SCHEDULER).cast_const().cast())
        }
    }
}

/// The getter of the process's slot; [`no_slot`] until the first runtime is made.
static GETTER: AtomicPtr<()> = AtomicPtr::new(no_slot as fn() -> *mut () as *mut ());

/// Before there is a runtime every thread is a plain one.
fn no_slot() -> *mut () {
    core::ptr::null_mut()
}

/// Makes `S` the process's slot.
///
/// # Panics
/// If another slot is: a goroutine of one could not be told from a plain thread of the other.
pub(crate) fn install<S: CurrentSlot>() {
    /// Which slot it is. Not by the getter's address: each part of a program may have a copy of a small function.
    static KIND: OnceLock<TypeId> = OnceLock::new();
    assert!(
        *KIND.get_or_init(TypeId::of::<S>) == TypeId::of::<S>(),
        "two kinds of current-goroutine slot in one process: build every runtime over the same one"
    );
    GETTER.store(S::get as fn() -> *mut () as *mut (), Ordering::Relaxed);
}

#[inline(always)]
fn slot() -> *mut () {
    let getter = GETTER.load(Ordering::Relaxed);
    // SAFETY: `no_slot`, or what `install` has stored: functions of this very type.
    let getter: fn() -> *mut () = unsafe { core::mem::transmute(getter) };
    getter()
}

/// Who is calling, now, on this thread.
#[doc(alias = "getg")]
#[inline(always)]
pub(crate) fn current() -> Current {
    // SAFETY: used up here.
    unsafe { Who::calls() }.current()
}

/// This thread runs `g` from here on.
pub(crate) fn set_g<S: CurrentSlot>(g: &G) {
    // SAFETY: the meaning of the slot is ours.
    unsafe { S::set(core::ptr::from_ref(g).cast_mut().cast()) };
}

/// This thread runs the scheduler of `m` from here on.
pub(crate) fn set_scheduler<S: CurrentSlot>(m: &M) {
    // SAFETY: the meaning of the slot is ours.
    unsafe { S::set(core::ptr::from_ref(m).cast_mut().cast::<()>().map_addr(|addr| addr | SCHEDULER)) };
}

/// This thread is a plain one again.
pub(crate) fn set_plain<S: CurrentSlot>() {
    // SAFETY: the meaning of the slot is ours.
    unsafe { S::set(core::ptr::null_mut()) };
}
