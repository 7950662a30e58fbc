//! The join word: what a goroutine's end and its `JoinHandle` agree on.
//!
//! ```text
//!            finish                               drop of the handle: it frees the record
//!   Empty ─────────────────────────────► Done ──────────────────────────────────────────► (free)
//!     │ └── detach ──► Detached ─ finish ─► (the goroutine's M frees the record)
//!     │ wait                                        
//!     ▼            finish: the waiter is told
//!   Waiter(address) ───────────────────► Done
//!     └─────────── withdraw ────────────► Empty
//! ```
//!
//! **Invariant.** Handle and goroutine each pass the word once at their end; the later one owns result and record. Nobody
//! passes a Detached word but its goroutine, which only looks at it. A
//! waiter's address stays valid until the waiter was told (`taken`) or has withdrawn.

use crate::ground::sync::{AtomicBool, AtomicPtr, UnsafeCell, spin_loop};
use core::ptr::{self, NonNull};
use core::sync::atomic::Ordering;
use core::task::Waker;

/// Who waits for the end of a goroutine.
#[derive(Debug)]
pub(crate) enum Joiner {
    /// A goroutine: its `Parked`, in two words.
    G(NonNull<()>, u64),
    /// A plain thread.
    Thread(std::thread::Thread),
    /// A future's task.
    Task(Waker),
}

/// A joiner, on the joiner's own stack or in its future.
#[derive(Debug)]
pub(crate) struct Waiter {
    joiner: UnsafeCell<Option<Joiner>>,
    taken: AtomicBool,
}

impl Waiter {
    #[inline]
    pub(crate) fn new(joiner: Option<Joiner>) -> Self {
        Self { joiner: UnsafeCell::new(joiner), taken: AtomicBool::new(false) }
    }

    /// Fills the waiter in, before it is offered by [`JoinWord::wait`].
    ///
    /// # Safety
    /// The waiter has not been offered.
    #[inline]
    pub(crate) unsafe fn set(&self, joiner: Joiner) {
        // SAFETY: not offered, so only the owner reaches it.
        self.joiner.with_mut(|place| unsafe { *place = Some(joiner) });
    }

    /// Takes the joiner back from a waiter that was refused.
    ///
    /// # Safety
    /// [`JoinWord::wait`] has refused this waiter.
    #[inline]
    pub(crate) unsafe fn take_back(&self) -> Option<Joiner> {
        // SAFETY: refused, so only the owner reaches it.
        self.joiner.with_mut(|place| unsafe { (*place).take() })
    }

    /// Whether the finisher has read this waiter for the last time.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        // ORDER: taken. Acquire pairs with the release in `take`: the finisher is done with our stack frame.
        self.taken.load(Ordering::Acquire)
    }

    /// Takes the joiner out, by the finisher. The waiter may be gone right afterwards.
    ///
    /// # Safety
    /// `this` came out of [`JoinWord::finish`], and this is the only call for it.
    #[inline]
    pub(crate) unsafe fn take(this: *const Waiter) -> Option<Joiner> {
        // SAFETY: an offered waiter stays valid until `taken` is set.
        let waiter = unsafe { &*this };
        // SAFETY: the finisher alone touches an offered waiter.
        let joiner = waiter.joiner.with_mut(|place| unsafe { (*place).take() });
        // ORDER: taken. Release pairs with `is_taken`.
        waiter.taken.store(true, Ordering::Release);
        joiner
    }
}

const EMPTY: *mut Waiter = ptr::null_mut();
const DONE: *mut Waiter = ptr::without_provenance_mut(1);
const DETACHED: *mut Waiter = ptr::without_provenance_mut(2);

/// What a finishing goroutine's M has to do.
#[derive(Debug)]
#[must_use]
pub(crate) enum Finish {
    /// The handle will see to result and record.
    LeftToHandle,
    /// Nobody wants the result; free the record.
    Detached,
    /// Tell this waiter; it sees to result and record.
    Tell(*const Waiter),
}

/// The word.
#[derive(Debug)]
pub(crate) struct JoinWord(AtomicPtr<Waiter>);

impl JoinWord {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(EMPTY))
    }

    /// For a new goroutine, by its spawner.
    #[inline]
    pub(crate) fn reset(&self) {
        self.0.store(EMPTY, Ordering::Relaxed);
    }

    /// For a new goroutine whose handle nobody has.
    pub(crate) fn reset_detached(&self) {
        self.0.store(DETACHED, Ordering::Relaxed);
    }

    /// Whether the goroutine has ended and its result is there.
    #[inline]
    pub(crate) fn is_done(&self) -> bool {
        // ORDER: join. Acquire pairs with the release of `finish`: the result is there.
        self.0.load(Ordering::Acquire) == DONE
    }

    /// Offers a waiter. `false`: the goroutine has ended already.
    ///
    /// # Safety
    /// `waiter` is filled in and stays valid until it is taken or withdrawn.
    #[must_use]
    #[inline]
    pub(crate) unsafe fn wait(&self, waiter: &Waiter) -> bool {
        let address = ptr::from_ref(waiter).cast_mut();
        // ORDER: join. Release pairs with the acquire of `finish`: the waiter is filled in; acquire as in `is_done`.
        self.0.compare_exchange(EMPTY, address, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Takes an offered waiter back, or waits until the finisher is done with it. `true`: taken back.
    pub(crate) fn withdraw(&self, waiter: &Waiter) -> bool {
        let address = ptr::from_ref(waiter).cast_mut();
        // ORDER: join. Acquire as in `is_done`.
        if self.0.compare_exchange(address, EMPTY, Ordering::Relaxed, Ordering::Acquire).is_ok() {
            return true;
        }
        while !waiter.is_taken() {
            spin_loop();
        }
        false
    }

    /// The goroutine has ended and its outcome is in the record.
    #[inline]
    pub(crate) fn finish(&self) -> Finish {
        // Nobody but us passes the word once its handle was dropped, so the end of a goroutine that nobody waits for takes
        // no locked instruction.
        // ORDER: join. Pairs with `detach`: what the handle's owner read of the record was read before it is used again.
        if self.0.load(Ordering::Acquire) == DETACHED {
            return Finish::Detached;
        }
        // ORDER: join. Release pairs with `is_done`, `wait` and `detach`: the result is there; acquire pairs with `wait`.
        match self.0.swap(DONE, Ordering::AcqRel) {
            EMPTY => Finish::LeftToHandle,
            DETACHED => Finish::Detached,
            waiter => Finish::Tell(waiter),
        }
    }

    /// The handle is dropped. `true`: the goroutine had ended, so result and record are the caller's to free.
    #[inline]
    #[must_use]
    pub(crate) fn detach(&self) -> bool {
        // ORDER: join. Release pairs with the acquire of `finish`: what the owner read of the record comes before its next
        // use; acquire as in `is_done`.
        self.0.compare_exchange(EMPTY, DETACHED, Ordering::Release, Ordering::Acquire).is_err()
    }
}
