//! `SharedQueue`: runnable goroutines that belong to no P.

use crate::contract::{List, OnlyP, Token};

/// The queue that all Ps share: overflow of the local ones, yielded and preempted goroutines, submissions from plain
/// threads. Any thread may call any method.
///
/// # Contract
/// - **S1** Exactly once, as clause Q1 of [`RunQueue`](crate::contract::RunQueue).
/// - **S2** `is_empty` is one cheap look, for hot paths. It is never wrong at rest; a push that has returned and a
///   [`full_fence`](crate::ground::sync::full_fence) on both sides make it visible.
/// - **S3** No call blocks for longer than another call of this trait takes, unwinds, or calls the runtime.
/// - **S4** `push_front` is served before everything queued, in the batch's order: what a removed P leaves behind.
/// - **S5** Else first in, first out; of what several threads push at once, each one's in its order. `pop_batch` gives at
///   most `limit` tokens, and at least one if there is one and `limit` is not 0.
pub trait SharedQueue<T: Token>: Default + Send + Sync + 'static {
    /// Adds one token at the tail.
    #[doc(alias = "globrunqput")]
    fn push(&self, token: T);

    /// Adds a batch at the tail, in order.
    #[doc(alias = "globrunqputbatch")]
    fn push_batch(&self, batch: List<T>);

    /// Adds a batch at the head, in order (S4).
    #[doc(alias = "globrunqputhead")]
    fn push_front(&self, batch: List<T>);

    /// Takes one token from the head.
    #[doc(alias = "globrunqget")]
    fn pop(&self) -> Option<T>;

    /// Takes one caller's fair share from the head, of at most `limit` tokens when `procs` Ps share the queue.
    #[doc(alias = "globrunqgetbatch")]
    fn pop_batch(&self, procs: usize, limit: usize) -> List<T>;

    /// [`SharedQueue::push`] by the only holder of a P.
    ///
    /// # Safety
    /// The evidence is of the one runtime that uses this queue: a queue that two runtimes reach has two holders.
    #[inline]
    unsafe fn push_only_p(&self, token: T, _only_p: OnlyP<'_>) {
        self.push(token);
    }

    /// [`SharedQueue::pop`] by the only holder of a P.
    ///
    /// # Safety
    /// The same as for [`SharedQueue::push_only_p`].
    #[inline]
    unsafe fn pop_only_p(&self, _only_p: OnlyP<'_>) -> Option<T> {
        self.pop()
    }

    /// [`SharedQueue::pop_batch`] by the only holder of a P.
    ///
    /// # Safety
    /// The same as for [`SharedQueue::push_only_p`].
    #[inline]
    unsafe fn pop_batch_only_p(&self, limit: usize, _only_p: OnlyP<'_>) -> List<T> {
        self.pop_batch(1, limit)
    }

    /// Called when there will be more Ps, or the only one is given up: puts what only its holder could reach where
    /// everybody can reach it.
    ///
    /// # Safety
    /// The same as for [`SharedQueue::push_only_p`].
    unsafe fn settle(&self, _only_p: OnlyP<'_>) {}

    /// Whether nothing is queued (S2).
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many tokens are queued; exact at rest.
    fn len(&self) -> usize;
}
