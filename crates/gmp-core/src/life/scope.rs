//! Scopes: goroutines that borrow from the goroutine that started them. Go: none; the shape is `std::thread::scope`'s.
//!
//! ```text
//!   scope(f) ── f(&scope) ──────────────────────► wait until no child is left ──► return, or unwind
//!                  │ go                                  ▲
//!                  └──► child: closure, locals' destructors, result put away ── ticket
//! ```
//!
//! **Invariant.** `scope` leaves its frame, by return or by unwind, only when every child has given its ticket back, and
//! a child does that after its closure, what the closure captured and a result that nobody can take any more are gone.
//! The count does not hang on handles: a leaked handle leaks a result, no more. What can keep a scope's frame from being
//! left properly:
//!
//! - a panic or `exit` in `f`: caught, and goes on after the wait;
//! - a child that never starts because its runtime closes: its closure is dropped, its ticket last;
//! - a runtime that closes while a child is suspended for good: then the scope's goroutine, which waits for it, is
//!   abandoned as well, and its stack is leaked like the child's (invariant 7 of `ARCHITECTURE.md`): the frame stays;
//! - a runtime that unwinds what waits: it does not end a scope's wait, since only the end of the children may. It
//!   unwinds those, and so the scope's goroutine goes on by itself.
//!
//! **Results.** One without a destructor lies in the child's record. One with a destructor may have to be dropped by
//! either side, and before the scope ends: it lies in a packet that child and handle share.

mod child;
mod fork;
mod word;

#[cfg(all(test, loom))]
mod loom_scope;

pub(crate) use fork::{promote, promote_from_outside, steal};

pub use fork::join;

use crate::entering::gate;
use crate::life::handle::{JoinError, JoinHandle};
use crate::life::spawn::{NoRecord, Spec, spawn_unchecked};
use crate::records::g::{G, WaitReason, Wake};
use child::Child;
use core::cell::UnsafeCell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::{ManuallyDrop, needs_drop};
use core::panic::Location;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use word::{ScopeWord, Ticket};

/// A scope, in which goroutines may be started that borrow what lives longer than the scope. Made by [`scope`].
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let mut cells = [1, 2, 3, 4];
///     gmp::scope(|s| {
///         let (low, high) = cells.split_at_mut(2);
///         s.go(|| low.iter_mut().for_each(|cell| *cell *= 10));
///         // A goroutine of the scope may start others in it.
///         s.go(|| {
///             let (one, other) = high.split_at_mut(1);
///             s.go(|| one[0] *= 10);
///             other[0] *= 10;
///         });
///     });
///     assert_eq!(cells, [10, 20, 30, 40]);
/// }).unwrap();
/// ```
pub struct Scope<'scope, 'env: 'scope> {
    word: ScopeWord,
    /// Children that panicked, less those whose panic a `join` has taken.
    panics: AtomicUsize,
    /// Children that never ran, less those of which a `join` was told.
    unrun: AtomicUsize,
    // Both lifetimes invariant: neither may be shrunk to smuggle a shorter borrow in, nor grown to get one out.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Calls `f` with a scope, waits until every goroutine started in it has ended, and returns what `f` did.
