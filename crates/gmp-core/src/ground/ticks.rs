//! Ticks: the clock of recorded events, the cheapest there is: the processor's counter where it runs at one rate and never
//! stops (`rdtsc`, some 10 ns), else the system's monotonic clock.

use crate::ground::clock::{epoch, nanos};
use std::sync::OnceLock;
use std::time::Instant;

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The ticks.
    pub ticks: u64,
    /// Nanoseconds since the process first asked for the time.
    pub nanos: u64,
}

impl Moment {
    /// This moment: of three looks the one at which the clocks were read closest to each other, since the kernel may run
    /// somebody else in between.
    #[must_use]
    pub fn now() -> Self {
        let look = || {
            let before = ticks();
            let nanos = nanos(Instant::now().saturating_duration_since(epoch()));
            let took = ticks().saturating_sub(before);
            (took, Self { ticks: before + took / 2, nanos })
        };
        let best = [look(), look(), look()].into_iter().min_by_key(|(took, _)| *took);
        best.expect("there are three").1
    }

    /// The first moment that anybody asked for.
    #[must_use]
    pub fn first() -> Self {
        static FIRST: OnceLock<Moment> = OnceLock::new();
        *FIRST.get_or_init(Self::now)
    }
}

/// Whether the processor's counter is used.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
fn has_counter() -> bool {
    use core::arch::x86_64::__cpuid;
    static HAS: OnceLock<bool> = OnceLock::new();
    // Leaf 0x8000_0007, EDX bit 8: the counter is invariant (AMD64 manual 3, E.4.6; Intel SDM 2A, CPUID).
    *HAS.get_or_init(|| __cpuid(0x8000_0000).eax >= 0x8000_0007 && __cpuid(0x8000_0007).edx & (1 << 8) != 0)
}

/// The ticks of this moment.
#[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
#[inline(always)]
pub(crate) fn ticks() -> u64 {
    if has_counter() {
        // SAFETY: every x86-64 processor has the instruction, and Linux lets programs use it.
        unsafe { core::arch::x86_64::_rdtsc() }
    } else {
        by_clock()
    }
}

#[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
pub(crate) fn ticks() -> u64 {
    by_clock()
}

#[cold]
fn by_clock() -> u64 {
    nanos(Instant::now().saturating_duration_since(epoch()))
}
