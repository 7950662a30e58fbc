//! `Timeout`: how long a select waits.

use std::time::{Duration, Instant};

/// How long a select waits.
#[derive(Clone, Copy)]
pub struct Timeout(pub(super) Kind);

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Never,
    Immediate,
    After(Duration),
    At(Instant),
}

impl Timeout {
    /// No default: it waits until a case comes up.
    #[inline]
    pub fn never() -> Self {
        Self(Kind::Never)
    }

    /// `default`: it does not wait at all.
    #[inline]
    pub fn immediate() -> Self {
        Self(Kind::Immediate)
    }

    /// `default(timeout)`: it waits for this long at most.
    #[inline]
    pub fn after(timeout: Duration) -> Self {
        Self(Kind::After(timeout))
    }

    /// It waits until this moment at most.
    #[inline]
    pub fn at(deadline: Instant) -> Self {
        Self(Kind::At(deadline))
    }

    /// Heeds the end of the caller's time slice. Each select does this first, whether or not it may wait.
    #[inline]
    pub(super) fn begun(self) -> Self {
        crate::seam::begin(!self.is_immediate());
        self
    }

    /// What is left of it now, for a select that waits in several rounds: none, or the same moment in each.
    pub(super) fn of_rounds(self) -> Self {
        match (self.0, self.deadline()) {
            (Kind::Immediate, _) => self,
            (_, Some(deadline)) if deadline <= Instant::now() => Self::immediate(),
            (_, Some(deadline)) => Self::at(deadline),
            (_, None) => Self::never(),
        }
    }

    #[inline]
    pub(super) fn is_immediate(self) -> bool {
        matches!(self.0, Kind::Immediate)
    }

    pub(super) fn is_never(self) -> bool {
        matches!(self.0, Kind::Never)
    }

    /// The deadline. It is asked for once, when there is something to wait for, so most selects never look at the
    /// clock.
    pub(super) fn deadline(self) -> Option<Instant> {
        match self.0 {
            Kind::Never | Kind::Immediate => None,
            Kind::After(timeout) => crate::seam::after_now(timeout),
            Kind::At(deadline) => Some(deadline),
        }
    }
}
