//! `Eager`: wakes an M at every submission.

use gmp_core::contract::{IdlePolicy, IdleView};

/// Wakes an M for an idle P at every submission, even if others spin already.
///
/// Go wakes one M at a time: when the first M has woken up and found work, it wakes the next. A thread takes tens of
/// microseconds to wake up, so a batch of goroutines that a plain thread submits to a sleeping runtime reaches `n` Ps
/// after `n` times that long. Here the submitter wakes the Ms one after another, and they wake up together
/// (smol-rs/async-executor#100 asks for this). The price is a system call and a thread switch for each submission
/// that a spinner would have found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eager;

impl IdlePolicy for Eager {
    const NAME: &'static str = "eager";
    const STRONG: bool = true;

    /// Every M may spin while there are idle Ps, or busy ones to steal from: an M that has been woken for work must
    /// be allowed to look for it.
    fn may_spin(&self, _: IdleView) -> bool {
        true
    }

    fn wake_on_submit(&self, view: IdleView, _: impl Fn() -> usize) -> bool {
        view.idle > 0
    }

    /// Each goroutine that the spinner sees waiting has woken an M when it was submitted, unless no P was idle then.
    /// So it wakes an M for those that it sees, and, like Go, one for those that it may not see.
    fn pass_on(&self, view: IdleView, queued: impl Fn() -> usize) -> bool {
        view.idle > 0 && (view.spinning == 0 || queued() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spinners_keep_nobody_asleep() {
        let view = IdleView { procs: 8, idle: 3, spinning: 5 };
        assert!(Eager.wake_on_submit(view, || 1));
        assert!(Eager.pass_on(view, || 1) && !Eager.pass_on(view, || 0));
        assert!(Eager.pass_on(IdleView { spinning: 0, ..view }, || 0));
        assert!(!Eager.wake_on_submit(IdleView { idle: 0, ..view }, || 1));
    }
}
