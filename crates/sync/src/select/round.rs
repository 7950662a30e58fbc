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
//! **Invariant.** "None is ready" is decided with all locks held, so it was true at one moment; that a case is ready
//! is decided under its lock alone. Locks are waited for in rising order only, so two selects never wait for each
//! other. A channel of several cases is locked by the first of them that comes to it, and given back by the same.
//!
//! **The danger** is the frame: entries and nodes are in it, and once the last lock is given back, a waker may have
//! ended our wait. So the commit reads what it needs of an entry before it gives that entry's lock back, and the lock
//! of the first entry, which always has one, comes last. Go: `selectgo`, `sellock`, `selparkcommit` (select.go, Go
//! 1.27), which look under all locks even if the first case is ready.

use super::case::Case;
use super::rng::Rng;
use super::timeout::{Kind, Timeout};
use crate::channel::erased::ErasedChannel;
use crate::channel::protocol::{Refusal, Slot, wake};
use crate::wait::{Caller, Fired, Lock, Me, Node, RawLock, TakenBy, Waiter, check_unfired};
use core::cell::{Cell, UnsafeCell};
use core::mem::MaybeUninit;
use gmp_core::goroutine::unwind_if_closing;
use gmp_core::park::Several;
use gmp_core::{WaitReason, Wake};
use std::time::Instant;

/// Up to this many cases a round allocates nothing on the heap. The rounds of `select!` never do.
const INLINE_CASES: usize = 16;

/// What a round records of one turn. It lies in the frame of whoever selects.
struct LockedCase<'s, 'a> {
    /// The case that is locked in this turn. It is also looked at, unless `poll` names another.
    case: Cell<&'s Case<'a>>,
    /// The case that is looked at in this turn, when all are locked in the order of their addresses.
    poll: Cell<&'s Case<'a>>,
    /// How this turn took the lock; `None` if an earlier turn has locked the same channel.
    took: Cell<Option<TakenBy>>,
    /// The queue's node for the case that is locked in this turn.
    node: UnsafeCell<MaybeUninit<Node<Slot>>>,
}

impl<'s, 'a> LockedCase<'s, 'a> {
    #[inline(always)]
    fn new(case: &'s Case<'a>) -> Self {
        let node = UnsafeCell::new(MaybeUninit::uninit());
        Self { case: Cell::new(case), poll: Cell::new(case), took: Cell::new(None), node }
    }
}

