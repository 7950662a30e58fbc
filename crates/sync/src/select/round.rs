//! One round of a select: shuffle, look, wait.
//!
//! ```text
//!   look      locks the channels in the shuffled order and asks each, holding the locks of those that were not ready.
//!             A lock above all that are held is waited for; one below is only tried, and if that fails, all are given
//!             back and then taken in the order of their addresses.
//!   wait      queues a node at each channel, under all locks; the sleep's commit gives them back
//!   woken     the case that was fired is over; the nodes of the others are taken off, each under its own lock
//!   not woken all nodes are taken off, and then it is asked once more: a waker may have come in between
//! ```
//!
//! **Invariant.** "None is ready" is said with all locks held, so it was true at one moment; that a case is ready is said
//! under its lock alone. Locks are waited for in rising order only, so two selects never wait for each other. A channel
//! that stands in several cases is locked by the first that meets it, and given back by that one.
//!
//! **The danger** is the frame: seats and nodes are in it, and once the last lock is given back a waker may have sent us
//! on. So the commit reads what it needs of a seat before it gives that seat's lock back, and the first seat's, which
//! always has one, comes last. Go: `selectgo`, `sellock`, `selparkcommit` (select.go, Go 1.27), which look under all locks
//! even if the first case is ready.

use super::case::Case;
use super::dice::Dice;
use crate::channel::protocol::{Refusal, Slot, wake};
use crate::wait::{By, Caller, Fired, Lock, Me, Node, RawLock, Waiter, check_unfired};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use gmp_core::goroutine::unwind_if_closing;
use gmp_core::{WaitReason, Wake};
use std::time::{Duration, Instant};

/// For how long a select waits.
#[derive(Clone, Copy)]
pub struct Patience(Kind);

#[derive(Clone, Copy)]
enum Kind {
    Forever,
    None,
    For(Duration),
    Until(Instant),
}

impl Patience {
    /// No default: until a case comes up.
    #[inline]
    pub fn forever() -> Self {
        Self(Kind::Forever)
    }

    /// `default`: not at all.
    #[inline]
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// `default(timeout)`.
    #[inline]
    pub fn timeout(timeout: Duration) -> Self {
        Self(Kind::For(timeout))
    }

    /// Until this moment at most.
    #[inline]
    pub fn until(deadline: Instant) -> Self {
        Self(Kind::Until(deadline))
    }

    /// Asked once, when there is something to wait for: most selects never look at the clock.
    fn deadline(self) -> Option<Instant> {
        match self.0 {
            Kind::Forever | Kind::None => None,
            Kind::For(timeout) => crate::after_now(timeout),
            Kind::Until(deadline) => Some(deadline),
        }
    }
}

/// Room for what a round notes of one turn, in the frame of the one who selects.
pub(super) struct Seat<'s, 'a> {
    /// The case that is locked in this turn, and looked at, if no other is named below.
    case: Cell<&'s Case<'a>>,
    /// The case that is looked at in this turn, when all are locked in order.
    poll: Cell<&'s Case<'a>>,
    /// How this turn took the lock; `None` if an earlier one is of the same channel.
    took: Cell<Option<By>>,
    /// The place in the queue of the case that is locked in this turn.
    node: UnsafeCell<MaybeUninit<Node<Slot>>>,
}

impl<'s, 'a> Seat<'s, 'a> {
    #[inline(always)]
    pub(super) fn new(case: &'s Case<'a>) -> Self {
        let node = UnsafeCell::new(MaybeUninit::uninit());
        Self { case: Cell::new(case), poll: Cell::new(case), took: Cell::new(None), node }
    }
}

