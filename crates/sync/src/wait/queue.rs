//! `Queue`: a first-in, first-out queue of waiters, linked through nodes in their own frames.

use super::waiter::{Fired, Waiter, WakeHandle};
use crate::seam::{AtomicPtr, const_fn};
use core::cell::Cell;
use core::ptr;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A place in a queue, in the frame of the one who waits.
///
/// `E` is what the queue's owner wants to know of the waiter: where its value is, how many permits it wants, its
/// ticket.
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
    /// this; the caller wakes the handle that it gets once it has released the lock.
    #[inline]
    #[must_use]
    pub(crate) fn fire(&self, fired: Fired) -> WakeHandle {
        self.waiter().fire(self.case, fired)
    }

    /// Whether it waits only to be rid of its value, so that its end wakes nobody. It is asked under that queue's lock.
    pub(crate) fn wakes_nobody(&self) -> bool {
        self.waiter().wakes_nobody()
    }

    /// Whether the node is in a queue. It is asked under that queue's lock.
    #[inline]
    pub(crate) fn is_queued(&self) -> bool {
        self.queued.get()
    }
}

/// The queue, in one word: the first node, whose `prev` is the last. Each method is called under the lock that protects
/// it.
#[doc(alias = "waitq")]
pub(crate) struct Queue<E> {
    /// It is atomic for those who ask without the lock whether anybody waits.
    first: AtomicPtr<Node<E>>,
}

