//! The scope word: how many children a scope still has, and whether its goroutine waits for the last of them.
//!
//! ```text
//!               enter: + child                 leave: − child, others are left
//!   n children ───────────────► n+1 children ──────────────────────────────────► n children
//!       │ offer, n > 0
//!       ▼                                leave of the last: takes the token, readies the waiter
//!   n children, WAITING ─── leave ... ──────────────────────────────────────────► WAITING, done
//! ```
//!
//! **Invariant.** The word stands in the frame of the goroutine that waits, and that frame stays until no child is left.
//! A child's last look at the word is its `leave`; only the child that finds itself the last one *and* the goroutine
//! waiting looks further, and until it has used the token up the goroutine cannot run. So no child is ever late, and
//! nobody spins. Nothing else ends this wait: a closing runtime leaves it alone (`waits_at_end`).

use crate::entering::gate;
use crate::ground::sync::{AtomicUsize, UnsafeCell};
use crate::records::g::WaitReason;
use crate::records::g::parked::Parked;
use crate::records::p::timers::NEVER;
use crate::waiting::park::{Commit, park_inside};
use core::sync::atomic::Ordering;

/// The goroutine waits and its token is in place.
const WAITING: usize = 1;
/// One child.
const CHILD: usize = 2;

/// The word, and the place for the waiter's token.
#[derive(Debug)]
pub(super) struct ScopeWord<K = Parked> {
    state: AtomicUsize,
    token: UnsafeCell<Option<K>>,
}

// SAFETY: the word says whose the token's place is: the waiter's until it is offered, then the last child's.
unsafe impl<K: Send> Sync for ScopeWord<K> {}

impl<K> ScopeWord<K> {
    pub(super) fn new() -> Self {
        Self { state: AtomicUsize::new(0), token: UnsafeCell::new(None) }
    }

    /// The word of a scope whose only child is there from the beginning.
    #[inline(always)]
    pub(super) fn with_one_child() -> Self {
        Self { state: AtomicUsize::new(CHILD), token: UnsafeCell::new(None) }
    }

    /// One child more. By the scope's goroutine before it waits, or by a child that has not left.
    pub(super) fn enter(&self) {
        self.state.fetch_add(CHILD, Ordering::Relaxed);
    }

    /// One child less. `Some`: it was the last, and the goroutine waits; whoever gets the token readies it. The word may
    /// be gone as soon as that is done, or at once if there was nothing to do.
    #[must_use]
    pub(super) fn leave(&self) -> Option<K> {
        // ORDER: scope. Release pairs with `is_done`: what the child did to what it borrows is done.
        // ORDER: scope-offer. Acquire pairs with `offer`: the token is in place.
        if self.state.fetch_sub(CHILD, Ordering::AcqRel) != CHILD | WAITING {
            return None;
        }
        // SAFETY: the last child's, since the waiter has offered it.
        self.token.with_mut(|place| unsafe { (*place).take() })
    }

    /// Whether no child is left. Asked by the scope's goroutine.
    pub(super) fn is_done(&self) -> bool {
        // ORDER: scope. Acquire pairs with `leave`: what the children did is seen.
        self.state.load(Ordering::Acquire) & !WAITING == 0
    }

    /// Leaves the waiter's token for the last child, or gives it back if there is no child any more. After `None` the
    /// goroutine may run, and the word be gone. Once.
    #[must_use]
    pub(super) fn offer(&self, token: K) -> Option<K> {
        // SAFETY: the waiter's own until the word says WAITING.
        self.token.with_mut(|place| unsafe { *place = Some(token) });
        // ORDER: scope-offer. Release pairs with the last `leave`: the token is in place. What children did is seen by
        // `is_done`, which is asked afterwards.
        if self.state.fetch_or(WAITING, Ordering::Release) != 0 {
            return None;
        }
        // SAFETY: there is no child, so nobody has seen the offer.
        self.token.with_mut(|place| unsafe { (*place).take() })
    }
}

impl ScopeWord {
    /// Waits until no child is left. **Suspends.** Never unwinds: the frame that the word stands in must not go before.
    pub(super) fn wait(&self) {
        if !self.is_done() {
            crate::ground::fatal::no_unwind("the wait of a scope", || self.suspend());
        }
    }

    fn suspend(&self) {
        let inside = gate::enter("scope");
        let wake = park_inside(&inside, WaitReason::Scope, NEVER, |parked| match self.offer(parked) {
            None => Commit::Stay,
            Some(parked) => Commit::Resume(parked),
        });
        if !self.is_done() {
            crate::fatal!("a scope's wait ends when its last child has", "it was ended by {wake:?}");
        }
    }
}

/// A child's place in the scope's count; given back when dropped.
#[derive(Debug)]
pub(super) struct Ticket(*const ScopeWord);

// SAFETY: the word may be left from any thread.
unsafe impl Send for Ticket {}

impl Ticket {
    /// A place in the count of `word`.
    ///
    /// # Safety
    /// The word stays where it is until no child is left: its owner waits for that, whatever happens. The owner has not
    /// begun to wait, or the caller is one of its children.
    pub(super) unsafe fn new(word: &ScopeWord) -> Self {
        word.enter();
        Self(word)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // SAFETY: promised to `new`; we are a child until this call counts us out.
        let token = unsafe { &*self.0 }.leave();
        if let Some(parked) = token {
            parked.ready();
        }
    }
}
