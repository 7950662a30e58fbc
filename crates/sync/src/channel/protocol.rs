//! The channel itself: buffer, waiting senders and receivers, under one lock.
//!
//! ```text
//!   send:     closed? error ─► a receiver waits? hand it the value ─► room? buffer it ─► wait among the senders
//!   receive:  closed and empty? error ─► a sender waits? take its value, or the first of the buffer and put its value
//!             behind the others ─► buffered? take the first ─► wait among the receivers
//!   close:    mark, then end every wait: receivers in order, then senders; readied last to first
//! ```
//!
//! **Invariant.** Receivers wait only while the buffer is empty and no sender waits; senders only while it is full and
//! no receiver waits; nobody while it is closed. (A select may wait on both sides of one channel; it never meets
//! itself, because it looks under the lock before it waits, and a pop claims its one waiter for one case.)
//!
//! Values move by plain copies under the lock: into a receiver's frame, out of a sender's frame, or through the buffer.
//! None is dropped under it. Go: `chansend`, `chanrecv`, `closechan` (chan.go, Go 1.27).

use super::ring::Ring;
use crate::seam::{AtomicBool, own};
use crate::wait::{Caller, Fired, Guard, Lock, Me, Node, Queue, Waiter, WakeHandle, check_unfired};
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Release};
use gmp_core::park::Who;
use gmp_core::{WaitReason, foreign};
use std::time::Instant;

/// What a channel knows of a waiter: where its value is, or where it is to be put. `None`: there is no value to move;
/// the waiter only wants to be told when somebody comes to the other side.
pub(crate) type Slot = Option<NonNull<()>>;

/// What the lock protects. Only its holder changes it. Three words of it, and no others, are also read without the
/// lock ([`State::glance`]), so nobody may make a unique reference to it.
#[repr(C)]
pub(crate) struct State<T> {
    pub(super) closed: Closed,
    /// Whether this is a timer's channel (`timing.rs`). It never changes.
    pub(super) timed: bool,
    pub(super) ring: Ring<T>,
    pub(crate) receivers: Queue<Slot>,
    pub(crate) senders: Queue<Slot>,
}

/// Whether a channel is closed. A closed channel stays closed.
pub(super) struct Closed(AtomicBool);

impl Closed {
    /// Whether it is closed. May be asked without the lock.
    #[inline]
    pub(super) fn is(&self) -> bool {
        // ORDER: glance. Pairs with `close`: whoever sees the channel closed sees what was sent before.
        self.0.load(Acquire)
    }

    /// Closes it, under the lock. `false`: it was closed already.
    pub(super) fn close(&self) -> bool {
        let open = !own!(self.0);
        // ORDER: glance. Pairs with `is`.
        self.0.store(true, Release);
        open
    }
}

/// A channel. All of it except the buffer's slots is in one cache line.
#[doc(alias = "hchan")]
#[repr(C, align(64))]
pub(crate) struct Chan<T> {
    pub(super) lock: Lock<State<T>>,
}

// SAFETY: values are moved from thread to thread, which `T: Send` allows, and nobody gets a reference to a value
// inside a channel.
unsafe impl<T: Send> Sync for Chan<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Chan<T> {}

/// Why an operation did not take place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The channel is closed (and empty, for a receive).
    Closed,
    /// Nobody was ready, or not before the deadline if there was one.
    NotReady,
}

/// The direction of an operation: what differs between a send and a receive.
pub(super) trait Direction {
    /// The call's name, for the panic where nobody may wait.
    const CALL: &'static str;
    const REASON: WaitReason;
    const SENDS: bool;

    /// The part that needs no wait.
    ///
    /// # Safety
    /// The slot is as [`Chan::send`] or [`Chan::receive`] requires.
    unsafe fn now<T>(chan: &Chan<T>, state: &State<T>, slot: *mut T) -> Result<Option<WakeHandle>, Refusal>;

    /// Where it waits.
    fn queue<T>(state: &State<T>) -> &Queue<Slot>;
}

pub(super) enum Sending {}

