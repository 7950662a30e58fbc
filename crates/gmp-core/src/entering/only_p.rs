//! Who holds the only P of a runtime: for locks that cost less while nobody else can come.
//!
//! With one P, one goroutine of a runtime runs at a time, and none is suspended inside a critical section that does not
//! suspend. So among the goroutines of that runtime a plain flag is a lock. Others (plain threads, other runtimes,
//! goroutines inside `blocking`, this runtime's own once it has more Ps) must first make such a lock an ordinary one, and
//! for that they need [`heavy_fence`]: the flag's owner stores and looks without a fence of its own.

use crate::contract::Switch;
use crate::entering::caller::{Caller, Who};
use crate::ground::fence;
use core::sync::atomic::Ordering;

pub use crate::ground::fence::{has_heavy_fence, heavy_fence};

/// Makes this switch's heavy fence, if it has one, the process's, as making a runtime on the switch does. This is for
/// those who use queues without a runtime: a queue that is made before uses fences of its own. Never suspends.
pub fn provide<S: Switch>() {
    fence::install(S::heavy_fence());
}

/// The serial number in 32 bits, for locks that have room for no more. Runtimes after the first 2^32 - 2 have no short
/// number: theirs is 0, which is always right, since no lock takes 0 for a caller's. The highest number is never given
/// out, because it has another meaning in a lock.
pub(crate) fn short(serial: u64) -> u32 {
    u32::try_from(serial).ok().filter(|&short| short != u32::MAX).unwrap_or(0)
}

/// The serial number of the caller's runtime if the caller holds its only P and there is a heavy fence; else 0. The answer
/// holds until the caller next suspends, enters `blocking` or returns to the scheduler. Never suspends.
#[inline]
pub fn serial() -> u32 {
    // SAFETY: used up here.
    serial_of(unsafe { Who::calls() })
}

/// [`serial`], of a caller that has been looked up.
#[inline(always)]
pub fn serial_of(who: Who) -> u32 {
    match who.caller() {
        // Inside `blocking` the P may be another's by now.
        Caller::G(here) if !here.g().word.is_blocked() => here.g().header().only_p.load(Ordering::Relaxed),
        Caller::Scheduler(m) => of_scheduler(m),
        Caller::G(_) | Caller::Plain => 0,
    }
}

#[cold]
fn of_scheduler(m: &crate::records::m::M) -> u32 {
    if !m.has_p() { 0 } else { m.rt().header().only_p.load(Ordering::Relaxed) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_short_number_is_one_runtimes_alone() {
        assert_eq!(short(1), 1);
        assert_eq!(short(u64::from(u32::MAX) - 1), u32::MAX - 1);
        for late in [u64::from(u32::MAX), 1 << 32, (1 << 32) + 1, u64::MAX] {
            assert_eq!(short(late), 0, "runtime {late} shares no number with an earlier one");
        }
    }
}
