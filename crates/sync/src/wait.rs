//! Waiting: the queues and the sleep that channels, select, mutexes and their kin are made of.
//!
//! ```text
//!   the one who waits                                the one who wakes
//!   ─────────────────                                ─────────────────
//!   lock                                             lock
//!   nothing to be had: queue a Node in its frame     pop a Node, claim its Waiter
//!   sleep ── off the stack: token in, unlock         move the value, fire the Waiter
//!     ⋮                                              unlock
//!   woken: fired? done.                              WakeHandle::wake
//!   timed out or closing: lock, unlink, unlock
//! ```
//!
//! **Invariant.** A [`Node`] is reachable by others only while it is linked in a queue, and it is linked and unlinked
//! only under that queue's lock. Whoever waits does not leave the frame that holds the node before the node is off
//! the queue, by a waker's pop or by its own hand. A waker touches the node for the last time when it fires it; it
//! has taken the [`WakeHandle`], which it needs after that, out before.
//!
//! A waiter whose runtime was closed stays suspended for ever, and so does its frame: its node stays valid memory, and
//! wakers pass over it ([`Queue::pop`]).

mod bell;
mod lock;
mod outsider;
mod queue;
mod raw;
mod single;
mod waiter;

pub(crate) use bell::Bell;
pub(crate) use lock::{Guard, Lock};
pub(crate) use outsider::{Memory, Outsider};
pub(crate) use queue::{Node, Queue};
pub(crate) use raw::{Me, RawLock, TakenBy};
pub(crate) use single::{Unfired, WaitMode, wait};
pub(crate) use waiter::{Caller, Fired, Waiter, WakeHandle, check_unfired, must_have};
