//! Idle rules that policies build on: Go's. The laws that all of them live under are told in `g0/idle/README.md`.

use crate::contract::{IdlePolicy, IdleView};

/// How eager Go's idle Ms are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "nmspinning")]
#[doc(alias = "wakep")]
pub struct GoIdle;

impl IdlePolicy for GoIdle {
    const NAME: &'static str = "go";
    const STRONG: bool = true;

    /// Go: `2*nmspinning < gomaxprocs - npidle` in `findRunnable` (Go 1.27). With many Ps and little work, spinners
    /// would otherwise burn more CPU than the work does.
    fn may_spin(&self, view: IdleView) -> bool {
        2 * view.spinning < view.busy()
    }

    /// Go: the test in `wakep` (Go 1.27). A spinner finds the new work itself, and passes the right on when it does,
    /// so waking a second one at once is a thread switch for nothing.
    fn wake_on_submit(&self, view: IdleView, _: impl Fn() -> usize) -> bool {
        view.spinning == 0 && view.idle > 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn view(procs: usize, idle: usize, spinning: usize) -> IdleView {
        IdleView { procs, idle, spinning }
    }

    #[test]
    fn half_the_busy_ps_may_spin() {
        let allowed =
            |busy: usize| (0..=busy).filter(|&spinning| GoIdle.may_spin(view(8, 8 - busy, spinning))).count();
        assert_eq!((0..=8).map(allowed).collect::<Vec<_>>(), [0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn one_spinner_is_woken_at_a_time_and_only_for_an_idle_p() {
        assert!(GoIdle.wake_on_submit(view(4, 1, 0), || 1));
        assert!(!GoIdle.wake_on_submit(view(4, 1, 1), || 9));
        assert!(!GoIdle.wake_on_submit(view(4, 0, 0), || 9));
    }
}
