//! Size classes: a power of two of usable bytes, and a page.
//!
//! The additional page is for the context switch, which may begin a stack some cache lines below its top, a different
//! number on each stack. So the uppermost frames of many stacks do not lie in the same few sets of the processor's
//! caches, which makes a switch among 1,000 goroutines several times faster. A goroutine has the size that it asked
//! for, wherever its first frame begins.

use gmp_core::contract::StackError;

/// Usable bytes of the smallest class: std's panic with a backtrace needs more, but a program may know better.
pub const LEAST_SIZE: usize = 16 << 10;

/// Usable bytes of the largest class: eight times the stack that Linux gives to a main thread.
pub const MOST_SIZE: usize = 64 << 20;

/// How many classes there are.
pub(crate) const CLASSES: usize = (MOST_SIZE / LEAST_SIZE).ilog2() as usize + 1;

/// The class whose stacks have at least `size` usable bytes.
#[inline]
pub(crate) fn class_of(size: usize) -> Result<usize, StackError> {
    if !(LEAST_SIZE..=MOST_SIZE).contains(&size) {
        return Err(bad_size(size));
    }
    // The number of bits of the last byte's offset, counted in units of the smallest class.
    Ok(usize::BITS as usize - ((size - 1) / LEAST_SIZE).leading_zeros() as usize)
}

/// Usable bytes of a class's stacks.
#[inline]
pub(crate) fn size_of(class: usize) -> usize {
    LEAST_SIZE << class
}

/// The class of one of our stacks, from its size: the size of the class and a page.
#[inline]
pub(crate) fn class_of_stack(size: usize) -> usize {
    (size.ilog2() - LEAST_SIZE.ilog2()) as usize
}

#[cold]
fn bad_size(asked: usize) -> StackError {
    StackError::BadSize { asked, least: LEAST_SIZE, most: MOST_SIZE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_gets_the_smallest_class_that_holds_it() {
        for class in 0..CLASSES {
            let size = size_of(class);
            assert_eq!(class_of(size), Ok(class));
            assert_eq!(class_of(size / 2 + 1).unwrap_or(0), class);
        }
        assert_eq!(size_of(CLASSES - 1), MOST_SIZE);
        assert_eq!(size_of(class_of(64 << 10).unwrap()), 64 << 10);
    }

    #[test]
    fn a_size_with_its_page_leads_back_to_its_class() {
        for class in 0..CLASSES {
            for more in [0, 4096, size_of(class) - 1] {
                assert_eq!(class_of_stack(size_of(class) + more), class);
            }
        }
    }

    #[test]
    fn sizes_outside_are_refused_by_name() {
        for asked in [0, LEAST_SIZE - 1, MOST_SIZE + 1, usize::MAX] {
            assert_eq!(
                class_of(asked),
                Err(StackError::BadSize { asked, least: LEAST_SIZE, most: MOST_SIZE })
            );
        }
    }
}