impl Direction for Sending {
    const CALL: &'static str = "send";
    const REASON: WaitReason = WaitReason::ChanSend;
    const SENDS: bool = true;

    #[inline(always)]
    unsafe fn now<T>(chan: &Chan<T>, state: &State<T>, slot: *mut T) -> Result<Option<WakeHandle>, Refusal> {
        // SAFETY: as the caller promises.
        unsafe { chan.send_now(state, slot) }
    }

    fn queue<T>(state: &State<T>) -> &Queue<Slot> {
        &state.senders
    }
}

pub(super) enum Receiving {}

impl Direction for Receiving {
    const CALL: &'static str = "recv";
    const REASON: WaitReason = WaitReason::ChanReceive;
    const SENDS: bool = false;

    #[inline(always)]
    unsafe fn now<T>(chan: &Chan<T>, state: &State<T>, slot: *mut T) -> Result<Option<WakeHandle>, Refusal> {
        // SAFETY: as the caller promises.
        unsafe { chan.receive_now(state, slot) }
    }

    fn queue<T>(state: &State<T>) -> &Queue<Slot> {
        &state.receivers
    }
}

impl<T> Chan<T> {
    pub(super) fn new(ring: Ring<T>, timed: bool) -> Self {
        let (closed, receivers, senders) = (Closed(AtomicBool::new(false)), Queue::new(), Queue::new());
        Self { lock: Lock::biased(State { closed, timed, ring, receivers, senders }) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.state().ring.capacity()
    }

    pub(crate) fn len(&self) -> usize {
        self.state().ring.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed.is()
    }

    /// What the lock protects, for a select that holds the lock, and for a look without it.
    #[inline]
    pub(crate) fn state(&self) -> &State<T> {
        // SAFETY: there are no unique references to it. What may change meanwhile is either atomic or not read by
        // those who do not hold the lock.
        unsafe { &*self.lock.value() }
    }

    /// Sends the value at `slot`, which has been moved out if this returns `Ok`. **Suspends.**
    ///
    /// # Safety
    /// `slot` holds a value; after `Ok` it no longer does.
    #[inline(always)]
    pub(crate) unsafe fn send(&self, slot: *mut T, deadline: Option<Instant>) -> Result<(), Refusal> {
        // SAFETY: as the caller promises.
        unsafe { self.operate::<Sending>(slot, deadline) }
    }

    /// Sends if that needs no wait. Never suspends.
    ///
    /// # Safety
    /// The same as for [`Chan::send`].
    #[inline]
    pub(crate) unsafe fn try_send(&self, slot: *mut T) -> Result<(), Refusal> {
        // SAFETY: as the caller promises.
        unsafe { self.try_operate::<Sending>(slot) }
    }

    /// The part of a send that needs no wait. The caller wakes the handle that it gets after it has given the lock
    /// back.
    ///
    /// # Safety
    /// The same as for [`Chan::send`].
    #[inline(always)]
    pub(crate) unsafe fn send_now(
        &self,
        state: &State<T>,
        slot: *mut T,
    ) -> Result<Option<WakeHandle>, Refusal> {
        if state.closed.is() {
            return Err(Refusal::Closed);
        }
        // SAFETY: as the caller promises.
        if let Some(receiver) = unsafe { self.hand_over(state, slot) } {
            return Ok(Some(receiver));
        }
        if state.ring.is_full() {
            return Err(Refusal::NotReady);
        }
        // SAFETY: not full, and written at once.
        unsafe { state.ring.push().copy_from_nonoverlapping(slot, 1) };
        Ok(None)
    }

    /// Gives the value to the receiver that has waited longest, if one waits.
    ///
    /// # Safety
    /// The same as for [`Chan::send`], under the lock.
    #[inline(always)]
    pub(super) unsafe fn hand_over(&self, state: &State<T>, slot: *mut T) -> Option<WakeHandle> {
        while let Some(receiver) = state.receivers.pop() {
            let Some(room) = receiver.extra else {
                receiver.fire(Fired::Done).wake();
                continue;
            };
            // SAFETY: a receiver's slot is room for a value where it waits, and we hold the channel's lock.
            unsafe { room.cast::<T>().as_ptr().copy_from_nonoverlapping(slot, 1) };
            return Some(receiver.fire(Fired::Done));
        }
        None
    }

    /// Receives into `slot`, which holds a value after `Ok`. **Suspends.**
    ///
    /// # Safety
    /// `slot` is valid for writes; what it holds is overwritten.
    #[inline(always)]
    pub(crate) unsafe fn receive(&self, slot: *mut T, deadline: Option<Instant>) -> Result<(), Refusal> {
        // SAFETY: as the caller promises.
        unsafe { self.operate::<Receiving>(slot, deadline) }
    }

    /// Receives if that needs no wait. Never suspends.
    ///
    /// # Safety
    /// The same as for [`Chan::receive`].
    #[inline]
    pub(crate) unsafe fn try_receive(&self, slot: *mut T) -> Result<(), Refusal> {
        // SAFETY: as the caller promises.
        unsafe { self.try_operate::<Receiving>(slot) }
    }

    /// The part of a receive that needs no wait. The caller wakes the handle that it gets after it has given the lock
    /// back.
    ///
    /// # Safety
    /// The same as for [`Chan::receive`].
    #[inline(always)]
    pub(crate) unsafe fn receive_now(
        &self,
        state: &State<T>,
        slot: *mut T,
    ) -> Result<Option<WakeHandle>, Refusal> {
        while let Some(sender) = state.senders.pop() {
            let Some(offered) = sender.extra else {
                sender.fire(Fired::Done).wake();
                continue;
            };
            // A sender's slot holds a value until it is fired, and we hold the channel's lock.
            let offered = offered.cast::<T>().as_ptr();
            // SAFETY: as above; senders wait only while the ring is full, and `slot` is the caller's.
            unsafe {
                match state.ring.exchange(|last| last.copy_from_nonoverlapping(offered, 1)) {
                    Some(first) => slot.write(first),
                    None => slot.copy_from_nonoverlapping(offered, 1),
                }
            }
            return Ok(Some(sender.fire(Fired::Done)));
        }
        match state.ring.pop() {
            Some(first) => {
                // SAFETY: `slot` is the caller's.
                unsafe { slot.write(first) };
                Ok(None)
            }
            // SAFETY: as the caller promises.
            None if state.timed => unsafe { state.receive_time(slot) },
            None if state.closed.is() => Err(Refusal::Closed),
            None => Err(Refusal::NotReady),
        }
    }

    /// # Safety
    /// The same as for [`Direction::now`]; the slot is null if no value is to be moved.
    #[inline(always)]
    pub(super) unsafe fn operate<D: Direction>(
        &self,
        slot: *mut T,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal> {
        foreign::refuse(D::CALL);
        let mut me = Me::default();
        let state = self.lock.lock_as(&mut me);
        // SAFETY: as the caller promises.
        match unsafe { D::now(self, &state, slot) } {
            Ok(other) => {
                drop(state);
                wake_as(other, &mut me);
                Ok(())
            }
            Err(Refusal::Closed) => Err(Refusal::Closed),
            // SAFETY: as the caller promises.
            Err(Refusal::NotReady) => unsafe { self.wait_to::<D>(me.who(), state, slot, deadline) },
        }
    }

    /// # Safety
    /// The same as for [`Direction::now`].
    #[inline]
    unsafe fn try_operate<D: Direction>(&self, slot: *mut T) -> Result<(), Refusal> {
        foreign::refuse(D::CALL);
        match self.state().glance(D::SENDS) {
            Some(refusal) => Err(refusal),
            // SAFETY: as the caller promises.
            None => unsafe { self.try_under_lock::<D>(slot) },
        }
    }

    /// # Safety
    /// The same as for [`Direction::now`].
    unsafe fn try_under_lock<D: Direction>(&self, slot: *mut T) -> Result<(), Refusal> {
        let mut me = Me::default();
        let state = self.lock.lock_as(&mut me);
        // SAFETY: as the caller promises.
        let other = unsafe { D::now(self, &state, slot) }?;
        drop(state);
        wake_as(other, &mut me);
        Ok(())
    }

    /// # Safety
    /// The same as for [`Direction::now`].
    #[inline(never)]
    unsafe fn wait_to<'a, D: Direction>(
        &'a self,
        who: Who,
        mut state: Guard<'a, State<T>>,
        slot: *mut T,
        deadline: Option<Instant>,
    ) -> Result<(), Refusal> {
        let caller = match Caller::enter_at_once(who, D::CALL) {
            Some(caller) => caller,
            None => {
                drop(state);
                let caller = Caller::enter(D::CALL);
                // SAFETY: as the caller promises.
                match unsafe { self.ask_anew::<D>(slot) } {
                    Ok(not_ready) => state = not_ready,
                    Err(ended) => return ended,
                }
                caller
            }
        };
        while state.is_unarmed() {
            drop(state);
            self.arm();
            // SAFETY: as the caller promises.
            match unsafe { self.ask_anew::<D>(slot) } {
                Ok(not_ready) => state = not_ready,
                Err(ended) => return ended,
            }
        }
        let waiter = Waiter::alone();
        let node = Node::new(&waiter, 0, NonNull::new(slot.cast()));
        // SAFETY: `wait` returns when the node is off the queue.
        unsafe { D::queue(&state).push_back(&node) };
        // SAFETY: the node is queued, under the lock that is handed over.
        match unsafe { self.wait(&caller, state, &waiter, &node, D::REASON, deadline, D::queue) } {
            Some(Fired::Done) => Ok(()),
            Some(Fired::Closed) => Err(Refusal::Closed),
            None => Err(Refusal::NotReady),
        }
    }

    /// Takes the lock anew, and keeps it if the caller still has to wait. `Err`: the operation is over.
    ///
    /// # Safety
    /// The same as for [`Direction::now`].
    unsafe fn ask_anew<D: Direction>(
        &self,
        slot: *mut T,
    ) -> Result<Guard<'_, State<T>>, Result<(), Refusal>> {
        let state = self.lock.lock();
        // SAFETY: as the caller promises.
        match unsafe { D::now(self, &state, slot) } {
            Err(Refusal::NotReady) => Ok(state),
            ended => {
                drop(state);
                Err(ended.map(wake))
            }
        }
    }

