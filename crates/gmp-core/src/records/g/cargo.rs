//! Cargo: a goroutine's closure before it runs, and its result afterwards, in line in the record.

use super::G;
use core::cell::UnsafeCell;
use core::mem::{MaybeUninit, align_of, needs_drop, size_of};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// In-line bytes; a larger closure or result goes to the heap.
pub(crate) const INLINE: usize = 48;

/// The private payload that `exit` unwinds with.
#[derive(Debug)]
pub(crate) struct Goexit;

/// How a goroutine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Not yet.
    Pending,
    /// The closure returned; its value is in the cargo.
    Value,
    /// The closure panicked; the payload is in the cargo.
    Panicked,
    /// It called `exit`.
    Exited,
    /// Its runtime closed before it ended.
    Abandoned,
    /// It never ran: no stack could be had.
    OutOfStacks,
}

/// In-line storage for one value.
#[derive(Debug)]
#[repr(C, align(8))]
pub(crate) struct Cargo(UnsafeCell<MaybeUninit<[u64; INLINE / 8]>>);

impl Cargo {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    const fn fits<T>() -> bool {
        size_of::<T>() <= INLINE && align_of::<T>() <= align_of::<Self>()
    }

    /// Puts a value in.
    ///
    /// # Safety
    /// The cargo is empty and the caller owns the goroutine's next step.
    pub(crate) unsafe fn put<T>(&self, value: T) {
        if const { Self::fits::<T>() } {
            // SAFETY: size and alignment fit, and the place is the caller's.
            unsafe { self.0.get().cast::<T>().write(value) };
        } else {
            // SAFETY: a box is one word and fits.
            unsafe { self.0.get().cast::<Box<T>>().write(Box::new(value)) };
        }
    }

    /// Takes the value out.
    ///
    /// # Safety
    /// A `T` was put in and not taken since; the caller owns the goroutine's next step.
    pub(crate) unsafe fn take<T>(&self) -> T {
        if const { Self::fits::<T>() } {
            // SAFETY: the caller says that a T is there.
            unsafe { self.0.get().cast::<T>().read() }
        } else {
            // SAFETY: the caller says that a T is there, and a large one is boxed.
            *unsafe { self.0.get().cast::<Box<T>>().read() }
        }
    }
}

/// What can be done with a goroutine's cargo, with the types forgotten.
#[derive(Debug)]
pub(crate) struct CargoTable {
    /// Runs the closure on the goroutine's stack and leaves the outcome.
    pub(crate) run: unsafe fn(&G),
    /// Drops a closure that never ran.
    pub(crate) drop_closure: unsafe fn(&G),
    /// Drops an outcome that nobody wants.
    pub(crate) drop_outcome: unsafe fn(&G),
    /// Whether dropping an outcome runs anybody's code.
    pub(crate) drop_matters: bool,
}

/// The table of a record without a goroutine.
pub(crate) static NOTHING: CargoTable =
    CargoTable { run: nothing, drop_closure: nothing, drop_outcome: nothing, drop_matters: false };

unsafe fn nothing(_: &G) {}

struct TableFor<F, T>(core::marker::PhantomData<(F, T)>);

impl<F: FnOnce() -> T, T> TableFor<F, T> {
    const TABLE: CargoTable = CargoTable {
        run: run::<F, T>,
        drop_closure: drop_closure::<F>,
        drop_outcome: drop_outcome::<T>,
        drop_matters: needs_drop::<T>(),
    };
}

/// The table for a closure and its result.
pub(crate) fn table<F: FnOnce() -> T, T>() -> &'static CargoTable {
    const { &TableFor::<F, T>::TABLE }
}

/// # Safety
/// On the goroutine's own stack, once; the cargo holds an `F`.
unsafe fn run<F: FnOnce() -> T, T>(g: &G) {
    // SAFETY: the spawner put an F in, and a goroutine runs once.
    let closure = unsafe { g.cargo.take::<F>() };
    match catch_unwind(AssertUnwindSafe(closure)) {
        Ok(value) => {
            // SAFETY: the closure has left the cargo.
            unsafe { g.cargo.put(value) };
            g.outcome.set(Outcome::Value);
        }
        Err(payload) if payload.is::<Goexit>() => g.outcome.set(Outcome::Exited),
        Err(payload) => {
            crate::life::panics::report(g, payload.as_ref());
            // SAFETY: the closure has left the cargo.
            unsafe { g.cargo.put::<Box<dyn Any + Send>>(payload) };
            g.outcome.set(Outcome::Panicked);
        }
    }
}

/// Drops an outcome that nobody wants; a panic of its destructor stays here, like that of an unwanted closure's.
///
/// # Safety
/// The goroutine has ended and nobody has taken its outcome.
pub(crate) unsafe fn drop_unwanted(g: &G) {
    // SAFETY: the caller says so.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { (g.table.get().drop_outcome)(g) }));
    // A payload whose own drop panics is not worth more care than this.
    core::mem::forget(dropped.err());
}

/// Drops the closure of a goroutine that never ran; its panic stays here.
///
/// # Safety
/// The goroutine never ran, and the caller has its only `Runnable` or used it up.
pub(crate) unsafe fn drop_closure_caught(g: &G) {
    // SAFETY: the caller says so.
    let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { (g.table.get().drop_closure)(g) }));
    // A payload whose own drop panics is not worth more care than this.
    core::mem::forget(dropped.err());
}

/// # Safety
/// The cargo holds an `F` that never ran.
unsafe fn drop_closure<F>(g: &G) {
    // SAFETY: the caller says so.
    drop(unsafe { g.cargo.take::<F>() });
}

/// # Safety
/// The goroutine has ended and nobody has taken its outcome.
unsafe fn drop_outcome<T>(g: &G) {
    match g.outcome.replace(Outcome::Exited) {
        // SAFETY: `run` put a T in.
        Outcome::Value => drop(unsafe { g.cargo.take::<T>() }),
        // SAFETY: `run` put the payload in.
        Outcome::Panicked => drop(unsafe { g.cargo.take::<Box<dyn Any + Send>>() }),
        _ => {}
    }
}