/// Waits for the first of `cases`: its number, or `None` if the timeout passed. **Suspends**, if it may wait.
#[track_caller]
#[inline]
pub(super) fn select<const N: usize>(cases: &[Case<'_>; N], timeout: Timeout) -> Option<usize> {
    match &cases[..] {
        [case] if !case.never => alone(case, timeout).then_some(0),
        _ => several(cases, timeout),
    }
}

/// A select with one case.
#[track_caller]
#[inline]
pub(super) fn alone(case: &Case<'_>, timeout: Timeout) -> bool {
    let Some(slot) = case.slot else {
        return select_in(core::slice::from_ref(case), &[LockedCase::new(case)], timeout).is_some();
    };
    // SAFETY: the slot is as the maker of the case promised, here and below.
    let try_it = || unsafe { case.handle.try_alone(case.sends, slot) };
    // SAFETY: as above.
    let wait = |deadline| unsafe { case.handle.alone(case.sends, slot, deadline) };
    let ended = match timeout.0 {
        Kind::Never => wait(None),
        Kind::Immediate => try_it(),
        Kind::After(_) | Kind::At(_) => match try_it() {
            Err(Refusal::NotReady) => wait(timeout.deadline()),
            ended => ended,
        },
    };
    match (ended, timeout.0) {
        (Ok(()), _) => case.end(Fired::Done),
        // Without a deadline, not ready means that the goroutine unwinds because its runtime closes, and nothing will
        // come any more.
        (Err(Refusal::Closed), _) | (Err(Refusal::NotReady), Kind::Never) => case.end(Fired::Closed),
        (Err(Refusal::NotReady), _) => return false,
    }
    true
}

#[track_caller]
#[inline(never)]
fn several<const N: usize>(cases: &[Case<'_>; N], timeout: Timeout) -> Option<usize> {
    let entries: [_; N] = core::array::from_fn(|at| LockedCase::new(&cases[at]));
    select_in(cases, &entries, timeout)
}

/// A select over cases whose number is not known when the program is written.
#[track_caller]
pub(super) fn select_any(cases: &[Case<'_>], timeout: Timeout) -> Option<usize> {
    let Some(first) = cases.first() else { return select_in(cases, &[], timeout) };
    if cases.len() <= INLINE_CASES {
        let entries: [_; INLINE_CASES] =
            core::array::from_fn(|at| LockedCase::new(cases.get(at).unwrap_or(first)));
        select_in(cases, &entries, timeout)
    } else {
        let entries: Vec<_> = cases.iter().map(LockedCase::new).collect();
        select_in(cases, &entries, timeout)
    }
}

/// [`select`] with the entries for the cases given by the caller.
#[track_caller]
#[inline(always)]
fn select_in<'s, 'a>(
    cases: &'s [Case<'a>],
    entries: &'s [LockedCase<'s, 'a>],
    timeout: Timeout,
) -> Option<usize> {
    let round = Round::shuffled(cases, entries);
    let (case, fired) = match round.look() {
        Some(ended) => ended,
        None if matches!(timeout.0, Kind::Immediate) => {
            unlock_all(round.entries);
            return None;
        }
        None => round.wait_for_one(timeout, cases.first())?,
    };
    case.end(fired);
    // SAFETY: a reference to one of the cases.
    Some(unsafe { core::ptr::from_ref(case).offset_from_unsigned(cases.as_ptr()) })
}

/// The cases that can come up at all, in random order.
#[derive(Clone, Copy)]
struct Round<'s, 'a> {
    entries: &'s [LockedCase<'s, 'a>],
}

type Ended<'s, 'a> = (&'s Case<'a>, Fired);

impl<'s, 'a> Round<'s, 'a> {
    #[inline(always)]
    fn shuffled(cases: &'s [Case<'a>], entries: &'s [LockedCase<'s, 'a>]) -> Self {
        let (mut rng, mut turns) = (Rng::new(), 0);
        for case in cases {
            if !case.never {
                let turn = rng.below(turns + 1);
                entries[turns].case.set(entries[turn].case.get());
                entries[turn].case.set(case);
                turns += 1;
            }
        }
        Self { entries: &entries[..turns] }
    }

    /// Takes the first case that is ready. `None`: there is none, and all locks are held.
    #[inline(always)]
    fn look(&self) -> Option<Ended<'s, 'a>> {
        gmp_core::foreign::refuse("select");
        let (mut me, mut highest) = (Me::default(), 0);
        for (turn, entry) in self.entries.iter().enumerate() {
            let case = entry.case.get();
            let lock = case.erased().lock();
            let took = if lock.rank() > highest {
                highest = lock.rank();
                Some(lock.lock_as(&mut me))
            } else if let Some(by) = lock.try_lock_as(&mut me) {
                Some(by)
            } else if holds(&self.entries[..turn], lock) {
                None
            } else {
                unlock_all(&self.entries[..turn]);
                return self.look_in_order();
            };
            entry.took.set(took);
            if let Some(ended) = ask(case, &self.entries[..=turn]) {
                return Some(ended);
            }
        }
        None
    }

    /// [`Round::look`] that first takes all locks, in the order of their addresses.
    #[cold]
    #[inline(never)]
    fn look_in_order(&self) -> Option<Ended<'s, 'a>> {
        self.entries.iter().for_each(|entry| entry.poll.set(entry.case.get()));
        sort(self.entries);
        let mut before = 0;
        for entry in self.entries {
            let lock = entry.case.get().erased().lock();
            let again = lock.rank() == before;
            entry.took.set((!again).then(|| lock.lock()));
            before = lock.rank();
        }
        self.entries.iter().find_map(|entry| ask(entry.poll.get(), self.entries))
    }

    /// Waits until a case comes up; all locks are held. `None`: the timeout passed. `first` is any case.
    #[track_caller]
    fn wait_for_one(&self, timeout: Timeout, first: Option<&'s Case<'a>>) -> Option<Ended<'s, 'a>> {
        // A caller that may not wait gets a panic; the locks are given back then, too.
        let locks = Locks(self.entries);
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
        let deadline = timeout.deadline();
        loop {
            if let Some(ended) = self.arm_timers() {
                return Some(ended);
            }
            match self.wait(&caller, deadline) {
                // Somebody else may have been faster than a case that only asks; if none is ready, the locks are held
                // again.
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
                        .filter(|_| matches!(timeout.0, Kind::Never))
                        .map(|case| (case, Fired::Closed));
                }
            }
        }
    }

    /// Sees to it that the alarms of timers' channels come in time; all locks are held, before and after. `Some`: a case
    /// came up meanwhile, and none is held.
    #[inline]
    fn arm_timers(&self) -> Option<Ended<'s, 'a>> {
        let channels = || self.entries.iter().map(|entry| entry.case.get().erased());
        // SAFETY: the locks are held.
        while channels().any(|channel| unsafe { channel.is_unarmed() }) {
            unlock_all(self.entries);
            channels().for_each(ErasedChannel::arm);
            if let Some(ended) = self.look() {
                return Some(ended);
            }
        }
        None
    }

    /// Waits at all channels. Their locks are held at first, and given back when this returns. `Err`: no case came
    /// up.
    #[inline]
    fn wait(&self, caller: &Caller, deadline: Option<Instant>) -> Result<Ended<'s, 'a>, Wake> {
        if self.entries.is_empty() {
            return Err(wait_for_nothing(caller, deadline));
        }
        let waiter = Waiter::shared();
        for (turn, entry) in self.entries.iter().enumerate() {
            let case = entry.case.get();
            let node = Node::new(&waiter, turn as u32, case.slot);
            // SAFETY: the entry is ours and the channel's lock is held. Node and waiter stay where they are until the
            // node is off the queue again, below.
            unsafe { case.erased().queue(case.sends).push_back((*entry.node.get()).write(node)) };
        }
        let (entries, turns) = (self.entries.as_ptr(), self.entries.len());
        let channels = Several { of: entries.cast(), count: turns, nth: nth_channel };
        let at = core::ptr::from_ref(&channels).expose_provenance();
        // SAFETY: the nodes are queued and their locks held; `unlock` touches the frame for the last time before it
        // gives back the last of them.
        let woken = unsafe {
            caller.sleep(&waiter, WaitReason::Select, at, deadline, move || unlock(entries, turns))
        };
        let ended = waiter.fired();
        // The waker has taken off the node that it claimed.
        self.unlink_all_but(ended.map(|(turn, _)| turn as usize));
        // If no waker came, nobody can reach us any more, so this answer is final.
        let (turn, fired) = ended.or_else(|| waiter.fired()).ok_or(woken)?;
        Ok((self.entries[turn as usize].case.get(), fired))
    }

    #[inline]
    fn unlink_all_but(&self, ended: Option<usize>) {
        for (turn, entry) in self.entries.iter().enumerate() {
            if Some(turn) != ended {
                let case = entry.case.get();
                let by = case.erased().lock().lock();
                // SAFETY: the node was written when it was queued, and the lock is held.
                unsafe {
                    case.erased().queue(case.sends).unlink((*entry.node.get()).assume_init_ref());
                    case.erased().lock().unlock(by);
                }
            }
        }
    }
}

