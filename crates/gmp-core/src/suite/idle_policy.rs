//! The law of an idle policy: it keeps what it says of itself.

use crate::contract::{IdlePolicy, IdleView};

/// A policy that claims the strong law wakes an M for a submission whenever a P is idle and nobody spins, and lets an M
/// spin whenever nobody else does: in every state of up to eight Ps.
pub fn strong_means_strong<I: IdlePolicy>() {
    let policy = I::default();
    for procs in 1..=8 {
        for idle in 0..=procs {
            let view = IdleView { procs, idle, spinning: 0 };
            if !I::STRONG {
                continue;
            }
            assert!(idle == 0 || policy.wake_on_submit(view), "work waits beside an idle P: {view:?}");
            assert!(idle == procs || policy.may_spin(view), "nobody looks for work: {view:?}");
        }
    }
}
