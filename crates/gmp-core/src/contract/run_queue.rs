//! `RunQueue` and `Thief`: a P's queue, its one owner half and its many thief halves.

use crate::contract::{List, OnlyP, Promise, Token};
use core::time::Duration;

/// Where a pushed token goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// In front of everything, on the pusher's time slice: a goroutine just spawned or readied. Go's `next=true`.
    Next,
    /// Behind everything. Go's `next=false`.
    Back,
}

/// A token that left a queue at the owner's hand.
#[derive(Debug)]
pub struct Popped<T> {
    /// The token to run.
    pub token: T,
    /// Whether it goes on in the time slice of the one before it. Go's `inheritTime`: the tick does not advance.
    pub inherits: bool,
}

/// What a steal came to.
#[derive(Debug)]
#[must_use]
pub enum Steal<T> {
    /// The victim had nothing that may be taken in this round.
    Empty,
    /// Lost a race; something may be left.
    Retry,
    /// The victim is about to run this itself: look again after this long, with [`StealRound::backed_off`] set.
    BackOff(Duration),
    /// Run this one; any others are in the thief's own queue by now.
    Taken(T),
}

impl<T> Steal<T> {
    /// The same outcome with `change` made to what was taken.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Steal<U> {
        match self {
            Steal::Empty => Steal::Empty,
            Steal::Retry => Steal::Retry,
            Steal::BackOff(pause) => Steal::BackOff(pause),
            Steal::Taken(token) => Steal::Taken(change(token)),
        }
    }
}

/// What a thief knows when it looks at a victim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StealRound {
    /// The last of the policy's rounds: what earlier rounds leave alone (Go: run_next) may be taken now.
    pub last: bool,
    /// The victim's M runs a goroutine right now, so what it just readied will probably run without our help.
    pub victim_runs: bool,
    /// A [`Steal::BackOff`] of this very look has been waited out.
    pub backed_off: bool,
}

/// What a queue is made with.
#[derive(Clone, Copy, Debug)]
pub struct QueueConfig {
    /// Seed of the queue's random choices, different for each P and the same for the same `Builder::seed` and P.
    pub seed: u64,
}

/// Where a queue sends what it has no room for: the runtime's shared queue, at its tail.
pub trait Spill<T: Token> {
    /// Takes over a batch, in order.
    fn spill(&mut self, batch: List<T>);
}

impl<T: Token, F: FnMut(List<T>)> Spill<T> for F {
    fn spill(&mut self, batch: List<T>) {
        self(batch);
    }
}

/// A P's queue of runnable goroutines: the owner's half. The thieves' half is [`RunQueue::Thief`].
///
/// # Contract
/// - **Q1** Exactly once: each pushed token comes out once, by `pop`, by a steal, through `spill`, or stays in the
///   batch given to `push_batch`.
/// - **Q2** `is_empty` is never wrong at rest: if no operation of another thread overlaps it, it says `true` exactly
///   when nothing is left. While another thread steals it may be wrong only towards `false`; a token that merely moves
///   inside the queue is never invisible. One exception: while a push overlaps a steal, what the push moves may be out
///   of sight until the push is over. So whoever pushes looks for somebody to wake after the push, behind a full fence.
///   [`Thief::len`] is exact at rest, too.
/// - **Q3** `pop` gives `None` only if the queue was empty at some moment during the call.
/// - **Q4** `CAPACITY` is true: pushes fill the queue up to it, and nothing ever goes beyond. What `push` has no room for
///   leaves as one batch, in the order in which the shared queue is to serve it. What has no room of a batch stays, and
///   is the batch's end.
/// - **Q5** No call blocks for longer than another call of this queue takes, sleeps, unwinds, or calls the runtime. Core
///   turns an unwind or a call into a `fatal!` that names the policy.
/// - **Q6** Order is the queue's own choice. What it says of it in `PROMISE` it keeps, whoever steals meanwhile.
/// - **Q7** A look that may take anything ([`StealRound::last`], and backed off or the victim at rest) takes something,
///   if something is queued and no other operation overlaps: work must not wait behind a goroutine that runs for long.
///   A steal that gives nothing to run moves nothing, and nothing is stolen from oneself.
///
/// `&mut self` is the owner's right: only the M that holds the P can reach it.
pub trait RunQueue<T: Token>: Send + Sized + 'static {
    /// The other half.
    type Thief: Thief<T, Queue = Self>;

    /// The most tokens that are inside at once, a "next" slot included (Q4). `None`: no bound, so it never spills and
    /// takes every batch whole. 0: it holds nothing, each push spills.
    const CAPACITY: Option<usize>;

    /// What it promises of order, and is held to (Q6).
    const PROMISE: Promise = Promise::NONE;

    /// Makes an empty queue and a thief's handle on it.
    fn new(config: &QueueConfig) -> (Self, Self::Thief);

    /// Adds a token; what there is no room for goes to `spill`.
    #[doc(alias = "runqput")]
    fn push(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>);

    /// Moves as many tokens as fit from the front of `batch` to the back of this queue, first in first out and past
    /// any "next" slot. What does not fit stays in `batch`.
    #[doc(alias = "runqputbatch")]
    fn push_batch(&mut self, batch: &mut List<T>);

    /// Takes the token to run next.
    #[doc(alias = "runqget")]
    fn pop(&mut self) -> Option<Popped<T>>;

    /// [`RunQueue::push`] where there is no thief.
    ///
    /// # Safety
    /// The evidence is of the runtime that this queue belongs to, a P's queue of it or inside one: nobody has a use for
    /// the thief's half while it holds.
    #[inline]
    unsafe fn push_only_p(&mut self, token: T, slot: Slot, spill: &mut dyn Spill<T>, _only_p: OnlyP<'_>) {
        self.push(token, slot, spill);
    }

    /// [`RunQueue::pop`] where there is no thief.
    ///
    /// # Safety
    /// The same as for [`RunQueue::push_only_p`].
    #[inline]
    unsafe fn pop_only_p(&mut self, _only_p: OnlyP<'_>) -> Option<Popped<T>> {
        self.pop()
    }

    /// Whether nothing is queued (Q2).
    #[doc(alias = "runqempty")]
    fn is_empty(&self) -> bool;
}

/// The thieves' half of a [`RunQueue`]: cloned into every place that looks for work. The clauses there hold here too.
pub trait Thief<T: Token>: Clone + Send + Sync + 'static {
    /// The owner's half, of victim and thief alike.
    type Queue: RunQueue<T>;

    /// Takes some of the victim's tokens: one to run, the others into the thief's own queue, which the caller owns
    /// and has found empty. Never steals from `into` itself.
    #[doc(alias = "runqsteal")]
    #[doc(alias = "runqgrab")]
    fn steal_into(&self, into: &mut Self::Queue, round: StealRound) -> Steal<T>;

    /// Whether the victim has nothing queued (Q2), seen from any thread.
    fn is_empty(&self) -> bool;

    /// About how many tokens are queued; exact at rest. For figures and for policies that weigh their victims.
    fn len(&self) -> usize;
}