/// **Suspends.**
///
/// Not for plain threads: where goroutines are left suspended when their runtime closes, a thread could only wait for ever,
/// as it must not leave what they borrow.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let words = ["one", "two", "three"];
///     let mut longest = 0;
///     gmp::scope(|s| {
///         let lengths: Vec<_> = words.iter().map(|word| s.go(|| word.len())).collect();
///         // Nobody joins this one; the scope waits for it.
///         s.go(|| assert!(words.contains(&"two")));
///         longest = lengths.into_iter().map(|length| length.join().unwrap()).max().unwrap();
///     });
///     assert_eq!(longest, 5);
/// }).unwrap();
/// ```
///
/// What a goroutine borrows must outlive the scope:
///
/// ```compile_fail,E0373
/// gmp::scope(|s| {
///     let inside = 7;
///     s.go(|| println!("{inside}"));
/// });
/// ```
///
/// and neither the scope nor a handle leaves it:
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// gmp::scope(|s| kept = Some(s.go(|| ())));
/// ```
///
/// A goroutine of a scope cannot outlive a `&mut` that it holds:
///
/// ```compile_fail,E0499
/// let mut count = 0;
/// gmp::scope(|s| {
///     s.go(|| count += 1);
///     s.go(|| count += 1);
/// });
/// ```
///
/// # Panics
/// Outside a goroutine; with the panic of `f`; and if a goroutine of the scope panicked, or never ran because no stack
/// could be had for it, and nobody joined it. Always after all of them have ended.
///
/// In a runtime that closes, `scope` ends its goroutine, as `exit` does, if a goroutine of the scope was dropped before it
/// ran; in a destructor of a goroutine that unwinds already it returns.
#[track_caller]
pub fn scope<'env, F, R>(f: F) -> R
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    gate::give_way();
    let _ = gate::pass("scope");
    let scope = Scope {
        word: ScopeWord::new(),
        panics: AtomicUsize::new(0),
        unrun: AtomicUsize::new(0),
        scope: PhantomData,
        env: PhantomData,
    };
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    scope.word.wait();
    match result {
        Err(payload) => resume_unwind(payload),
        Ok(_) if scope.panics.load(Ordering::Relaxed) != 0 => {
            panic!("gmp::scope: a goroutine of the scope panicked, and its panic was not joined")
        }
        Ok(value) => {
            if scope.unrun.load(Ordering::Relaxed) != 0 {
                never_ran();
            }
            value
        }
    }
}

/// Panics, or unwinds in a runtime that closes, because part of what the scope was to do has not been done, and nobody has
/// been told. Returns only if the runtime closes and the caller can end no more than it does already: the scope is in a
/// destructor.
#[cold]
#[track_caller]
fn never_ran() {
    let header = gate::pass("scope").g().header();
    if header.is_unwinding() || header.is_closing() {
        return crate::life::panics::unwind_if_closing(Wake::Closing);
    }
    panic!("gmp::scope: a goroutine of the scope never ran: {}", JoinError::OutOfStacks)
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a goroutine of the scope: next on this P, or at the shared queue's tail inside `blocking`. Never suspends.
    ///
    /// # Panics
    /// Outside a goroutine, and if there is no memory for its record.
    #[track_caller]
    pub fn go<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.spawn("Scope::go", None, f)
    }

    /// [`Scope::go`] with a name, labels or a stack size; `call` is named in the panic outside a goroutine.
    ///
    /// For the facade, whose `Spawn::go_in` it is.
    ///
    /// # Panics
    /// The same as for [`Scope::go`].
    #[doc(hidden)]
    #[track_caller]
    pub fn spawn<F, T>(
        &'scope self,
        call: &'static str,
        spec: Option<&Spec>,
        f: F,
    ) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let here = gate::pass(call);
        let packet = needs_drop::<T>().then(Packet::new);
        // SAFETY: `scope` waits for its children before it leaves the word's frame. It has not begun to: `&'scope self`
        // exists only in its closure and in children, and is of no use to plain threads, which the gate refuses.
        let ticket = unsafe { Ticket::new(&self.word) };
        let (panics, unrun) = (&self.panics, &self.unrun);
        let theirs = packet.clone();
        let marks_unrun = Unrun(unrun);
        let child = Child::new(
            move || {
                core::mem::forget(marks_unrun);
                let result = child::call(|| {
                    let value = f();
                    match theirs {
                        None => Some(ManuallyDrop::new(value)),
                        Some(packet) => {
                            packet.put(value);
                            None
                        }
                    }
                });
                result.unwrap_or_else(|payload| {
                    if child::is_panic(payload.as_ref()) {
                        panics.fetch_add(1, Ordering::Relaxed);
                    }
                    resume_unwind(payload)
                })
            },
            ticket,
        );
        // SAFETY: what the closure borrows is valid for 'scope, which does not end before the ticket is given back; that
        // is after the closure is gone, run or not. Its result, which may lie in the record for longer, has no destructor
        // and is read by a handle of the scope only.
        match unsafe { spawn_unchecked(&here, spec, Location::caller(), move || child.run()) } {
            Ok(handle) => ScopedJoinHandle { handle, packet, panics, unrun },
            Err(NoRecord(closure)) => {
                drop(closure);
                panic!("gmp::{call}: no memory for another goroutine's record of 192 bytes")
            }
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}