// SAFETY: the nodes are reached under the lock only, whichever thread has it; their content moves between threads by
// the rules of the queue's owner, which asks for `Send` where values move.
unsafe impl<E> Send for Queue<E> {}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E> Queue<E> {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self { first: AtomicPtr::new(ptr::null_mut()) }
        }
    }

    /// Whether nobody waits. May be asked without the lock.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        // ORDER: glance. Pairs with `set_first`: whoever sees the queue in this state also sees everything that the
        // lock's holder did before.
        self.first.load(Acquire).is_null()
    }

    #[inline]
    fn set_first(&self, node: *const Node<E>) {
        // ORDER: glance. Pairs with `is_empty`.
        self.first.store(node.cast_mut(), Release);
    }

    /// The first node.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Node<E>> {
        // SAFETY: queued nodes live.
        unsafe { self.first.load(Relaxed).as_ref() }
    }

    /// Puts a node at the end.
    ///
    /// # Safety
    /// The node is in no queue; neither it nor its waiter moves or goes before it is off this queue.
    #[inline]
    pub(crate) unsafe fn push_back(&self, node: &Node<E>) {
        node.next.set(ptr::null());
        node.queued.set(true);
        let Some(first) = self.first() else {
            node.prev.set(node);
            return self.set_first(node);
        };
        let last = first.prev.replace(node);
        node.prev.set(last);
        // SAFETY: queued nodes live.
        unsafe { &*last }.next.set(node);
    }

    /// Puts a node at the front.
    ///
    /// # Safety
    /// The same as for [`Queue::push_back`].
    pub(crate) unsafe fn push_front(&self, node: &Node<E>) {
        match self.first() {
            Some(first) => node.prev.set(first.prev.replace(node)),
            None => node.prev.set(node),
        }
        node.next.set(self.first.load(Relaxed));
        self.set_first(node);
        node.queued.set(true);
    }

    /// Takes off the first node whose waiter still waits, and claims it; the caller [fires](Node::fire) it. Nodes of
    /// waits that another case has ended, or whose waiters are gone, are taken off on the way.
    #[doc(alias = "dequeue")]
    #[inline]
    pub(crate) fn pop(&self) -> Option<&Node<E>> {
        loop {
            let node = self.first()?;
            self.unlink_first(node);
            if node.waiter().claim() {
                return Some(node);
            }
        }
    }

    #[inline]
    fn unlink_first(&self, node: &Node<E>) {
        node.queued.set(false);
        let next = node.next.get();
        self.set_first(next);
        // SAFETY: queued nodes live.
        if let Some(next) = unsafe { next.as_ref() } {
            next.prev.set(node.prev.get());
        }
    }

    /// [`Queue::pop`] for a queue whose waiters wait nowhere else: it takes the first that still waits only if
    /// `wanted` says so. `gone` is called for each node that was taken off on the way, so that it is counted no
    /// longer.
    #[inline]
    pub(crate) fn pop_if(&self, wanted: impl Fn(&E) -> bool, mut gone: impl FnMut(&E)) -> Option<&Node<E>> {
        loop {
            let node = self.first()?;
            // A waiter with a single node is claimed by the lock alone, so this only asks whether it still waits.
            if node.waiter().claim() {
                let wanted = wanted(&node.extra);
                return wanted.then(|| {
                    self.unlink(node);
                    node
                });
            }
            self.unlink(node);
            gone(&node.extra);
        }
    }

    /// Whether a node of which `and` holds still waits here.
    pub(crate) fn any_waits(&self, and: impl Fn(&Node<E>) -> bool) -> bool {
        let mut next = self.first();
        while let Some(node) = next {
            if and(node) && node.waiter().is_pending() {
                return true;
            }
            // SAFETY: queued nodes live.
            next = unsafe { node.next.get().as_ref() };
        }
        false
    }

    /// Shows what each node says, in order.
    pub(crate) fn for_each(&self, mut see: impl FnMut(&E)) {
        let mut next = self.first();
        while let Some(node) = next {
            see(&node.extra);
            // SAFETY: queued nodes live.
            next = unsafe { node.next.get().as_ref() };
        }
    }

    /// Takes a node off the queue; does nothing if it is off already.
    #[doc(alias = "dequeueSudoG")]
    #[inline]
    pub(crate) fn unlink(&self, node: &Node<E>) {
        if !node.queued.get() {
            return;
        }
        if ptr::eq(self.first.load(Relaxed), node) {
            return self.unlink_first(node);
        }
        node.queued.set(false);
        let (prev, next) = (node.prev.get(), node.next.get());
        // SAFETY: queued nodes live, and one that is not the first has one before it.
        unsafe { &*prev }.next.set(next);
        // SAFETY: queued nodes live. The last node has no next; the first one's `prev` is the last.
        match unsafe { next.as_ref() } {
            Some(next) => next.prev.set(prev),
            // SAFETY: the queue is not empty.
            None => unsafe { &*self.first.load(Relaxed) }.prev.set(prev),
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    proptest::proptest! {
        /// Against a deque: pushes at both ends, pops, and removals from anywhere.
        #[test]
        fn keeps_its_order(steps in proptest::collection::vec((0_u8..4, 0_usize..16), 0..200)) {
            let waiters: Vec<Waiter> = (0..16).map(|_| Waiter::alone()).collect();
            let nodes: Vec<Node<usize>> = waiters.iter().enumerate().map(|(i, w)| Node::new(w, 0, i)).collect();
            let (queue, mut model) = (Queue::new(), VecDeque::new());
            for (step, i) in steps {
                match step {
                    // SAFETY: in no queue, and none moves before the end.
                    0 if !model.contains(&i) => { unsafe { queue.push_back(&nodes[i]) }; model.push_back(i) }
                    // SAFETY: as above.
                    1 if !model.contains(&i) => { unsafe { queue.push_front(&nodes[i]) }; model.push_front(i) }
                    2 => proptest::prop_assert_eq!(queue.pop().map(|node| node.extra), model.pop_front()),
                    _ => { queue.unlink(&nodes[i]); model.retain(|&other| other != i) }
                }
                proptest::prop_assert_eq!(queue.first().map(|node| node.extra), model.front().copied());
                proptest::prop_assert_eq!(queue.is_empty(), model.is_empty());
            }
            while let Some(node) = queue.pop() {
                proptest::prop_assert_eq!(Some(node.extra), model.pop_front());
            }
            proptest::prop_assert!(model.is_empty());
        }
    }
}
