//! `JoinHandle`: the right to a goroutine's result.

use crate::entering::caller::{Caller, caller};
use crate::entering::{foreign, gate};
use crate::life::panics::Payload;
use crate::records::g::body::Outcome;
use crate::records::g::join::{Joiner, Waiter};
use crate::records::g::parked::Parked;
use crate::records::g::{Flags, G, WaitReason, Wake, registry};
use crate::records::p::timers::NEVER;
use crate::waiting::park::{Commit, park_inside};
use core::cell::Cell;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use std::fmt;

/// Why a goroutine has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// It panicked with this payload.
    Panicked(Payload),
    /// It called `exit`.
    Exited,
    /// Its runtime closed before it ended, or was dropped without having run; or the joiner's closed.
    Abandoned,
    /// No stack could be had for it; it never ran, and its closure was dropped.
    OutOfStacks,
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(payload) => write!(f, "the goroutine panicked: {payload}"),
            Self::Exited => f.write_str("the goroutine called gmp::exit and left no result"),
            Self::Abandoned => {
                f.write_str("the runtime closed, or was dropped without having run, before the goroutine ended")
            }
            Self::OutOfStacks => f.write_str(
                "no stack could be had for the goroutine, so it never ran; ask for a smaller one, allow more memory or spawn \
                 fewer at once",
            ),
        }
    }
}

impl std::error::Error for JoinError {}

/// The right to wait for a goroutine and take its result. Dropping it lets the goroutine go its own way.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let fine = gmp::go(|| 7);
///     let broken = gmp::go(|| -> u32 { panic!("seven") });
///     assert_eq!(fine.join().unwrap(), 7);
///     match broken.join() {
///         Err(gmp::JoinError::Panicked(payload)) => assert_eq!(payload.text().as_deref(), Some("seven")),
///         other => panic!("{other:?}"),
///     }
/// }).unwrap();
/// ```
pub struct JoinHandle<T> {
    pub(super) g: &'static G,
    number: u64,
    result: PhantomData<fn() -> T>,
}

// SAFETY: the handle only passes the join word, and takes a `T` that was sent.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: shared handles can only ask `is_finished` and the number.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn new(g: &'static G) -> Self {
        Self { g, number: g.number.get(), result: PhantomData }
    }

    /// The goroutine's number. Never suspends.
    #[doc(alias = "goid")]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the goroutine has ended. Never suspends.
    pub fn is_finished(&self) -> bool {
        gate::step_aside();
        self.g.join.is_done()
    }

    /// Waits for the goroutine and takes its result. **Suspends**; a plain thread blocks itself.
    ///
    /// The goroutine runs on a stack of its own, never on the joiner's.
    ///
    /// # Errors
    /// [`JoinError`]: it panicked, exited, was abandoned, or never got a stack.
    ///
    /// # Panics
    /// From inside a policy's code.
    #[inline]
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        gate::give_way();
        let inside = gate::enter_or_plain("JoinHandle::join");
        let ended = self.g.join.is_done()
            || match &inside {
                Some(inside) => self.wait_as_goroutine(inside),
                None => self.wait_as_thread(),
            };
        if !ended {
            return Err(JoinError::Abandoned);
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: it has ended.
        let result = unsafe { this.take_outcome() };
        match inside.as_ref().and_then(|inside| inside.m().p_core()) {
            // SAFETY: a goroutine inside the runtime is on an M that holds this P.
            Some(p) => unsafe { put_free(p, this.g) },
            None => give_to_registry(this.g),
        }
        result
    }

    /// What the goroutine has left in its record, which the caller frees without dropping the handle.
    ///
    /// # Safety
    /// The goroutine has ended, and nobody calls this again.
    #[inline]
    pub(super) unsafe fn take_outcome(&self) -> Result<T, JoinError> {
        match self.g.outcome.replace(Outcome::Exited) {
            // SAFETY: the goroutine put a T there, and this handle alone may take it.
            Outcome::Value => Ok(unsafe { self.g.body.take::<T>() }),
            // SAFETY: as above, with the payload.
            Outcome::Panicked => Err(JoinError::Panicked(Payload::new(unsafe { self.g.body.take() }))),
            Outcome::Abandoned => Err(JoinError::Abandoned),
            Outcome::OutOfStacks => Err(JoinError::OutOfStacks),
            Outcome::Exited => Err(JoinError::Exited),
            // It still runs: its record must not go to another.
            Outcome::Pending => {
                crate::fatal!("a join ends when its goroutine has", "goroutine {}", self.number)
            }
        }
    }

    /// `false`: this runtime is closing, so the result will not be waited for.
    #[inline]
    fn wait_as_goroutine(&self, inside: &gate::Inside) -> bool {
        if inside.g().header().is_unwinding() {
            return false;
        }
        let waiter = Waiter::new(None);
        // A number says nothing of a goroutine of another runtime.
        let number = if self.g.is_beside(inside.g()) { self.number as usize } else { 0 };
        // SAFETY: the goroutine is the caller, so it has started and not ended.
        unsafe { inside.g().body.set_waits_at(number) };
        let wake = park_inside(inside, WaitReason::Join, NEVER, |parked| {
            // SAFETY: not offered yet.
            unsafe { waiter.set(parked.into_joiner()) };
            // SAFETY: filled in, and our stack frame stays until we are readied (by the finisher, which has read the
            // waiter by then) or have withdrawn.
            if unsafe { self.g.join.wait(&waiter) } {
                return Commit::Stay;
            }
            // SAFETY: refused.
            match unsafe { waiter.take_back() } {
                // SAFETY: `into_joiner` made the two words above, and they were taken back unused.
                Some(Joiner::G(g, wait)) => Commit::Resume(unsafe { Parked::from_raw(g, wait) }),
                _ => Commit::Stay,
            }
        });
        wake != Wake::Closing || !self.g.join.withdraw(&waiter) || self.g.join.is_done()
    }

    /// `false`: this thread is abandoning the runtime's goroutines, so the result will not be waited for.
    #[cold]
    fn wait_as_thread(&self) -> bool {
        let (abandoned, its_own) = (ABANDONS.get(), self.g.runtime_address());
        if !abandoned.is_null() && (its_own.is_null() || its_own == abandoned) {
            return false;
        }
        let waiter = Waiter::new(Some(Joiner::Thread(std::thread::current())));
        // SAFETY: filled in, and this frame stays until the finisher has set `taken`.
        if unsafe { self.g.join.wait(&waiter) } {
            while !waiter.is_taken() {
                std::thread::park();
            }
        }
        true
    }
}

