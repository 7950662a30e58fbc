//! The bits of a runtime's attention word: what an M looks at before it looks for work.

/// The world is to stop.
pub(crate) const STOP: u32 = 1;
/// The runtime closes.
pub(crate) const CLOSING: u32 = 2;
/// Goroutines are to unwind at their next suspension.
pub(crate) const UNWIND: u32 = 4;
/// An M with pinned goroutines waits for a P.
pub(crate) const WANTS_P: u32 = 8;
/// Main has returned and `run` waits for the others.
pub(crate) const WAITING: u32 = 16;
/// `run` is to return: m0 leaves the scheduler.
pub(crate) const FINISHED: u32 = 32;
/// At the limit of threads a reserve runs goroutines, or goroutines wait for a thread.
pub(crate) const LIMIT: u32 = 64;
/// What keeps any M from going idle. The other bits stay set while there is nothing to do.
pub(crate) const URGENT: u32 = STOP | CLOSING | WANTS_P;