    /// Waits with one node queued. `None`: the deadline passed. Unwinds the goroutine if its runtime closes.
    ///
    /// # Safety
    /// `node` is queued in `queue(state)`, belongs to `waiter`, and both live on.
    #[expect(clippy::too_many_arguments, reason = "one call each from send and receive")]
    #[inline]
    unsafe fn wait(
        &self,
        caller: &Caller,
        state: Guard<'_, State<T>>,
        waiter: &Waiter,
        node: &Node<Slot>,
        reason: WaitReason,
        deadline: Option<Instant>,
        queue: impl FnOnce(&State<T>) -> &Queue<Slot>,
    ) -> Option<Fired> {
        let held = state.keep();
        // SAFETY: the node is queued and its lock held; giving it back touches nothing after the lock itself.
        let wake = unsafe { caller.sleep(waiter, reason, held.address(), deadline, move || held.unlock()) };
        if let Some((_, fired)) = waiter.fired() {
            return Some(fired);
        }
        {
            let state = self.lock.lock();
            queue(&state).unlink(node);
        }
        // A waker may have come in between; then it has moved the value.
        let fired = waiter.fired().map(|(_, fired)| fired);
        if fired.is_none() {
            check_unfired(wake, deadline);
            gmp_core::goroutine::unwind_if_closing(wake);
        }
        fired
    }
}

/// Wakes a waiter that was fired, if there is one.
#[inline]
pub(crate) fn wake(handle: Option<WakeHandle>) {
    wake_as(handle, &mut Me::default());
}

/// [`wake`] by a caller that has already been looked up.
#[inline(always)]
fn wake_as(handle: Option<WakeHandle>, me: &mut Me) {
    if let Some(handle) = handle {
        handle.wake_as(me);
    }
}

#[cfg(not(loom))]
const _: () = assert!(core::mem::size_of::<Chan<u64>>() == 64, "a channel is one cache line");
