//! The tree along which cancellation goes: from a node down to everything derived from it. Go: `cancelCtx`, `timerCtx`,
//! `afterFuncCtx`, `propagateCancel` (context.go, Go 1.27).
//!
//! ```text
//!   live: children come (`add_child`) and go (`remove_child`)
//!     │ cancel: under the node's lock the error is set, the channel closed, the children are put below
//!     ▼
//!   ending: no child is taken in; the nodes below are ended next, one lock at a time, by all who cancel meanwhile
//!     │ all below have ended
//!     ▼
//!   ended: nothing below
//! ```
//!
//! **Invariant.** A node ends once. A child is in its parent's list from its making until one of the two ends, so an
//! end reaches it: the parent takes the list under the lock under which `add_child` looks whether it has ended.
//! Whoever takes a child out of a list owns it: a function is started or given back to `stop`, never both. If an
//! ended node has nothing below, all nodes under it have ended. So whoever cancels returns when all have ended, no
//! matter who began: a second caller helps the first, where Go's second caller waits for the first one's lock.
//!
//! A node and its parent hold each other until the node ends, which [`Cancel`](super::Cancel)'s drop sees to. No node's
//! lock is held while another's is taken, and none over a suspension. The channel is closed under the lock, but whoever
//! waits at it is woken when the lock is free: a task's waker is foreign code, and may ask the very context that ends. The
//! list of those to cancel next is on the heap: a tree may be deeper than a goroutine's stack.

use super::call::Call;
use super::error::{Cause, ContextError, Never};
use crate::channel::{Receiver, Sender, chan};
use core::fmt;
use core::panic::Location;
use core::sync::atomic::{AtomicBool, Ordering};
use gmp_core::NoRecord;
use gmp_core::timer::{Fire, Firing, Timer};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How a node ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) error: ContextError,
    pub(super) cause: Cause,
}

/// A child, which is told when the node ends.
#[derive(Debug)]
pub(super) enum Child {
    Node(Arc<Node>),
    Call(Call),
}

/// A child's place in its parent's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(usize);

/// The children of a node that ends.
type Below = Arc<[Arc<Node>]>;

/// What [`Node::end`] found.
struct Ending {
    /// It had not ended before.
    first: bool,
    how: Ended,
    below: Option<Below>,
}

/// One link of the tree.
pub(super) struct Node {
    parent: Option<(Arc<Node>, OnceLock<Slot>)>,
    deadline: Option<Instant>,
    /// It is set under the lock before the channel is closed: whoever sees neither need not take the lock.
    ending: AtomicBool,
    done: OnceLock<Done>,
    state: Mutex<State>,
}

/// The channel that closes at the end. It is made when somebody first asks for it.
struct Done {
    closes: Sender<Never>,
    closed: Receiver<Never>,
}

#[derive(Default)]
struct State {
    ended: Option<Ended>,
    children: Children,
    /// Of an ended node: the children that it had then, until all under it have ended.
    below: Option<Below>,
    timer: Option<Timer<Expiry>>,
}

impl Node {
    /// A node under `parent`; it ends at once if that has ended.
    pub(super) fn under(parent: Option<&Arc<Node>>, deadline: Option<Instant>) -> Arc<Self> {
        let deadline = deadline.or_else(|| parent.and_then(|parent| parent.deadline));
        let node = Arc::new(Self {
            parent: parent.map(|parent| (parent.clone(), OnceLock::new())),
            deadline,
            ending: AtomicBool::new(false),
            done: OnceLock::new(),
            state: Mutex::default(),
        });
        if let Some((parent, place)) = &node.parent {
            match parent.add_child(Child::Node(node.clone())) {
                // Nobody else sets it, and whoever reads it got the node from us, or from the parent's list.
                Ok(slot) => drop(place.set(slot)),
                Err(_) => {
                    if let Some(Ended { error, cause }) = parent.ended() {
                        node.cancel(error, Some(cause));
                    }
                }
            }
        }
        node
    }

