//! How many handles of each side a channel has, and who frees it.
//!
//! ```text
//!   senders > 0, receivers > 0 ──► one side 0: closed ──► both 0: freed
//! ```
//!
//! **Invariant.** `sides` starts as the number of sides that have handles and falls by one when a side has lost its last handle and has closed the channel; whoever
//! takes it to 0 frees the channel. A side without handles never gets one again: handles come from handles.

use super::protocol::Chan;
use crate::seam::AtomicUsize;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use gmp_core::timer::AnyTimer;
use std::sync::{Mutex, PoisonError};

/// More handles than memory has room for: a clone that is forgotten in a loop ends here, not in an overflow.
const MOST: usize = isize::MAX as usize;

struct Counted<T> {
    senders: AtomicUsize,
    receivers: AtomicUsize,
    sides: AtomicUsize,
    kind: Kind,
    chan: Chan<T>,
}

/// What a channel is.
enum Kind {
    Plain,
    /// Made without senders.
    Never,
    /// A timer's: its sender is the timer's callback, and goes without closing it; the last receiver stops the timer.
    /// The timer is put in before anybody else has the channel, and taken out once: it holds the sender.
    Timer(Mutex<Option<AnyTimer>>),
}

/// Which side of a channel.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Senders,
    Receivers,
}

/// One handle's share in a channel.
pub(super) struct Share<T>(NonNull<Counted<T>>);

// SAFETY: a share is a counted reference to a channel, which may be used from any thread if its values may be sent.
unsafe impl<T: Send> Send for Share<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Share<T> {}

impl<T> Share<T> {
    /// A channel with one share on each side.
    pub(super) fn pair(chan: Chan<T>) -> (Self, Self) {
        Self::pair_of(chan, Kind::Plain)
    }

    /// A timer's channel, with one share on each side.
    pub(super) fn of_timer(chan: Chan<T>) -> (Self, Self) {
        Self::pair_of(chan, Kind::Timer(Mutex::new(None)))
    }

    fn pair_of(chan: Chan<T>, kind: Kind) -> (Self, Self) {
        let counted = Counted {
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(1),
            sides: AtomicUsize::new(2),
            kind,
            chan,
        };
        let counted = NonNull::from(Box::leak(Box::new(counted)));
        (Self(counted), Self(counted))
    }

    /// A channel with one share on the receivers' side, and no senders, which therefore never close it.
    pub(super) fn without_senders(chan: Chan<T>) -> Self {
        let (senders, receivers) = (AtomicUsize::new(0), AtomicUsize::new(1));
        let counted = Counted { senders, receivers, sides: AtomicUsize::new(1), kind: Kind::Never, chan };
        Self(NonNull::from(Box::leak(Box::new(counted))))
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: freed by the last share only.
        unsafe { self.0.as_ref() }
    }

    fn count(&self, side: Side) -> &AtomicUsize {
        match side {
            Side::Senders => &self.counted().senders,
            Side::Receivers => &self.counted().receivers,
        }
    }

    /// One more share on the same side.
    pub(super) fn another(&self, side: Side) -> Self {
        if self.count(side).fetch_add(1, Relaxed) > MOST {
            // Only forgotten handles come this far.
            std::process::abort();
        }
        Self(self.0)
    }

    /// Whether nothing ever comes on this channel.
    #[inline]
    pub(super) fn is_never(&self) -> bool {
        matches!(self.counted().kind, Kind::Never)
    }

    /// Whether it is a timer's channel.
    #[inline]
    pub(super) fn is_timers(&self) -> bool {
        matches!(self.counted().kind, Kind::Timer(_))
    }

    /// Ties a timer's channel to its timer, or unties it with `None`, and gives what was there before.
    pub(super) fn tie(&self, timer: Option<AnyTimer>) -> Option<AnyTimer> {
        let Kind::Timer(place) = &self.counted().kind else { return None };
        core::mem::replace(&mut *place.lock().unwrap_or_else(PoisonError::into_inner), timer)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Gives the share back. The last one of a side runs `last`, the last one of both frees the channel.
    pub(super) fn give_back(&self, side: Side, last: impl FnOnce(&Self)) {
        // ORDER: handles. Release and acquire pair with each other: who sees the count reach 0 sees all that the other
        // handles of this side did.
        if self.count(side).fetch_sub(1, Release) != 1 {
            return;
        }
        self.count(side).load(Acquire);
        /// Also if `last` unwinds out of a value's destructor.
        struct Free<T>(NonNull<Counted<T>>);
        impl<T> Drop for Free<T> {
            fn drop(&mut self) {
                // SAFETY: this side's count in `sides` is still held.
                let sides = unsafe { &self.0.as_ref().sides };
                // ORDER: sides. As with the handles.
                if sides.fetch_sub(1, Release) == 1 {
                    sides.load(Acquire);
                    // SAFETY: both sides have no handle left, so this is the only reference.
                    drop(unsafe { Box::from_raw(self.0.as_ptr()) });
                }
            }
        }
        let _free = Free(self.0);
        last(self);
    }
}

impl<T> Deref for Share<T> {
    type Target = Chan<T>;

    #[inline]
    fn deref(&self) -> &Chan<T> {
        // SAFETY: freed by the last share only.
        unsafe { &self.0.as_ref().chan }
    }
}
