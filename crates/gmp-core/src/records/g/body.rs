//! Body: a goroutine's closure before it runs, and its result afterwards, in line in the record.

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
    /// The closure returned; its value is in the body.
    Value,
    /// The closure panicked; the payload is in the body.
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
pub(crate) struct Body(UnsafeCell<MaybeUninit<[u64; INLINE / 8]>>);

impl Body {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    const fn fits<T>() -> bool {
        size_of::<T>() <= INLINE && align_of::<T>() <= align_of::<Self>()
    }

    /// Says what the goroutine is about to wait at: see [`Body::waits_at`].
    ///
    /// # Safety
    /// By the goroutine itself, between its start and its end, when its body is empty.
    #[inline(always)]
    pub(crate) unsafe fn set_waits_at(&self, what: usize) {
        // Inverted, so that whoever searches memory for handles of a channel does not take this for one.
        // SAFETY: the place is the caller's, and the last word of the body.
        unsafe { self.0.get().cast::<usize>().add(INLINE / 8 - 1).write(!what) };
    }

    /// What the goroutine waits at, as it said last. While a goroutine runs its body is empty, so the body's last word
    /// is free for this.
    ///
    /// # Safety
    /// The goroutine waits and cannot go on meanwhile, and it has said for this wait what it waits at.
    pub(crate) unsafe fn waits_at(&self) -> usize {
        // SAFETY: written by `set_waits_at` before the wait.
        !unsafe { self.0.get().cast::<usize>().add(INLINE / 8 - 1).read() }
    }

    /// Puts a value in.
    ///
    /// # Safety
    /// The body is empty and the caller owns the goroutine's next step.
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
            let place = self.0.get().cast::<T>();
            // SAFETY: the caller says that a T is there.
            let value = unsafe { place.read() };
            // SAFETY: the value has been moved out.
            unsafe { wipe(place) };
            value
        } else {
            // SAFETY: the caller says that a T is there, and a large one is boxed.
            let mut place = unsafe { self.0.get().cast::<Box<MaybeUninit<T>>>().read() };
            // SAFETY: as above.
            let value = unsafe { place.assume_init_read() };
            // SAFETY: the value has been moved out.
            unsafe { wipe(place.as_mut_ptr()) };
            value
        }
    }
}

/// Wipes the place that a value was moved out of, if it may have had a handle of a channel: whoever searches memory for
/// handles (`goroutine_leaks`) is not to find what is none any more.
///
/// # Safety
/// The place may be written to, and holds nothing.
#[inline(always)]
unsafe fn wipe<T>(place: *mut T) {
    if const { needs_drop::<T>() } {
        // SAFETY: the caller says so.
        unsafe { place.write_bytes(0, 1) };
        // The memory may be given back next, which alone would be no reason to write to it.
        core::hint::black_box(place);
    }
}

/// What can be done with a goroutine's body, with the types forgotten.
#[derive(Debug)]
pub(crate) struct BodyTable {
    /// Runs the closure on the goroutine's stack and leaves its value. `Err`: it unwound with this, and the body is empty.
    pub(crate) run: unsafe fn(&Body) -> Result<(), Box<dyn Any + Send>>,
    /// Drops a closure that never ran.
    pub(crate) drop_closure: unsafe fn(&Body),
    /// Drops a value that nobody wants.
    pub(crate) drop_value: unsafe fn(&Body),
    /// Whether dropping a value runs anybody's code.
    pub(crate) drop_matters: bool,
    /// The closure's type, which says where it was written.
    pub(crate) name: fn() -> &'static str,
}

/// The table of a record without a goroutine.
pub(crate) static NOTHING: BodyTable = BodyTable {
    run: |_| Ok(()),
    drop_closure: nothing,
    drop_value: nothing,
    drop_matters: false,
    name: || "",
};

unsafe fn nothing(_: &Body) {}

struct TableFor<F, T>(core::marker::PhantomData<(F, T)>);

impl<F: FnOnce() -> T, T> TableFor<F, T> {
    const TABLE: BodyTable = BodyTable {
        run: run::<F, T>,
        drop_closure: drop_content::<F>,
        drop_value: drop_content::<T>,
        drop_matters: needs_drop::<T>(),
        name: core::any::type_name::<F>,
    };
}

/// The table for a closure and its result.
pub(crate) fn table<F: FnOnce() -> T, T>() -> &'static BodyTable {
    const { &TableFor::<F, T>::TABLE }
}

/// # Safety
/// On the goroutine's own stack, once; the body holds an `F`.
unsafe fn run<F: FnOnce() -> T, T>(body: &Body) -> Result<(), Box<dyn Any + Send>> {
    // SAFETY: the spawner put an F in, and a goroutine runs once.
    let closure = unsafe { body.take::<F>() };
    let value = catch_unwind(AssertUnwindSafe(closure))?;
    // SAFETY: the closure has left the body.
    unsafe { body.put(value) };
    Ok(())
}

/// # Safety
/// The body holds a `T`, and the caller owns the goroutine's next step.
unsafe fn drop_content<T>(body: &Body) {
    // SAFETY: the caller says so.
    drop(unsafe { body.take::<T>() });
}
