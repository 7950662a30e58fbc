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

/// I2: a policy that claims the strong law agrees to a wake, for a submission and on behalf of a spinner that has found
/// work, whenever a P is idle and nobody spins.
///
/// # Panics
/// It does not.
pub fn strong_means_strong<I: IdlePolicy>() {
    if !I::STRONG {
        return;
    }
    let policy = I::default();
    for view in views().filter(|view| view.idle > 0 && view.spinning == 0) {
        for queued in QUEUED {
            assert!(policy.wake_on_submit(view, || queued), "I2: work waits beside an idle P: {view:?}");
            assert!(policy.pass_on(view, || queued), "I2: a spinner ends the chain of wake-ups: {view:?}");
        }
    }
}

/// A policy that does not claim the strong law lets go of it somewhere: some wake that the law asks for is refused. So
/// "not strong" is a decision, and no word forgotten.
///
/// # Panics
/// It refuses none.
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
