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
use crate::wait::{By, Caller, Fired, Lock, Node, RawLock, Waiter};
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

/// Room for what a round notes of one case, in the frame of the one who selects.
pub(super) struct Seat {
    /// The case that is looked at in this turn.
    poll: Cell<u32>,
    /// The case that is locked in this turn.
    locks: Cell<u32>,
    /// How it took the lock; `None` if an earlier one is of the same channel.
    took: Cell<Option<By>>,
    /// The place in the queue of the case that is locked in this turn.
    node: UnsafeCell<MaybeUninit<Node<Slot>>>,
}

impl Seat {
    pub(super) const fn new() -> Self {
        Self {
            poll: Cell::new(0),
            locks: Cell::new(0),
            took: Cell::new(None),
            node: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

/// Waits for the first of `cases`: its number, or `None` if the patience came to an end. There is a seat for each case.
/// **Suspends**, if it may wait.
#[track_caller]
#[inline]
pub(super) fn select(cases: &[Case<'_>], seats: &[Seat], patience: Patience) -> Option<usize> {
    if let [case] = cases
        && let Some(slot) = case.slot
        && let Some(port) = case.port
    {
        // SAFETY: the slot is as whoever made the case promised.
        let alone = |try_only, deadline| unsafe { port.alone(case.sends, slot, try_only, deadline) };
        let ended = match patience.0 {
            Kind::Forever => alone(false, None),
            Kind::None => alone(true, None),
            Kind::For(_) | Kind::Until(_) => match alone(true, None) {
                Err(Refusal::NotReady) => alone(false, patience.deadline()),
                ended => ended,
            },
        };
        let fired = match (ended, patience.0) {
            (Ok(()), _) => Fired::Done,
            // Without a deadline: the goroutine unwinds because its runtime closes, and nothing will come any more.
            (Err(Refusal::Closed), _) | (Err(Refusal::NotReady), Kind::Forever) => Fired::Closed,
            (Err(Refusal::NotReady), _) => return None,
        };
        case.end(fired);
        return Some(0);
    }
    let (at, fired) = several(cases, seats, patience)?;
    cases[at].end(fired);
    Some(at)
}

#[track_caller]
fn several(cases: &[Case<'_>], seats: &[Seat], patience: Patience) -> Option<(usize, Fired)> {
    let round = Round::shuffled(cases, seats);
    if let Some(ended) = round.look() {
        return Some(ended);
    }
    if matches!(patience.0, Kind::None) {
        round.unlock(round.turns);
        return None;
    }
    let caller = match Caller::enter_at_once("select") {
        Some(caller) => caller,
        None => {
            round.unlock(round.turns);
            let caller = Caller::enter("select");
            if let Some(ended) = round.look() {
                return Some(ended);
            }
            caller
        }
    };
    let deadline = patience.deadline();
    loop {
        match round.wait(&caller, deadline) {
            // A case that only wants to know may have been overtaken; if none is ready the locks are held again.
            Ok((at, _)) if cases[at].slot.is_none() => {
                if let Some(ended) = round.look() {
                    return Some(ended);
                }
            }
            Ok(ended) => return Some(ended),
            Err(wake) => {
                unwind_if_closing(wake);
                // A goroutine that unwinds because its runtime closes waits for nothing.
                return matches!(patience.0, Kind::Forever).then_some((0, Fired::Closed));
            }
        }
    }
}

/// The cases in their order; copied freely, it only says where things are.
#[derive(Clone, Copy)]
struct Round<'s, 'a> {
    cases: &'s [Case<'a>],
    seats: &'s [Seat],
    /// How many cases may come up at all.
    turns: usize,
}

impl<'s, 'a> Round<'s, 'a> {
    #[inline]
    fn shuffled(cases: &'s [Case<'a>], seats: &'s [Seat]) -> Self {
        debug_assert!(cases.len() <= seats.len());
        let (mut dice, mut turns) = (Dice::roll(), 0);
        for (at, case) in cases.iter().enumerate() {
            if case.port.is_some() {
                let turn = dice.below(turns + 1);
                seats[turns].poll.set(seats[turn].poll.get());
                seats[turn].poll.set(at as u32);
                turns += 1;
            }
        }
        Self { cases, seats, turns }
    }

    #[inline]
    fn locked_in(&self, turn: usize) -> &'s Case<'a> {
        &self.cases[self.seats[turn].locks.get() as usize]
    }

    /// Takes the first case that is ready. `None`: there is none, and all locks are held.
    #[inline]
    fn look(&self) -> Option<(usize, Fired)> {
        let mut highest: *const RawLock = core::ptr::null();
        for turn in 0..self.turns {
            let seat = &self.seats[turn];
            let at = seat.poll.get();
            seat.locks.set(at);
            let lock = self.cases[at as usize].lock;
            let took = if core::ptr::from_ref(lock) > highest {
                highest = lock;
                Some(lock.lock())
            } else if let Some(by) = lock.try_lock() {
                Some(by)
            } else if self.holds(lock, turn) {
                None
            } else {
                self.unlock(turn);
                return self.look_in_order();
            };
            seat.took.set(took);
            if let Some(ended) = self.ask(at as usize, turn + 1) {
                return Some(ended);
            }
        }
        None
    }

    /// Whether one of the first so many turns took this lock.
    #[cold]
    fn holds(&self, lock: &RawLock, turns: usize) -> bool {
        (0..turns).any(|turn| core::ptr::eq(self.locked_in(turn).lock, lock))
    }

    /// [`Round::look`], with all locks taken before.
    #[cold]
    #[inline(never)]
    fn look_in_order(&self) -> Option<(usize, Fired)> {
        let seats = &self.seats[..self.turns];
        seats.iter().for_each(|seat| seat.locks.set(seat.poll.get()));
        self.sort();
        let mut before: *const RawLock = core::ptr::null();
        for (turn, seat) in seats.iter().enumerate() {
            let lock = self.locked_in(turn).lock;
            let again = core::ptr::eq(lock, before);
            seat.took.set((!again).then(|| lock.lock()));
            before = lock;
        }
        seats.iter().find_map(|seat| self.ask(seat.poll.get() as usize, self.turns))
    }

    /// Sorts the turns of locking by address: a heap sort, which needs no memory and has no bad case.
    fn sort(&self) {
        let key = |turn: usize| core::ptr::from_ref(self.locked_in(turn).lock);
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
                self.seats[turn].locks.swap(&self.seats[child].locks);
                turn = child;
            }
        };
        (0..self.turns / 2).rev().for_each(|turn| sink(turn, self.turns));
        for end in (1..self.turns).rev() {
            self.seats[0].locks.swap(&self.seats[end].locks);
            sink(0, end);
        }
    }

    /// Takes case `at` if it is ready, and gives back the locks of the first `held` turns.
    #[inline]
    fn ask(&self, at: usize, held: usize) -> Option<(usize, Fired)> {
        let case = &self.cases[at];
        // SAFETY: its lock is held, and the slot is as whoever made the case promised.
        let (sleeper, fired) = match unsafe { case.port?.now(case.sends, case.slot) } {
            Ok(sleeper) => (sleeper, Fired::Done),
            Err(Refusal::Closed) => (None, Fired::Closed),
            Err(Refusal::NotReady) => return None,
        };
        self.unlock(held);
        wake(sleeper);
        Some((at, fired))
    }

    /// Gives back the locks that the first `held` turns took.
    #[inline]
    fn unlock(&self, held: usize) {
        // SAFETY: they took them, and we give them back once.
        unsafe { unlock(self.cases.as_ptr(), self.seats.as_ptr(), held) };
    }

    /// Waits at all channels; their locks are held, and are not when this returns. `Err`: no case came up.
    fn wait(&self, caller: &Caller, deadline: Option<Instant>) -> Result<(usize, Fired), Wake> {
        if self.turns == 0 {
            return Err(wait_for_nothing(caller, deadline, WaitReason::Select));
        }
        let waiter = Waiter::shared();
        for turn in 0..self.turns {
            let case = self.locked_in(turn);
            let node = Node::new(&waiter, self.seats[turn].locks.get(), case.slot);
            // SAFETY: the seat is ours. The channel's lock is held; node and waiter stay where they are until the node
            // is off the queue again, below.
            unsafe { case.queue.as_ref().push_back((*self.seats[turn].node.get()).write(node)) };
        }
        let (cases, seats, turns) = (self.cases.as_ptr(), self.seats.as_ptr(), self.turns);
        // SAFETY: the nodes are queued and their locks held; `unlock` touches the frame for the last time before it
        // gives back the last of them.
        let woken = unsafe {
            caller.sleep(&waiter, WaitReason::Select, deadline, move || unlock(cases, seats, turns))
        };
        let ended = waiter.fired();
        // A waker takes off the node that it claims.
        self.unlink_all_but(ended.map(|(at, _)| at));
        // Without that: now nobody reaches us any more, so this is final.
        let (at, fired) = ended.or_else(|| waiter.fired()).ok_or(woken)?;
        Ok((at as usize, fired))
    }

    fn unlink_all_but(&self, ended: Option<u32>) {
        for (turn, seat) in self.seats[..self.turns].iter().enumerate() {
            if Some(seat.locks.get()) != ended {
                let case = self.locked_in(turn);
                let by = case.lock.lock();
                // SAFETY: the node was written when it was queued, and the lock is held.
                unsafe {
                    case.queue.as_ref().unlink((*seat.node.get()).assume_init_ref());
                    case.lock.unlock(by);
                }
            }
        }
    }
}

/// Gives back the locks that the first `held` turns took, the first turn's last. With pointers and no references:
/// what they point to may be gone when the last lock is back.
///
/// # Safety
/// So many turns have noted what they took, and nobody else gives it back.
#[inline]
unsafe fn unlock(cases: *const Case<'_>, seats: *const Seat, held: usize) {
    for turn in (0..held).rev() {
        // SAFETY: the caller says so; the lock of turn 0 is still held, so whoever waits has not left the frame. The
        // channel outlives the lock's return, as its handles' owners see to.
        unsafe {
            let seat = seats.add(turn);
            if let Some(by) = (*seat).took.get() {
                (*cases.add((*seat).locks.get() as usize)).lock.unlock(by);
            }
        }
    }
}

/// Sleeps where no waker can come: until the deadline, or until the runtime closes.
fn wait_for_nothing(caller: &Caller, deadline: Option<Instant>, reason: WaitReason) -> Wake {
    // The sleep's commit writes into the waiter after others may have ended the wait: this keeps us here until it is
    // through.
    let through = Lock::new(());
    let waiter = Waiter::alone();
    let held = through.lock().keep();
    // SAFETY: no node is queued; giving the lock back is the commit's last touch of the frame.
    let woken = unsafe { caller.sleep(&waiter, reason, deadline, move || held.unlock()) };
    drop(through.lock());
    woken
}

/// See [`super::block_forever`].
#[track_caller]
pub(super) fn block_forever() -> ! {
    loop {
        let caller = Caller::enter("block_forever");
        let woken = wait_for_nothing(&caller, None, WaitReason::Select);
        drop(caller);
        unwind_if_closing(woken);
    }
}
