//! `join`, as `fork_join.rs` asks for it.

use crate::fork_join::Join;

/// gmp's.
pub(super) struct Ours;

impl Join for Ours {
    fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        gmp::join(a, b)
    }
}
