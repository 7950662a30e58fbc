//! The laws of an idle policy: it keeps what it says of itself.

use crate::contract::{IdlePolicy, IdleView};

/// States of up to eight Ps, in which any number of the busy ones spin.
fn views() -> impl Iterator<Item = IdleView> {
    (1..=8).flat_map(|procs| {
        (0..=procs)
            .flat_map(move |idle| (0..=procs - idle).map(move |spinning| IdleView { procs, idle, spinning }))
    })
}

/// How much work the laws have waiting.
const QUEUED: [usize; 6] = [0, 1, 2, 3, 128, 100_000];

/// I5: there is an answer in every state with more than one P, and no panic.
///
/// # Panics
/// An opinion panics.
pub fn every_state_has_an_answer<I: IdlePolicy>() {
    let policy = I::default();
    for view in views().filter(|view| view.procs > 1) {
        policy.may_spin(view);
        for queued in QUEUED {
            policy.wake_on_submit(view, || queued);
            policy.pass_on(view, || queued);
        }
    }
}

/// I2: a policy that claims the strong law agrees to a wake, for a submission and on behalf of a spinner that has found
/// work, whenever a P is idle and nobody spins.
///
/// # Panics
/// The policy refuses such a wake.
pub fn strong_means_strong<I: IdlePolicy>() {
    if !I::STRONG {
        return;
    }
    let policy = I::default();
    for view in views().filter(|view| view.idle > 0 && view.spinning == 0) {
        for queued in QUEUED {
            let state = format!("with {queued} queued and {view:?}");
            assert!(policy.wake_on_submit(view, || queued), "I2: wake_on_submit refuses {state}");
            assert!(policy.pass_on(view, || queued), "I2: pass_on refuses {state}");
        }
    }
}

/// A policy that does not claim the strong law must break it somewhere: it refuses some wake that the law asks for. So
/// "not strong" is a decision and not an oversight.
///
/// # Panics
/// The policy refuses no such wake.
pub fn weak_means_weak<I: IdlePolicy>() {
    let policy = I::default();
    let refuses = |view: IdleView| {
        QUEUED.iter().any(|&queued| {
            !policy.wake_on_submit(view, || queued.max(1)) || !policy.pass_on(view, || queued.max(1))
        })
    };
    let asked = |view: &IdleView| view.idle > 0 && view.busy() > 0 && view.spinning == 0;
    assert!(I::STRONG || views().filter(asked).any(refuses), "I2: {} keeps the strong law: say so", I::NAME);
}

/// Each law meets a rule that breaks it.
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    macro_rules! flaws {
        ($($test:ident $flaw:ident $strong:literal $law:ident $says:literal |$view:ident, $queued:ident| $spin:expr, $wake:expr;)*) => {$(
            #[derive(Default)]
            struct $flaw;
            impl IdlePolicy for $flaw {
                const NAME: &'static str = stringify!($test);
                const STRONG: bool = $strong;
                fn may_spin(&self, $view: IdleView) -> bool {
                    $spin
                }
                fn wake_on_submit(&self, $view: IdleView, $queued: impl Fn() -> usize) -> bool {
                    let _ = ($view, &$queued);
                    $wake
                }
            }
            #[test]
            #[should_panic(expected = $says)]
            fn $test() {
                $law::<$flaw>();
            }
        )*};
    }

    flaws! {
        it_wakes_for_two_only ForTwo true strong_means_strong "I2: wake_on_submit refuses with 0 queued"
            |view, queued| view.spinning == 0, view.spinning == 0 && queued() > 1;
        it_is_strong_and_denies_it Modest false weak_means_weak "keeps the strong law: say so"
            |_view, _queued| true, true;
        it_divides_by_the_idle Divides true every_state_has_an_answer "divide by zero"
            |view, _queued| view.spinning / view.idle == 0, true;
    }
}
