//! Size classes, powers of two of usable bytes, and colours.
//!
//! A stack takes a page more than its class says, and begins up to 960 bytes below that page's end, by its *colour*.
//! Without colours the uppermost frames of all stacks, the ones that every switch touches, lie at the same offset in
//! their pages, which is to say in the same few sets of the processor's caches. Going round 1,000 suspended stacks,
//! there and back, then costs 45 ns each; with colours it costs 4.3 ns, and with 50 stacks 13 and 2.7 ns
//! (`benches/rounds.rs`). The page more keeps the promise of a size exact, and most of the first page is left for
//! frames.

use gmp_core::contract::StackError;

/// Usable bytes of the smallest class: std's panic with a backtrace needs more, but a program may know better.
pub(crate) const LEAST: usize = 16 << 10;

/// Usable bytes of the largest class: eight times the stack that Linux gives to a main thread.
pub(crate) const MOST: usize = 64 << 20;

/// How many classes there are.
pub(crate) const CLASSES: usize = (MOST / LEAST).ilog2() as usize + 1;

/// The class whose stacks have at least `size` usable bytes.
#[inline]
pub(crate) fn class_of(size: usize) -> Result<usize, StackError> {
    if !(LEAST..=MOST).contains(&size) {
        return Err(bad_size(size));
    }
    // How many bits the last byte's offset has, counted in units of the smallest class.
    Ok(usize::BITS as usize - ((size - 1) / LEAST).leading_zeros() as usize)
}

/// Usable bytes of a class's stacks.
#[inline]
pub(crate) fn size_of(class: usize) -> usize {
    LEAST << class
}

/// Distance between two colours: a cache line.
const LINE: usize = 64;

/// How many colours there are. More would spread better and leave less of the first page.
const COLOURS_LOG2: u32 = 4;

/// How many bytes of the uppermost page the stack with this bottom leaves out.
#[inline]
pub(crate) fn colour_of(bottom: usize) -> usize {
    // Fibonacci hashing spreads any regular sequence of pages evenly, whatever the stride is.
    let page = (bottom >> 12) as u64;
    (page.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - COLOURS_LOG2)) as usize * LINE
}

/// The class of a stack of ours, from its size: the class's, and less than as much again.
#[inline]
pub(crate) fn class_of_stack(size: usize) -> usize {
    (size.ilog2() - LEAST.ilog2()) as usize
}

#[cold]
fn bad_size(asked: usize) -> StackError {
    StackError::BadSize { asked, least: LEAST, most: MOST }
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
        assert_eq!(size_of(CLASSES - 1), MOST);
        assert_eq!(size_of(class_of(64 << 10).unwrap()), 64 << 10);
    }

    #[test]
    fn colours_are_spread_evenly_and_cost_less_than_a_page() {
        for stride in [4, 6, 10, 16, 18, 34, 66, 1 << 10] {
            let mut times = [0; 1 << COLOURS_LOG2];
            for index in 0..1600 {
                let colour = colour_of(0x7f12_3456_7000 + index * (stride << 12));
                assert!(colour.is_multiple_of(LINE) && colour <= 960);
                times[colour / LINE] += 1;
            }
            assert!(times.iter().all(|&times| (80..=120).contains(&times)), "stride {stride}: {times:?}");
        }
    }

    #[test]
    fn a_coloured_size_leads_back_to_its_class() {
        for class in 0..CLASSES {
            for more in [0, 64, 4096 - 960, 4096] {
                assert_eq!(class_of_stack(size_of(class) + more), class);
            }
        }
    }

    #[test]
    fn sizes_outside_are_refused_by_name() {
        for asked in [0, LEAST - 1, MOST + 1, usize::MAX] {
            assert_eq!(class_of(asked), Err(StackError::BadSize { asked, least: LEAST, most: MOST }));
        }
    }
}
