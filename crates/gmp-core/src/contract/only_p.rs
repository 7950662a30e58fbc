//! `OnlyP`: evidence that the caller holds the only P.

use core::marker::PhantomData;

/// Evidence that the caller holds the only P there is, for the length of the borrow. Then there is no thief, and no
/// other M takes from the shared queue: a queue may leave out the locked instructions that those would need. On one P
/// they are most of what a yield costs.
///
/// Only core can make one, so safe code cannot claim it. It does not say of *which* runtime, and safe code may keep one
/// queue for two: hence the methods that take it are `unsafe`.
#[derive(Clone, Copy, Debug)]
pub struct OnlyP<'a>(PhantomData<&'a ()>);

impl OnlyP<'_> {
    /// # Safety
    /// While the evidence exists, no other thread takes from any queue of the runtime or owns one: others may at most
    /// look (`len`, `is_empty`) and put into the shared queue.
    pub(crate) unsafe fn new() -> Self {
        Self(PhantomData)
    }

    /// Makes one for a suite, which judges queues on one thread.
    ///
    /// # Safety
    /// As the evidence says: nobody else takes from the queue that it is shown to, or owns it.
    #[cfg(any(test, feature = "suite"))]
    pub unsafe fn for_suite() -> Self {
        Self(PhantomData)
    }
}
