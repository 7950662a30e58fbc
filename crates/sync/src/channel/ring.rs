//! `Ring`: a channel's buffer, first in, first out, of a size that never changes.
//!
//! **Invariant.** The `len` slots from `first` on hold values, all others none. The ring is used under the channel's
//! lock, except for [`Ring::capacity`], which never changes, and [`Ring::len`], which anybody may ask for.

use crate::seam::{AtomicUsize, own};
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Release};

/// The buffer. Its slots belong to whoever made the channel.
#[repr(C)]
pub(super) struct Ring<T> {
    slots: NonNull<T>,
    capacity: usize,
    first: Cell<usize>,
    len: AtomicUsize,
    owns: PhantomData<T>,
}

impl<T> Ring<T> {
    /// A ring in `slots`.
    ///
    /// # Safety
    /// The slots have room for `capacity` values, and nobody else uses them for as long as the ring lives.
    pub(super) unsafe fn in_slots(slots: NonNull<T>, capacity: usize) -> Self {
        Self { slots, capacity, first: Cell::new(0), len: AtomicUsize::new(0), owns: PhantomData }
    }

    /// Where the slots are.
    #[inline]
    pub(super) fn slots(&self) -> NonNull<T> {
        self.slots
    }

    /// How many values the ring has room for. May be asked without the lock.
    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many values the ring holds. May be asked without the lock.
    #[inline]
    pub(super) fn len(&self) -> usize {
        // ORDER: glance. Pairs with `set_len`: whoever reads this length also sees everything that the goroutine
        // which set it did before.
        self.len.load(Acquire)
    }

    #[inline]
    fn set_len(&self, len: usize) {
        // ORDER: glance. Pairs with `len`.
        self.len.store(len, Release);
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len() == self.capacity
    }

    /// The slot `ahead` of the first one.
    #[inline]
    fn at(&self, ahead: usize) -> usize {
        // A ring of values without a size may have room for as many as a number can count.
        let first = self.first.get();
        let behind = self.capacity - first;
        if ahead >= behind { ahead - behind } else { first + ahead }
    }

    /// The slot for the next value, which is counted from now on.
    ///
    /// # Safety
    /// The ring is not full, and the caller writes a value before the lock is given back.
    #[inline]
    pub(super) unsafe fn push(&self) -> *mut T {
        let len = own!(self.len);
        let at = self.at(len);
        self.set_len(len + 1);
        // SAFETY: below the capacity.
        unsafe { self.slots.add(at).as_ptr() }
    }

    /// Takes the first value out and has another one written behind the last, in the same slot, so that whoever looks
    /// without the lock never sees the ring less than full. `None` if the capacity is zero.
    ///
    /// # Safety
    /// The ring is full, and `with` writes a value.
    #[inline]
    pub(super) unsafe fn exchange(&self, with: impl FnOnce(*mut T)) -> Option<T> {
        debug_assert_eq!(own!(self.len), self.capacity, "the ring is full");
        if self.capacity == 0 {
            return None;
        }
        // SAFETY: below the capacity.
        let slot = unsafe { self.slots.add(self.first.get()) };
        // SAFETY: by the invariant the slot holds a value; another one is written there below.
        let first = unsafe { slot.read() };
        with(slot.as_ptr());
        self.first.set(self.at(1));
        Some(first)
    }

    /// The slot before the first value, for one that comes before all others.
    ///
    /// # Safety
    /// The same as for [`Ring::push`].
    pub(super) unsafe fn push_front(&self) -> *mut T {
        let first = self.first.get().checked_sub(1).unwrap_or(self.capacity - 1);
        self.first.set(first);
        self.set_len(own!(self.len) + 1);
        // SAFETY: below the capacity.
        unsafe { self.slots.add(first).as_ptr() }
    }

    /// Puts a value before the first one of a full ring, and gives the last one back; the value itself if the capacity is
    /// zero.
    pub(super) fn exchange_front(&self, value: T) -> T {
        debug_assert_eq!(own!(self.len), self.capacity, "the ring is full");
        let Some(before) = self.capacity.checked_sub(1) else { return value };
        let first = self.at(before);
        // SAFETY: the last slot of a full ring, which holds a value and is the one before the first.
        let last = unsafe { self.slots.add(first).replace(value) };
        self.first.set(first);
        last
    }