/// The address of the channel that an entry waits at.
///
/// # Safety
/// It is one of the entries that begin at `entries`, and they are there.
unsafe fn nth_channel(entries: *const (), turn: usize) -> usize {
    // SAFETY: as the caller promises; the lifetimes, which it forgets, say nothing of the layout.
    let entry = unsafe { &*entries.cast::<LockedCase<'_, '_>>().add(turn) };
    core::ptr::from_ref(entry.case.get().erased()).addr()
}

/// Performs `case` if it is ready, and then gives back all locks that the entries hold, the case's own among them.
#[inline(always)]
fn ask<'s, 'a>(case: &'s Case<'a>, held: &'s [LockedCase<'s, 'a>]) -> Option<Ended<'s, 'a>> {
    // SAFETY: its lock is held.
    if !unsafe { case.erased().may_be_ready(case.sends) } {
        return None;
    }
    take(case, held)
}

#[inline(never)]
fn take<'s, 'a>(case: &'s Case<'a>, held: &'s [LockedCase<'s, 'a>]) -> Option<Ended<'s, 'a>> {
    // SAFETY: its lock is held, and the slot is as the maker of the case promised.
    let (handle, fired) = match unsafe { case.handle.now(case.sends, case.slot) } {
        Ok(handle) => (handle, Fired::Done),
        Err(Refusal::Closed) => (None, Fired::Closed),
        Err(Refusal::NotReady) => return None,
    };
    unlock_all(held);
    wake(handle);
    Some((case, fired))
}