/// The right to wait for a goroutine of a scope and take its result. Dropping it leaves the goroutine to its scope,
/// which waits for it all the same.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let text = String::from("seven");
///     gmp::scope(|s| {
///         let length = s.go(|| text.len());
///         let broken = s.go(|| -> u32 { text.parse().unwrap() });
///         assert_eq!(length.join().unwrap(), 5);
///         // Whoever joins it gets the panic, and then the scope does not panic.
///         assert!(matches!(broken.join(), Err(gmp::JoinError::Panicked(_))));
///     });
/// }).unwrap();
/// ```
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<Option<ManuallyDrop<T>>>,
    packet: Option<Arc<Packet<T>>>,
    panics: &'scope AtomicUsize,
    unrun: &'scope AtomicUsize,
}

impl<T> ScopedJoinHandle<'_, T> {
    /// The goroutine's number. Never suspends.
    #[doc(alias = "goid")]
    pub fn number(&self) -> u64 {
        self.handle.number()
    }

    /// Whether the goroutine has ended. Never suspends.
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Waits for the goroutine and takes its result; if it panicked, the scope need not. **Suspends**; a plain thread
    /// blocks itself.
    ///
    /// # Errors
    /// [`JoinError`], as from [`JoinHandle::join`].
    ///
    /// # Panics
    /// From inside a policy's code.
    #[track_caller]
    pub fn join(self) -> Result<T, JoinError> {
        match self.handle.join() {
            Ok(Some(value)) => Ok(ManuallyDrop::into_inner(value)),
            Ok(None) => match self.packet.and_then(|packet| packet.take()) {
                Some(value) => Ok(value),
                None => crate::fatal!("a child that ended well left its result", "the packet is empty"),
            },
            Err(error) => {
                match error {
                    JoinError::Panicked(_) => _ = self.panics.fetch_sub(1, Ordering::Relaxed),
                    JoinError::OutOfStacks => _ = self.unrun.fetch_sub(1, Ordering::Relaxed),
                    JoinError::Exited | JoinError::Abandoned => {}
                }
                Err(error)
            }
        }
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("number", &self.number())
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Part of a child's closure: counts it if it is dropped instead of run.
struct Unrun<'scope>(&'scope AtomicUsize);

impl Drop for Unrun<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A result that has a destructor, shared by a child and its handle: whoever lets go last drops it. Both do so inside
/// the scope: the child before its ticket, a handle by its lifetime.
struct Packet<T>(UnsafeCell<Option<T>>);

// SAFETY: the child alone reaches the place until it has ended, the handle's `join` afterwards.
unsafe impl<T: Send> Sync for Packet<T> {}

impl<T> Packet<T> {
    fn new() -> Arc<Self> {
        Arc::new(Self(UnsafeCell::new(None)))
    }

    /// By the child, once.
    fn put(&self, value: T) {
        // SAFETY: the child has not ended, so nobody takes.
        unsafe { *self.0.get() = Some(value) };
    }

    /// By the handle, when the child has ended.
    fn take(&self) -> Option<T> {
        // SAFETY: the child has ended and only one handle exists.
        unsafe { (*self.0.get()).take() }
    }
}

/// Whether `g` waits for the goroutines of a scope, which may hold borrows of its stack. Only their end ends that wait.
pub(crate) fn waits_at_end(g: &G) -> bool {
    // One that is not to be read now counts as one: whoever asks looks again in the next round.
    g.word.scan().is_none_or(|_scan| g.reason.get() == WaitReason::Scope)
}