/// Waits for the first of `cases`: its number, or `None` if the patience came to an end. **Suspends**, if it may wait.
#[track_caller]
#[inline]
pub(super) fn select<const N: usize>(cases: &[Case<'_>; N], patience: Patience) -> Option<usize> {
    match &cases[..] {
        [case] if !case.never => alone(case, patience).then_some(0),
        _ => several(cases, patience),
    }
}

/// A select of one case.
#[track_caller]
#[inline]
pub(super) fn alone(case: &Case<'_>, patience: Patience) -> bool {
    let Some(slot) = case.slot else {
        return select_in(core::slice::from_ref(case), &[Seat::new(case)], patience).is_some();
    };
    // SAFETY: the slot is as whoever made the case promised.
    let run = |try_only, deadline| unsafe { case.port.alone(case.sends, slot, try_only, deadline) };
    let ended = match patience.0 {
        Kind::Forever => run(false, None),
        Kind::None => run(true, None),
        Kind::For(_) | Kind::Until(_) => match run(true, None) {
            Err(Refusal::NotReady) => run(false, patience.deadline()),
            ended => ended,
        },
    };
    match (ended, patience.0) {
        (Ok(()), _) => case.end(Fired::Done),
        // Without a deadline: the goroutine unwinds because its runtime closes, and nothing will come any more.
        (Err(Refusal::Closed), _) | (Err(Refusal::NotReady), Kind::Forever) => case.end(Fired::Closed),
        (Err(Refusal::NotReady), _) => return false,
    }
    true
}

#[track_caller]
#[inline(never)]
fn several<const N: usize>(cases: &[Case<'_>; N], patience: Patience) -> Option<usize> {
    let seats: [_; N] = core::array::from_fn(|at| Seat::new(&cases[at]));
    select_in(cases, &seats, patience)
}

/// [`select`], with a seat for each case brought along.
#[track_caller]
#[inline(always)]
pub(super) fn select_in<'s, 'a>(
    cases: &'s [Case<'a>],
    seats: &'s [Seat<'s, 'a>],
    patience: Patience,
) -> Option<usize> {
    let round = Round::shuffled(cases, seats);
    let (case, fired) = match round.look() {
        Some(ended) => ended,
        None if matches!(patience.0, Kind::None) => {
            unlock_all(round.seats);
            return None;
        }
        None => round.wait_for_one(patience, cases.first())?,
    };
    case.end(fired);
    // SAFETY: a reference to one of the cases.
    Some(unsafe { core::ptr::from_ref(case).offset_from_unsigned(cases.as_ptr()) })
}

/// The cases that may come up at all, in a random order.
#[derive(Clone, Copy)]
struct Round<'s, 'a> {
    seats: &'s [Seat<'s, 'a>],
}

type Ended<'s, 'a> = (&'s Case<'a>, Fired);

impl<'s, 'a> Round<'s, 'a> {
    #[inline(always)]
    fn shuffled(cases: &'s [Case<'a>], seats: &'s [Seat<'s, 'a>]) -> Self {
        let (mut dice, mut turns) = (Dice::roll(), 0);
        for case in cases {
            if !case.never {
                let turn = dice.below(turns + 1);
                seats[turns].case.set(seats[turn].case.get());
                seats[turn].case.set(case);
                turns += 1;
            }
        }
        Self { seats: &seats[..turns] }
    }

    /// Takes the first case that is ready. `None`: there is none, and all locks are held.
    #[inline(always)]
    fn look(&self) -> Option<Ended<'s, 'a>> {
        let (mut me, mut highest) = (Me::default(), 0);
        for (turn, seat) in self.seats.iter().enumerate() {
            let case = seat.case.get();
            let lock = case.face().lock();
            let took = if lock.rank() > highest {
                highest = lock.rank();
                Some(lock.lock_as(&mut me))
            } else if let Some(by) = lock.try_lock_as(&mut me) {
                Some(by)
            } else if holds(&self.seats[..turn], lock) {
                None
            } else {
                unlock_all(&self.seats[..turn]);
                return self.look_in_order();
            };
            seat.took.set(took);
            if let Some(ended) = ask(case, &self.seats[..=turn]) {
                return Some(ended);
            }
        }
        None
    }

    /// [`Round::look`], with all locks taken before, in the order of their addresses.
    #[cold]
    #[inline(never)]
    fn look_in_order(&self) -> Option<Ended<'s, 'a>> {
        self.seats.iter().for_each(|seat| seat.poll.set(seat.case.get()));
        sort(self.seats);
        let mut before = 0;
        for seat in self.seats {
            let lock = seat.case.get().face().lock();
            let again = lock.rank() == before;
            seat.took.set((!again).then(|| lock.lock()));
            before = lock.rank();
        }
        self.seats.iter().find_map(|seat| ask(seat.poll.get(), self.seats))
    }

    /// Waits until a case comes up; all locks are held. `None`: the patience came to an end. `first`: some case.
    #[track_caller]
    fn wait_for_one(&self, patience: Patience, first: Option<&'s Case<'a>>) -> Option<Ended<'s, 'a>> {
        // Whoever may not wait is refused by a panic.
        let locks = Locks(self.seats);
        let caller = match Caller::enter_at_once(Me::default().who(), "select") {
            Some(caller) => {
                core::mem::forget(locks);
                caller
            }
            None => {
                drop(locks);
                let caller = Caller::enter("select");
                if let Some(ended) = self.look() {
                    return Some(ended);
                }
                caller
            }
        };
        let deadline = patience.deadline();
        loop {
            match self.wait(&caller, deadline) {
                // A case that only wants to know may have been overtaken; if none is ready the locks are held again.
                Ok((case, _)) if case.slot.is_none() => {
                    if let Some(ended) = self.look() {
                        return Some(ended);
                    }
                }
                Ok(ended) => return Some(ended),
                Err(wake) => {
                    check_unfired(wake, deadline);
                    unwind_if_closing(wake);
                    // A goroutine that unwinds because its runtime closes waits for nothing.
                    return first
                        .filter(|_| matches!(patience.0, Kind::Forever))
                        .map(|case| (case, Fired::Closed));
                }
            }
        }
    }

    /// Waits at all channels; their locks are held, and are not when this returns. `Err`: no case came up.
    #[inline]
    fn wait(&self, caller: &Caller, deadline: Option<Instant>) -> Result<Ended<'s, 'a>, Wake> {
        if self.seats.is_empty() {
            return Err(wait_for_nothing(caller, deadline));
        }
        let waiter = Waiter::shared();
        for (turn, seat) in self.seats.iter().enumerate() {
            let case = seat.case.get();
            let node = Node::new(&waiter, turn as u32, case.slot);
            // SAFETY: the seat is ours. The channel's lock is held; node and waiter stay where they are until the node
            // is off the queue again, below.
            unsafe { case.face().queue(case.sends).push_back((*seat.node.get()).write(node)) };
        }
        let (seats, turns) = (self.seats.as_ptr(), self.seats.len());
        // SAFETY: the nodes are queued and their locks held; `unlock` touches the frame for the last time before it
        // gives back the last of them.
        let woken =
            unsafe { caller.sleep(&waiter, WaitReason::Select, deadline, move || unlock(seats, turns)) };
        let ended = waiter.fired();
        // A waker takes off the node that it claims.
        self.unlink_all_but(ended.map(|(turn, _)| turn as usize));
        // Without that: now nobody reaches us any more, so this is final.
        let (turn, fired) = ended.or_else(|| waiter.fired()).ok_or(woken)?;
        Ok((self.seats[turn as usize].case.get(), fired))
    }

    #[inline]
    fn unlink_all_but(&self, ended: Option<usize>) {
        for (turn, seat) in self.seats.iter().enumerate() {
            if Some(turn) != ended {
                let case = seat.case.get();
                let by = case.face().lock().lock();
                // SAFETY: the node was written when it was queued, and the lock is held.
                unsafe {
                    case.face().queue(case.sends).unlink((*seat.node.get()).assume_init_ref());
                    case.face().lock().unlock(by);
                }
            }
        }
    }
}