/// Whether one of the entries has taken this lock.
#[cold]
fn holds(entries: &[LockedCase<'_, '_>], lock: &RawLock) -> bool {
    entries.iter().any(|entry| core::ptr::eq(entry.case.get().erased().lock(), lock))
}

/// Sorts the cases by the addresses of their locks, by heap sort, which needs no memory and has no bad case.
fn sort(entries: &[LockedCase<'_, '_>]) {
    let key = |turn: usize| entries[turn].case.get().erased().lock().rank();
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
            entries[turn].case.swap(&entries[child].case);
            turn = child;
        }
    };
    (0..entries.len() / 2).rev().for_each(|turn| sink(turn, entries.len()));
    for end in (1..entries.len()).rev() {
        entries[0].case.swap(&entries[end].case);
        sink(0, end);
    }
}

/// The locks that the entries took, to be given back.
struct Locks<'r, 's, 'a>(&'r [LockedCase<'s, 'a>]);

impl Drop for Locks<'_, '_, '_> {
    fn drop(&mut self) {
        unlock_all(self.0);
    }
}

/// Gives back the locks that the entries took.
#[inline]
fn unlock_all(entries: &[LockedCase<'_, '_>]) {
    // SAFETY: the entries took the locks, and we give them back once.
    unsafe { unlock(entries.as_ptr(), entries.len()) };
}

/// Gives back the locks that this many entries took, the first entry's lock last. It uses pointers and no references,
/// since what they point to may be gone once the last lock is back.
///
/// # Safety
/// The entries say which locks they took, and nobody else gives those back.
#[inline]
unsafe fn unlock(entries: *const LockedCase<'_, '_>, turns: usize) {
    for turn in (0..turns).rev() {
        // SAFETY: as the caller promises. The lock of turn 0 is still held, so the waiter has not left the frame. The
        // owners of the channels' handles see to it that a channel outlives the return of its lock.
        unsafe {
            let entry = entries.add(turn);
            if let Some(by) = (*entry).took.get() {
                (*entry).case.get().erased().lock().unlock(by);
            }
        }
    }
}

/// Sleeps where no waker can come, until the deadline or until the runtime closes.
fn wait_for_nothing(caller: &Caller, deadline: Option<Instant>) -> Wake {
    // The sleep's commit still writes into the waiter when a deadline may already have ended the wait. This lock
    // keeps us here until the commit is through.
    let through = Lock::new(());
    let (waiter, why) = (Waiter::alone(), WaitReason::SelectNoCases);
    let held = through.lock().keep();
    // SAFETY: no node is queued, and the commit touches the frame for the last time when it gives the lock back.
    let woken = unsafe { caller.sleep(&waiter, why, 0, deadline, move || held.unlock()) };
    drop(through.lock());
    woken
}

/// Waits for ever, as Go's `select {}` does. **Suspends.** A goroutine's destructors still run when its runtime
/// closes.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     gmp::go(|| gmp::block_forever());
///     // When main ends, so does the program, whoever still waits.
///     gmp::yield_now();
/// }).unwrap();
/// ```
///
/// # Panics
/// Where nobody may wait: in a policy, an event sink or a call on the system stack. Also in a goroutine that already
/// unwinds because its runtime closes, since it could neither go on nor end.
#[doc(alias = "select")]
#[doc(alias = "block")]
#[track_caller]
pub fn block_forever() -> ! {
    let caller = Caller::enter("block_forever");
    let woken = wait_for_nothing(&caller, None);
    drop(caller);
    unwind_if_closing(woken);
    panic!("gmp::block_forever was called by a goroutine that unwinds because its runtime closes")
}
