//! `Queue`: the FIFO of those who wait, linked through nodes in their own frames.

use super::sleeper::{Fired, Sleeper, Waiter};
use core::cell::Cell;
use core::ptr;

/// A place in a queue, in the frame of the one who waits.
///
/// `E` is what the queue's owner wants to know of it: where the value is, which case of a select it is, a ticket.
#[doc(alias = "sudog")]
pub(crate) struct Node<E> {
    prev: Cell<*const Node<E>>,
    next: Cell<*const Node<E>>,
    queued: Cell<bool>,
    case: u32,
    waiter: *const Waiter,
    pub(crate) extra: E,
}

impl<E> Node<E> {
    /// A node for case `case` of `waiter`, which must live as long as the node is queued.
    #[inline]
    pub(crate) fn new(waiter: &Waiter, case: u32, extra: E) -> Self {
        let (prev, next) = (Cell::new(ptr::null()), Cell::new(ptr::null()));
        Self { prev, next, queued: Cell::new(false), case, waiter, extra }
    }

    fn waiter(&self) -> &Waiter {
        // SAFETY: `Queue::push_*`'s caller promised that the waiter lives while the node is queued, and those who look
        // at it do so under the queue's lock, before they fire it.
        unsafe { &*self.waiter }
    }

    /// Ends the wait of a node that [`Queue::pop`] gave: the value has been moved. The node must not be touched after
    /// this; what is given back is to be woken once the lock is released.
    #[inline]
    #[must_use]
    pub(crate) fn fire(&self, fired: Fired) -> Sleeper {
        self.waiter().fire(self.case, fired)
    }

    /// Whether it is in a queue; asked under that queue's lock.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }
}

/// The queue. Each method is called under the lock that protects it.
#[doc(alias = "waitq")]
pub(crate) struct Queue<E> {
    first: Cell<*const Node<E>>,
    last: Cell<*const Node<E>>,
}

// SAFETY: the nodes are reached under the lock only, whichever thread has it; their content moves between threads by the
// rules of the queue's owner, which asks for `Send` where values move.
unsafe impl<E> Send for Queue<E> {}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Queue<E> {
    pub(crate) const fn new() -> Self {
        Self { first: Cell::new(ptr::null()), last: Cell::new(ptr::null()) }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }

    /// The first in line.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Node<E>> {
        // SAFETY: queued nodes live.
        unsafe { self.first.get().as_ref() }
    }

    /// Puts a node at the end.
    ///
    /// # Safety
    /// The node is in no queue; neither it nor its waiter moves or goes before it is off this queue.
    #[inline]
    pub(crate) unsafe fn push_back(&self, node: &Node<E>) {
        let last = self.last.replace(node);
        node.prev.set(last);
        node.next.set(ptr::null());
        node.queued.set(true);
        // SAFETY: queued nodes live.
        match unsafe { last.as_ref() } {
            Some(last) => last.next.set(node),
            None => self.first.set(node),
        }
    }

    /// Puts a node at the front.
    ///
    /// # Safety
    /// As [`Queue::push_back`].
    pub(crate) unsafe fn push_front(&self, node: &Node<E>) {
        let first = self.first.replace(node);
        node.next.set(first);
        node.prev.set(ptr::null());
        node.queued.set(true);
        // SAFETY: queued nodes live.
        match unsafe { first.as_ref() } {
            Some(first) => first.prev.set(node),
            None => self.last.set(node),
        }
    }

    /// Takes off the first one that still waits, and claims it, to be [fired](Node::fire) with the same `fired`. Those
    /// that another case has ended, or that are gone, are taken off on the way.
    #[doc(alias = "dequeue")]
    #[inline]
    pub(crate) fn pop(&self, fired: Fired) -> Option<&Node<E>> {
        loop {
            let node = self.first()?;
            self.unlink(node);
            if node.waiter().claim() {
                return Some(node);
            }
        }
    }

    /// Takes a node off; nothing if it is off already.
    #[doc(alias = "dequeueSudoG")]
    #[inline]
    pub(crate) fn unlink(&self, node: &Node<E>) {
        if !node.queued.replace(false) {
            return;
        }
        let (prev, next) = (node.prev.get(), node.next.get());
        // SAFETY: queued nodes live.
        match unsafe { prev.as_ref() } {
            Some(prev) => prev.next.set(next),
            None => self.first.set(next),
        }
        // SAFETY: queued nodes live.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            None => self.last.set(prev),
        }
    }
}