    /// Cancels the node at `at`, at once if that is past.
    #[track_caller]
    pub(super) fn cancel_at(self: &Arc<Self>, at: Instant, cause: Cause) {
        if at <= Instant::now() {
            return self.cancel(ContextError::DeadlineExceeded, Some(cause));
        }
        if self.ending.load(Ordering::Relaxed) {
            return;
        }
        let timer = Expiry::timer(self, cause);
        timer.as_any().reset_at(at, Duration::ZERO);
        let mut state = self.lock();
        if state.ended.is_some() {
            drop(state);
            cancel_timer(&timer);
        } else {
            state.timer = Some(timer);
        }
    }

    /// The deadline, or an ancestor's if that is earlier.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How the node ended, if it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        if !self.ending.load(Ordering::Relaxed) {
            // Whoever has seen the channel closed sees this set, by the channel's own edge.
            return None;
        }
        self.lock().ended.clone()
    }

    /// The channel that closes when the node ends.
    pub(super) fn done(&self) -> &Receiver<Never> {
        let make = || {
            let (closes, closed) = chan(0);
            Done { closes, closed }
        };
        if let Some(done) = self.done.get() {
            return &done.closed;
        }
        // We look under the lock, so that an end meanwhile closes this channel, or is seen here.
        let state = self.lock();
        let done = self.done.get_or_init(make);
        if state.ended.is_some() {
            done.closes.close();
        }
        &done.closed
    }

    /// Takes a child in, which will be told of the end; gives it back if the node has ended.
    pub(super) fn add_child(&self, child: Child) -> Result<Slot, Child> {
        let mut state = self.lock();
        if state.ended.is_some() { Err(child) } else { Ok(state.children.insert(child)) }
    }

    /// Lets a child go, unless the end has come first. It is called once for each child.
    pub(super) fn remove_child(&self, slot: Slot) -> bool {
        let child = self.lock().children.remove(slot);
        // It is dropped without the lock: a function may drop anything.
        child.is_some()
    }

    /// Ends the node and all below it. They have ended when this returns, also if somebody else began.
    pub(super) fn cancel(&self, error: ContextError, cause: Option<Cause>) {
        let cause = cause.unwrap_or_else(|| Arc::new(error));
        let Ending { first, how, below } = self.end(&Ended { error, cause });
        if let Some(below) = below {
            let mut found = Vec::new();
            end_all(&below, &how, &mut found);
            let mut done = 0;
            while let Some((_, how, below)) = found.get(done).cloned() {
                end_all(&below, &how, &mut found);
                done += 1;
            }
            self.finish();
            found.iter().for_each(|(node, ..)| node.finish());
        }
        // This is not done earlier: until all under the node have ended, an end of the parent must find the way to
        // them.
        if first
            && let Some((parent, slot)) = &self.parent
            && let Some(&slot) = slot.get()
        {
            parent.remove_child(slot);
        }
    }

    /// Ends this one node, unless it has ended.
    fn end(&self, how: &Ended) -> Ending {
        let mut state = self.lock();
        if let Some(how) = &state.ended {
            return Ending { first: false, how: how.clone(), below: state.below.clone() };
        }
        state.ended = Some(how.clone());
        self.ending.store(true, Ordering::Relaxed);
        let told = self.done.get().and_then(|done| done.closes.chan().close_quietly());
        let (nodes, calls) = state.children.take();
        let below: Option<Below> = (!nodes.is_empty()).then(|| nodes.into());
        state.below.clone_from(&below);
        let timer = state.timer.take();
        drop(state);
        if let Some(told) = told {
            told.wake();
        }
        if let Some(timer) = timer {
            cancel_timer(&timer);
        }
        calls.into_iter().rev().for_each(Call::start);
        Ending { first: true, how: how.clone(), below }
    }

    /// Called when all below have ended.
    fn finish(&self) {
        let below = self.lock().below.take();
        // They are dropped without the lock: these may be the last references.
        drop(below);
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn children(&self) -> usize {
        self.lock().children.slots.iter().flatten().count()
    }

    #[cfg(all(test, not(loom)))]
    pub(super) fn parent(&self) -> Option<&Arc<Node>> {
        self.parent.as_ref().map(|(parent, _)| parent)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        gmp_core::foreign::refuse("Context");
        // No code of others runs under the lock, so none can panic there.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends each of these; those that may have others under them that have not ended go to `found`.
fn end_all(nodes: &[Arc<Node>], how: &Ended, found: &mut Vec<(Arc<Node>, Ended, Below)>) {
    for node in nodes.iter().rev() {
        let Ending { how, below, .. } = node.end(how);
        found.extend(below.map(|below| (node.clone(), how, below)));
    }
}

impl Drop for Node {
    /// It drops link by link, as the values do.
    fn drop(&mut self) {
        let mut next = self.parent.take();
        while let Some(mut last) = next.and_then(|(parent, _)| Arc::into_inner(parent)) {
            next = last.parent.take();
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("ended", &self.ended()).finish_non_exhaustive()
    }
}

/// The end of a deadline: a timer that cancels a node. What it holds is gone once that is done, or the timer is
/// cancelled.
///
/// The timer's callback runs in the scheduler, and so may its destructor, which are no places for the user's code (a
/// cause is a value of anybody's type). So the callback spawns a goroutine that cancels, and a timer that is cancelled
/// lets its node go at once, though it may lie in the scheduler's heap for longer. Go: `timerCtx`.
struct Expiry {
    node: Mutex<Option<(Arc<Node>, Cause)>>,
    created_at: &'static Location<'static>,
}

impl Expiry {
    /// A timer, not yet set, that cancels `node`.
    #[track_caller]
    fn timer(node: &Arc<Node>, cause: Cause) -> Timer<Self> {
        let node = Mutex::new(Some((node.clone(), cause)));
        Timer::new(Self { node, created_at: Location::caller() })
    }

    fn take(&self) -> Option<(Arc<Node>, Cause)> {
        // Nothing under this lock can panic.
        self.node.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Fire for Expiry {
    fn fire(timer: &Timer<Self>, firing: Firing<'_>) {
        if !firing.claim() {
            return;
        }
        let expiry = timer.callback();
        let Some((node, cause)) = expiry.take() else { return };
        let cancel = move || node.cancel(ContextError::DeadlineExceeded, Some(cause));
        if let Err(NoRecord(cancel)) = firing.spawn(expiry.created_at, cancel) {
            // Nobody is served by a deadline that does not come.
            cancel();
        }
    }
}

/// Stops a timer of a node that has ended, and lets the node go.
fn cancel_timer(timer: &Timer<Expiry>) {
    timer.as_any().stop();
    drop(timer.callback().take());
}

/// A node's children, each in a slot of its own.
#[derive(Default)]
struct Children {
    slots: Vec<Option<Child>>,
    free: Vec<usize>,
}

impl Children {
    fn insert(&mut self, child: Child) -> Slot {
        match self.free.pop() {
            Some(at) => {
                self.slots[at] = Some(child);
                Slot(at)
            }
            None => {
                self.slots.push(Some(child));
                Slot(self.slots.len() - 1)
            }
        }
    }

    /// Empties a slot, once; the slot may be another child's afterwards.
    fn remove(&mut self, slot: Slot) -> Option<Child> {
        let child = self.slots.get_mut(slot.0)?.take()?;
        self.free.push(slot.0);
        Some(child)
    }

    /// All of them, for the end.
    fn take(&mut self) -> (Vec<Arc<Node>>, Vec<Call>) {
        self.free.clear();
        let (mut nodes, mut calls) = (Vec::new(), Vec::new());
        for child in core::mem::take(&mut self.slots).into_iter().flatten() {
            match child {
                Child::Node(node) => nodes.push(node),
                Child::Call(call) => calls.push(call),
            }
        }
        (nodes, calls)
    }
}
