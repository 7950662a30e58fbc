//! Clock: from the ticks of events to nanoseconds.

use gmp_core::ticks::Moment;

/// How many bits of the ticks an event keeps.
const BITS: u32 = 48;

/// Two moments, between and around which ticks run evenly.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    first: Moment,
    last: Moment,
}

impl Clock {
    /// By the first moment that the process knows, and now.
    pub(crate) fn now() -> Self {
        let first = Moment::first();
        Self { first, last: Moment::now() }
    }

    /// The moment that it was made at, in nanoseconds.
    pub(crate) fn made_at(&self) -> u64 {
        self.last.nanos
    }

    /// The ticks of a moment.
    #[cfg(test)]
    pub(crate) fn ticks_for_test(&self, nanos: u64) -> u64 {
        let (ticks, of) = (self.last.ticks - self.first.ticks, (self.last.nanos - self.first.nanos).max(1));
        let ago = i128::from(self.last.nanos) - i128::from(nanos);
        (i128::from(self.last.ticks) - ago * i128::from(ticks) / i128::from(of)) as u64 & ((1 << BITS) - 1)
    }

    /// The nanoseconds of an event's ticks: the event was not long before the clock was made, or even shortly after.
    pub(crate) fn nanos(&self, ticks: u64) -> u64 {
        let shift = 64 - BITS;
        let ago = ((self.last.ticks.wrapping_sub(ticks) << shift) as i64) >> shift;
        let (ticks, nanos) = (self.last.ticks - self.first.ticks, self.last.nanos - self.first.nanos);
        let ago =
            if ticks == 0 { ago.into() } else { i128::from(ago) * i128::from(nanos) / i128::from(ticks) };
        u64::try_from(i128::from(self.last.nanos) - ago).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(first: (u64, u64), last: (u64, u64)) -> Clock {
        let moment = |(ticks, nanos)| {
            let mut moment = Moment::now();
            (moment.ticks, moment.nanos) = (ticks, nanos);
            moment
        };
        Clock { first: moment(first), last: moment(last) }
    }

    #[test]
    fn ticks_become_nanoseconds_though_their_upper_bits_are_gone() {
        let from = (7 << BITS) - 1_000;
        let clock = clock((from, 500), (from + 2_000, 1_500));
        for (ticks, nanos) in
            [(from, 500), (from + 1_000, 1_000), (from + 2_000, 1_500), (from + 2_020, 1_510)]
        {
            assert_eq!(clock.nanos(ticks & ((1 << BITS) - 1)), nanos);
        }
    }
}
