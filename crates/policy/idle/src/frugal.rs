//! `Frugal`: as few Ms awake as the load asks for.

use gmp_core::contract::{IdlePolicy, IdleView};

/// This many waiting goroutines are worth waking a thread. A single one runs next where it is, most likely before a
/// woken thread could have taken it (golang/go#54622: waking a thread can cost more than the work for which it is
/// woken).
const IN_LINE: usize = 2;

/// Wakes an M only when several goroutines wait in a queue, and lets an M spin only if there is a P to steal from.
///
/// Idle Ps and Ms are taken last in, first out, so a light load stays on the same few of them and spreads as the
/// queues grow: ClickHouse/silk#127 sizes a prefix of its processors to the load in the same way. rayon-rs/rayon#642
/// describes what a trickle of work costs where every submission wakes a thread.
///
/// **What it costs**: a goroutine that waits alone behind one that computes waits until that one suspends, or for as
/// long as the bounded law allows: up to 10 ms and a round of sysmon. The same holds for timers while the only M that
/// is awake computes. Use it where goroutines are short, and not where one starts a single other and both are long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frugal;

impl IdlePolicy for Frugal {
    const NAME: &'static str = "frugal";
    const STRONG: bool = false;

    /// One M may spin, and only while some other P is busy: idle Ps have nothing to steal.
    fn may_spin(&self, view: IdleView) -> bool {
        view.spinning == 0 && view.busy() > 1
    }

    fn wake_on_submit(&self, view: IdleView, queued: impl Fn() -> usize) -> bool {
        view.idle > 0 && view.spinning == 0 && queued() >= IN_LINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(procs: usize, idle: usize, spinning: usize) -> IdleView {
        IdleView { procs, idle, spinning }
    }

    #[test]
    fn a_line_of_two_wakes_one_spinner() {
        assert!(!Frugal.wake_on_submit(view(8, 7, 0), || 1));
        assert!(Frugal.wake_on_submit(view(8, 7, 0), || 2));
        assert!(!Frugal.wake_on_submit(view(8, 6, 1), || 9));
        assert!(!Frugal.wake_on_submit(view(8, 0, 0), || 9));
        assert!(Frugal.pass_on(view(8, 6, 0), || 2) && !Frugal.pass_on(view(8, 6, 0), || 1));
    }

    #[test]
    fn nobody_looks_where_all_others_are_idle() {
        assert!(!Frugal.may_spin(view(16, 15, 0)));
        assert!(Frugal.may_spin(view(16, 14, 0)));
        assert!(!Frugal.may_spin(view(16, 8, 1)));
    }
}
