//! The current-G slot: who is calling?
//!
//! The slot itself is the switch's business (`CurrentSlot`); what its value means is decided here: null on a plain
//! thread, the G's address on a goroutine's stack, the M's address with the lowest bit set on an M's own stack.

use crate::contract::CurrentSlot;
use crate::records::g::G;
use crate::records::m::M;
use core::any::TypeId;
use core::marker::PhantomData;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::sync::OnceLock;

const SCHEDULER: usize = 1;

/// Who is calling. The answer is the calling thread's, and holds until that thread next runs something else.
#[derive(Clone, Copy)]
pub(crate) enum Caller<'a> {
    /// A thread that is no M.
    Plain,
    /// A goroutine.
    G(Here),
    /// The scheduler, on this M's own stack.
    Scheduler(&'a M),
}

impl Caller<'_> {
    /// The M of the calling thread, if that is an M's.
    #[inline(always)]
    pub(crate) fn m(&self) -> Option<&M> {
        match self {
            Self::Plain => None,
            Self::G(here) => Some(here.m()),
            Self::Scheduler(m) => Some(m),
        }
    }

    /// The M of the calling thread, if it is one of the runtime that `g` lives in, and so keeps it alive.
    #[inline(always)]
    pub(crate) fn m_beside(&self, g: &G) -> Option<&M> {
        match self {
            Self::Plain => None,
            Self::G(here) => here.g().is_beside(g).then(|| here.m()),
            Self::Scheduler(m) => g.is_of(m.rt().header()).then_some(m),
        }
    }
}

/// The calling goroutine as it is: inside `blocking` its M has no P.
#[derive(Clone, Copy)]
pub(crate) struct Here {
    g: &'static G,
    // The answer is the calling goroutine's own.
    not_send: PhantomData<*mut ()>,
}

impl Here {
    /// `g` calls.
    #[inline(always)]
    pub(crate) fn new(g: &'static G) -> Self {
        Self { g, not_send: PhantomData }
    }

    /// The goroutine.
    #[inline(always)]
    pub(crate) fn g(&self) -> &'static G {
        self.g
    }

    /// The M it is on *now*: ask again after anything that may suspend.
    #[inline(always)]
    pub(crate) fn m(&self) -> &M {
        // SAFETY: the M that runs a goroutine writes itself here before it switches to it, and it lives on.
        unsafe { &*self.g.m() }
    }
}

/// Who is calling: looked up once for several questions, and not yet decoded. The answer is the calling thread's, and
/// holds until it next suspends, enters or leaves `blocking`, or returns to the scheduler; after that the caller looks
/// again.
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
    /// The result is used only by the caller, and only for as long as it holds.
    #[inline(always)]
    pub unsafe fn calls() -> Self {
        Self(slot())
    }

    /// The goroutine, if a goroutine's code is calling.
    #[inline(always)]
    pub(crate) fn goroutine(self) -> Option<Here> {
        // SAFETY: only `set_g` stores untagged addresses, of records that are never freed.
        (!self.0.is_null() && self.0.addr() & SCHEDULER == 0)
            .then(|| Here::new(unsafe { &*self.0.cast_const().cast() }))
    }

    #[inline(always)]
    pub(crate) fn caller<'a>(self) -> Caller<'a> {
        let value = self.0;
        if let Some(here) = self.goroutine() {
            Caller::G(here)
        } else if value.is_null() {
            Caller::Plain
        } else {
            // SAFETY: a tagged address is that of the M of this very thread, which lives for as long as the answer holds.
            Caller::Scheduler(unsafe { &*value.map_addr(|addr| addr & !SCHEDULER).cast_const().cast() })
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
/// If the process has another slot already: a goroutine of one could not be told from a plain thread of the other.
pub(crate) fn install<S: CurrentSlot>() {
    /// Which slot it is. The getter's address would not tell: each part of a program may have a copy of a small function.
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
pub(crate) fn caller<'a>() -> Caller<'a> {
    // SAFETY: used up here.
    unsafe { Who::calls() }.caller()
}

/// What the switch of the calling thread's runtime says of that thread's own thread-locals (`Switch::home`); 0: it is a
/// plain thread, or its goroutines have no others. The answer holds until the caller next suspends. Never suspends.
#[inline]
pub fn thread_home() -> usize {
    caller().m().map_or(0, |m| m.home.get())
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
