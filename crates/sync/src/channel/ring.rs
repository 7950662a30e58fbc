//! `Ring`: a channel's buffer, first in, first out, of a size that never changes.

use core::mem::MaybeUninit;

/// The buffer. Used under the channel's lock.
#[repr(C)]
pub(super) struct Ring<T> {
    slots: Box<[MaybeUninit<T>]>,
    first: usize,
    len: usize,
}

impl<T> Ring<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { slots: Box::new_uninit_slice(capacity), first: 0, len: 0 }
    }

    #[inline]
    pub(super) fn capacity(&self) -> usize {
        self.slots.len()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.slots.len()
    }

    /// The slot `ahead` of the first one.
    #[inline]
    fn at(&self, ahead: usize) -> usize {
        let (at, left) = (self.first + ahead, self.slots.len());
        if at >= left { at - left } else { at }
    }

    /// Where the next value goes, which counts as there from now on.
    ///
    /// # Safety
    /// The ring is not full, and the caller writes a value before the lock is given back.
    #[inline]
    pub(super) unsafe fn push(&mut self) -> *mut T {
        let at = self.at(self.len);
        self.len += 1;
        self.slots[at].as_mut_ptr()
    }

    /// Takes the first value out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        // SAFETY: the first `len` slots from `first` on hold values, and this one no longer counts among them.
        let value = unsafe { self.slots[self.first].assume_init_read() };
        self.first = self.at(1);
        self.len -= 1;
        Some(value)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        /// Goes on with the rest if a value's destructor unwinds.
        struct Rest<'a, T>(&'a mut Ring<T>);
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                while let Some(value) = self.0.pop() {
                    drop(value);
                }
            }
        }
        let rest = Rest(self);
        while let Some(value) = rest.0.pop() {
            drop(value);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    proptest::proptest! {
        #[test]
        fn is_a_queue(capacity in 1_usize..9, pushes in proptest::collection::vec(proptest::bool::ANY, 0..200)) {
            let (mut ring, mut model) = (Ring::<Box<usize>>::new(capacity), VecDeque::new());
            for (i, push) in pushes.into_iter().enumerate() {
                if push && !ring.is_full() {
                    // SAFETY: not full, and written at once.
                    unsafe { ring.push().write(Box::new(i)) };
                    model.push_back(Box::new(i));
                } else if !push {
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
            let mut ring = Ring::<Loud<'_>>::new(3);
            for _ in 0..3 {
                // SAFETY: not full, and written at once.
                unsafe { ring.push().write(Loud(&dropped)) };
            }
        }));
        assert!(unwound.is_err());
        assert_eq!(dropped.get(), 3);
    }
}
