//! A goroutine's table of locals: one slot a key, and the order in which they were filled.

use core::any::Any;
use core::cell::Cell;
use core::ptr::{self, NonNull};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a slot holds.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// Nothing yet.
    Nothing,
    /// A value.
    Value(NonNull<T>),
    /// The value is being dropped, or was.
    Gone,
}

/// One key's place.
#[derive(Clone, Copy)]
struct Slot {
    state: State,
    value: *mut (),
    /// Frees `value`.
    free: unsafe fn(*mut ()),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Full,
    Gone,
}

impl Slot {
    const EMPTY: Slot = Slot { state: State::Empty, value: ptr::null_mut(), free: |_| {} };
}

/// The table.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    /// Slots with a value, the first made first.
    filled: Vec<usize>,
}

/// A goroutine's table, if it has one. Dropping this leaks the values: a goroutine that did not come to its end may refer
/// to them from a stack that stays.
pub(crate) struct Locals(Cell<*mut Table>);

impl Locals {
    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_null()
    }

    /// # Safety
    /// By the goroutine that the table is of; the slot is that of a key of this type.
    #[inline]
    pub(crate) unsafe fn find<T>(&self, slot: usize) -> Found<T> {
        // SAFETY: made by `put`; the goroutine alone touches it, and no borrow outlives a call.
        let Some(table) = (unsafe { self.0.get().as_ref() }) else { return Found::Nothing };
        let Some(slot) = table.slots.get(slot) else { return Found::Nothing };
        match (slot.state, NonNull::new(slot.value.cast())) {
            (State::Full, Some(value)) => Found::Value(value),
            (State::Gone, _) => Found::Gone,
            _ => Found::Nothing,
        }
    }

    /// Fills an empty slot.
    ///
    /// # Safety
    /// The same as for [`Locals::find`], which has said `Nothing`.
    pub(crate) unsafe fn put<T: 'static>(&self, slot: usize, value: T) -> NonNull<T> {
        unsafe fn free<T>(value: *mut ()) {
            // SAFETY: made of such a box, below, and freed once.
            drop(unsafe { Box::from_raw(value.cast::<T>()) });
        }
        if self.is_empty() {
            self.0.set(Box::into_raw(Box::default()));
        }
        // SAFETY: as in `find`; nothing below runs the user's code.
        let table = unsafe { &mut *self.0.get() };
        if table.slots.len() <= slot {
            table.slots.resize(slot + 1, Slot::EMPTY);
        }
        let value = NonNull::from(Box::leak(Box::new(value)));
        table.slots[slot] = Slot { state: State::Full, value: value.as_ptr().cast(), free: free::<T> };
        table.filled.push(slot);
        value
    }

    /// Drops the value that was made last; `None`: there is none left. Its destructor may use other locals, and make new
    /// ones.
    ///
    /// # Safety
    /// By the goroutine that the table is of, with nothing borrowed from the values.
    pub(crate) unsafe fn drop_last(&self) -> Option<Result<(), Box<dyn Any + Send>>> {
        let slot = {
            // SAFETY: as in `find`.
            let table = unsafe { self.0.get().as_mut() }?;
            let slot = &mut table.slots[table.filled.pop()?];
            slot.state = State::Gone;
            *slot
        };
        // SAFETY: the slot was full, is marked now, and the value is of the type that `free` was made for.
        Some(catch_unwind(AssertUnwindSafe(|| unsafe { (slot.free)(slot.value) })))
    }

    /// Forgets which values there were, so that the record's next goroutine begins anew.
    ///
    /// # Safety
    /// By the goroutine that the table is of, with all values dropped.
    pub(crate) unsafe fn free(&self) {
        let table = self.0.replace(ptr::null_mut());
        if !table.is_null() {
            // SAFETY: made of a box by `put`, and nobody borrows it.
            drop(unsafe { Box::from_raw(table) });
        }
    }
}

impl Default for Locals {
    fn default() -> Self {
        Self(Cell::new(ptr::null_mut()))
    }
}

impl core::fmt::Debug for Locals {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Locals").field("empty", &self.is_empty()).finish()
    }
}