    /// Takes the first value out.
    #[inline]
    pub(super) fn pop(&self) -> Option<T> {
        let len = own!(self.len);
        if len == 0 {
            return None;
        }
        // SAFETY: by the invariant the slot holds a value, and it is not counted as filled any more.
        let value = unsafe { self.slots.add(self.first.get()).read() };
        self.first.set(self.at(1));
        self.set_len(len - 1);
        Some(value)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        drop_all(|| self.pop());
    }
}

/// Drops values until none is left, even if a destructor unwinds.
pub(super) fn drop_all<T>(mut next: impl FnMut() -> Option<T>) {
    /// Drops the rest of the values.
    struct Rest<'a, T>(&'a mut dyn FnMut() -> Option<T>);
    impl<T> Drop for Rest<'_, T> {
        fn drop(&mut self) {
            while let Some(value) = (self.0)() {
                drop(value);
            }
        }
    }
    let rest = Rest(&mut next);
    while let Some(value) = (rest.0)() {
        drop(value);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use core::mem::MaybeUninit;
    use std::collections::VecDeque;

    fn room<T>(capacity: usize) -> Box<[MaybeUninit<T>]> {
        Box::new_uninit_slice(capacity)
    }

    fn ring_in<T>(slots: &mut [MaybeUninit<T>]) -> Ring<T> {
        // SAFETY: the slots have room for that many; each test keeps them longer than the ring and does not touch
        // them.
        unsafe { Ring::in_slots(NonNull::new(slots.as_mut_ptr().cast()).unwrap(), slots.len()) }
    }

    #[test]
    fn values_without_a_size_are_counted_as_far_as_a_number_does() {
        let mut slots = room::<()>(usize::MAX);
        let ring = ring_in::<()>(&mut slots);
        // SAFETY: not full; there is nothing to write.
        unsafe { ring.push_front().write(()) };
        for _ in 0..2 {
            // SAFETY: as above.
            unsafe { ring.push().write(()) };
        }
        assert_eq!(std::iter::from_fn(|| ring.pop()).count(), 3);
    }

    proptest::proptest! {
        #[test]
        fn is_a_queue(capacity in 1_usize..9, pushes in proptest::collection::vec(proptest::bool::ANY, 0..200)) {
            let mut slots = room(capacity);
            let (ring, mut model) = (ring_in::<Box<usize>>(&mut slots), VecDeque::new());
            for (i, push) in pushes.into_iter().enumerate() {
                if push && !ring.is_full() {
                    // SAFETY: not full, and written at once.
                    unsafe { ring.push().write(Box::new(i)) };
                    model.push_back(Box::new(i));
                } else if push {
                    // SAFETY: full, and written.
                    let first = unsafe { ring.exchange(|slot| slot.write(Box::new(i))) };
                    proptest::prop_assert_eq!(first, model.pop_front());
                    model.push_back(Box::new(i));
                } else if i % 3 == 0 && !ring.is_full() {
                    // SAFETY: not full, and written at once.
                    unsafe { ring.push_front().write(Box::new(i)) };
                    model.push_front(Box::new(i));
                } else if i % 3 == 0 {
                    proptest::prop_assert_eq!(Some(ring.exchange_front(Box::new(i))), model.pop_back());
                    model.push_front(Box::new(i));
                } else {
                    proptest::prop_assert_eq!(ring.pop(), model.pop_front());
                }
                proptest::prop_assert_eq!(ring.len(), model.len());
                proptest::prop_assert_eq!(ring.is_full(), model.len() == capacity);
            }
        }
    }

    #[test]
    fn a_destructor_that_unwinds_leaks_none() {
        struct Loud<'a>(&'a std::cell::Cell<u32>);
        impl Drop for Loud<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                if self.0.get() == 1 {
                    panic!("the first");
                }
            }
        }
        let dropped = std::cell::Cell::new(0);
        let unwound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut slots = room(3);
            let ring = ring_in::<Loud<'_>>(&mut slots);
            for _ in 0..3 {
                // SAFETY: not full, and written at once.
                unsafe { ring.push().write(Loud(&dropped)) };
            }
        }));
        assert!(unwound.is_err());
        assert_eq!(dropped.get(), 3);
    }
}