/// Takes `case` if it is ready, and gives back the locks of the seats that hold some, the case's own among them.
#[inline(always)]
fn ask<'s, 'a>(case: &'s Case<'a>, held: &'s [Seat<'s, 'a>]) -> Option<Ended<'s, 'a>> {
    // SAFETY: its lock is held.
    if !unsafe { case.face().may_be_ready(case.sends) } {
        return None;
    }
    take(case, held)
}

#[inline(never)]
fn take<'s, 'a>(case: &'s Case<'a>, held: &'s [Seat<'s, 'a>]) -> Option<Ended<'s, 'a>> {
    // SAFETY: its lock is held, and the slot is as whoever made the case promised.
    let (sleeper, fired) = match unsafe { case.port.now(case.sends, case.slot) } {
        Ok(sleeper) => (sleeper, Fired::Done),
        Err(Refusal::Closed) => (None, Fired::Closed),
        Err(Refusal::NotReady) => return None,
    };
    unlock_all(held);
    wake(sleeper);
    Some((case, fired))
}

/// Whether one of the seats took this lock.
#[cold]
fn holds(seats: &[Seat<'_, '_>], lock: &RawLock) -> bool {
    seats.iter().any(|seat| core::ptr::eq(seat.case.get().face().lock(), lock))
}