thread_local! {
    /// Where the runtime is whose goroutines this plain thread abandons.
    static ABANDONS: Cell<*const ()> = const { Cell::new(core::ptr::null()) };
}

/// Runs the destructor of what a goroutine was to do in the runtime at `rt`, whose goroutines the caller abandons one by
/// one. On a plain thread it may join another of them, and is told at once what that one is to be told a moment later.
pub(crate) fn while_abandoning(rt: *const (), destructor: impl FnOnce()) {
    if !matches!(caller(), Caller::Plain) {
        return destructor();
    }
    let before = ABANDONS.replace(rt);
    destructor();
    ABANDONS.set(before);
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if self.g.join.detach() {
            let unwanted = Unwanted(self.g);
            if self.g.outcome_matters() {
                drop_off_g0(unwanted);
            }
        }
    }
}

/// An ended goroutine's record with the outcome that nobody took: its handle was dropped.
struct Unwanted(&'static G);

impl Drop for Unwanted {
    fn drop(&mut self) {
        /// Also if the result's destructor unwinds.
        struct Free(&'static G);
        impl Drop for Free {
            fn drop(&mut self) {
                free_record(self.0);
            }
        }
        let _free = Free(self.0);
        // SAFETY: it has ended, and the handle owned the outcome that nobody took.
        unsafe { self.0.drop_outcome() };
    }
}

/// Drops it here, or in a goroutine if this is g0, where a timer's callback may have dropped the handle.
#[cold]
fn drop_off_g0(unwanted: Unwanted) {
    match foreign::own_place() {
        Some(m) => m.rt().drop_elsewhere(Box::new(unwanted)),
        None => drop(unwanted),
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("number", &self.number)
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Gives the record of an ended goroutine to the caller's P, or to the registry.
#[inline]
pub(super) fn free_record(g: &'static G) {
    // A goroutine in a blocking call has no P, and is not worth bringing back for this.
    if let Caller::G(caller) = caller() {
        let m = caller.m();
        let hold = m.door.hold();
        if hold.found_p()
            && let Some(p) = m.p_core()
        {
            // SAFETY: our M holds the P.
            unsafe { put_free(p, g) };
            return;
        }
    }
    give_to_registry(g);
}

/// Gives the record of a goroutine that has ended back, unless somebody still has its `Runnable`.
#[cold]
pub(crate) fn give_to_registry(g: &'static G) {
    g.set_extra(None);
    if !g.has(Flags::KEPT) {
        registry::give_one(g);
    }
}

/// Keeps a free record on a P; at 64 half of them go to the registry. Go: `gfput`.
///
/// # Safety
/// The caller's M holds the P.
#[inline]
pub(crate) unsafe fn put_free(p: &crate::records::p::PCore, g: &'static G) {
    if g.has(Flags::EXTRA_OR_KEPT) {
        g.set_extra(None);
        if g.has(Flags::KEPT) {
            return;
        }
    }
    // SAFETY: the caller's M holds the P.
    let free = unsafe { p.free() };
    free.push(g);
    if free.is_full() {
        registry::give_back(free, registry::BATCH + 1);
    }
}
