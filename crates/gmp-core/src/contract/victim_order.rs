//! `VictimOrder`: in which order a thief looks at the Ps.

/// A family of walks over the Ps `0..procs`, made anew whenever the number of Ps changes.
///
/// # Contract
/// - **V1** Each walk visits each of `0..procs` exactly once.
/// - **V2** The same seed gives the same walk.
pub trait VictimOrder: Send + Sync + 'static {
    /// One walk.
    type Walk: Iterator<Item = usize>;

    /// The family for this many Ps (at least 1).
    fn new(procs: usize) -> Self;

    /// The walk that `seed` picks.
    fn walk(&self, seed: u32) -> Self::Walk;
}