/// Sorts the cases by the addresses of their locks: a heap sort, which needs no memory and has no bad case.
fn sort(seats: &[Seat<'_, '_>]) {
    let key = |turn: usize| seats[turn].case.get().face().lock().rank();
    let sink = |mut turn: usize, end: usize| {
        loop {
            let mut child = 2 * turn + 1;
            if child >= end {
                return;
            }
            if child + 1 < end && key(child) < key(child + 1) {
                child += 1;
            }
            if key(turn) >= key(child) {
                return;
            }
            seats[turn].case.swap(&seats[child].case);
            turn = child;
        }
    };
    (0..seats.len() / 2).rev().for_each(|turn| sink(turn, seats.len()));
    for end in (1..seats.len()).rev() {
        seats[0].case.swap(&seats[end].case);
        sink(0, end);
    }
}

/// The locks that the seats took, to be given back.
struct Locks<'r, 's, 'a>(&'r [Seat<'s, 'a>]);

impl Drop for Locks<'_, '_, '_> {
    fn drop(&mut self) {
        unlock_all(self.0);
    }
}

/// Gives back the locks that the seats took.
#[inline]
fn unlock_all(seats: &[Seat<'_, '_>]) {
    // SAFETY: they took them, and we give them back once.
    unsafe { unlock(seats.as_ptr(), seats.len()) };
}

/// Gives back the locks that so many seats took, the first one's last. With pointers and no references: what they point
/// to may be gone when the last lock is back.
///
/// # Safety
/// They have noted what they took, and nobody else gives it back.
#[inline]
unsafe fn unlock(seats: *const Seat<'_, '_>, turns: usize) {
    for turn in (0..turns).rev() {
        // SAFETY: the caller says so; the lock of turn 0 is still held, so whoever waits has not left the frame. The
        // channel outlives the lock's return, as its handles' owners see to.
        unsafe {
            let seat = seats.add(turn);
            if let Some(by) = (*seat).took.get() {
                (*seat).case.get().face().lock().unlock(by);
            }
        }
    }
}

/// Sleeps where no waker can come: until the deadline, or until the runtime closes.
fn wait_for_nothing(caller: &Caller, deadline: Option<Instant>) -> Wake {
    // The sleep's commit writes into the waiter after others may have ended the wait: this keeps us here until it is
    // through.
    let through = Lock::new(());
    let waiter = Waiter::alone();
    let held = through.lock().keep();
    // SAFETY: no node is queued; giving the lock back is the commit's last touch of the frame.
    let woken = unsafe { caller.sleep(&waiter, WaitReason::Select, deadline, move || held.unlock()) };
    drop(through.lock());
    woken
}

/// See [`super::block_forever`].
#[track_caller]
pub(super) fn block_forever() -> ! {
    let caller = Caller::enter("block_forever");
    let woken = wait_for_nothing(&caller, None);
    drop(caller);
    unwind_if_closing(woken);
    panic!("gmp::block_forever was called by a goroutine that unwinds because its runtime closes")
}
