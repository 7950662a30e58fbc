//! The number of handles on each side of a channel, and which of them frees it.
//!
//! ```text
//!   senders > 0, receivers > 0 ──► one side 0: closed ──► both 0: freed
//! ```
//!
//! **Invariant.** `sides` starts as the number of sides that have handles and falls by one when a side has lost its
//! last handle and has closed the channel for the other; whoever takes it to 0 frees the channel. A side without
//! handles never gets one again, since a handle is made only by cloning another. The alarm of a timer's channel, which
//! has no senders, counts as one more side.

use super::protocol::Chan;
use super::ring::Ring;
use super::timing::Timing;
use crate::seam::AtomicUsize;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::alloc::{self, Layout, LayoutError};
use std::time::Instant;

/// More handles than memory has room for: a loop that forgets its clones ends here, not in an overflow.
const MOST: usize = isize::MAX as usize;

/// A channel and the counts of its handles, in one piece of memory with the buffer's slots behind. A timer's channel has
/// its [`Timing`] there instead.
#[repr(C)]
struct Counted<T> {
    chan: Chan<T>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
    sides: AtomicUsize,
    kind: Kind,
    /// How far this lies behind the beginning of its allocation.
    skipped: usize,
}

/// Whoever searches memory for handles leaves out so much of a channel that nobody reaches (`reach.rs` of gmp-inspect).
#[cfg(not(loom))]
const _: () = assert!(size_of::<Counted<u64>>() == 128, "a channel without its buffer takes two cache lines");

/// The alignment that every allocator gives. Some are slow where more is asked for, such as a whole cache line, so this
/// asks for enough memory that a cache line begins in it.
const COMMON: usize = 16;

impl<T> Counted<T> {
    /// The memory that a channel takes, how much of that is there only for its alignment, and how far behind its
    /// beginning the slots are.
    ///
    /// # Panics
    /// If no memory has room for that many values.
    #[inline]
    fn layout(capacity: usize, timed: bool) -> (Layout, usize, usize) {
        let fit = || {
            let behind = if timed { Layout::new::<Timing>() } else { Layout::array::<T>(capacity)? };
            let (whole, slots) = Layout::new::<Self>().extend(behind)?;
            if whole.align() > align_of::<Self>() {
                return Ok((whole, 0, slots));
            }
            let spare = whole.align() - COMMON;
            let asked = whole.size().saturating_add(spare);
            Ok((Layout::from_size_align(asked, COMMON)?, spare, slots))
        };
        fit().unwrap_or_else(|_: LayoutError| panic!("capacity overflow: a channel for {capacity} values"))
    }

    /// Makes a channel with one receiver.
    ///
    /// # Panics
    /// If there is no memory for that many values.
    #[inline]
    fn make(capacity: usize, senders: usize, kind: Kind) -> NonNull<Self> {
        let timed = matches!(kind, Kind::Timer);
        let (layout, spare, slots) = Self::layout(capacity, timed);
        // SAFETY: not of size zero.
        let Some(base) = NonNull::new(unsafe { alloc::alloc(layout) }) else { no_memory(capacity, layout) };
        let skipped = if spare == 0 { 0 } else { base.addr().get().wrapping_neg() % align_of::<Self>() };
        // SAFETY: the layout has room for it at the next aligned address, and for the slots behind it.
        unsafe {
            let at = base.add(skipped);
            let ring = Ring::in_slots(at.add(slots).cast(), capacity);
            let sides = 1 + usize::from(senders != 0);
            let (senders, receivers) = (AtomicUsize::new(senders), AtomicUsize::new(1));
            let sides = AtomicUsize::new(sides);
            at.cast::<Self>().write(Self {
                chan: Chan::new(ring, timed),
                senders,
                receivers,
                sides,
                kind,
                skipped,
            });
            at.cast()
        }
    }

    /// Drops the channel, and gives its memory back even if a destructor unwinds.
    ///
    /// # Safety
    /// [`Counted::make`] made it, and this is the only reference.
    unsafe fn free(this: NonNull<Self>) {
        struct Memory(NonNull<u8>, Layout);
        impl Drop for Memory {
            fn drop(&mut self) {
                // SAFETY: allocated by `make` with this layout.
                unsafe { alloc::dealloc(self.0.as_ptr(), self.1) };
            }
        }
        // SAFETY: the caller has it for itself.
        unsafe {
            let timed = this.as_ref().kind.is_timers();
            let (layout, _, slots) = Self::layout(this.as_ref().chan.capacity(), timed);
            let _memory = Memory(this.cast().sub(this.as_ref().skipped), layout);
            this.drop_in_place();
            if timed {
                this.cast::<u8>().add(slots).cast::<Timing>().drop_in_place();
            }
        }
    }
}

#[cold]
#[inline(never)]
fn no_memory(capacity: usize, layout: Layout) -> ! {
    panic!("no memory: a channel for {capacity} values takes {} bytes", layout.size())
}

/// What kind of channel it is.
enum Kind {
    Plain,
    /// It was made without senders.
    Never,
    /// A timer's channel, which has no senders. The last receiver stops the timer.
    Timer,
}

impl Kind {
    #[inline]
    fn is_timers(&self) -> bool {
        matches!(self, Self::Timer)
    }
}

/// A side of a channel.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Senders,
    Receivers,
}

/// One handle's share in a channel.
pub(super) struct Share<T>(NonNull<Counted<T>>);

// SAFETY: a share is a counted reference to a channel, and a channel may be used from any thread if its values may be
// sent.
unsafe impl<T: Send> Send for Share<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Share<T> {}

impl<T> Share<T> {
    /// A channel with one share on each side.
    #[inline]
    pub(super) fn pair(capacity: usize) -> (Self, Self) {
        let counted = Counted::make(capacity, 1, Kind::Plain);
        (Self(counted), Self(counted))
    }

    /// A channel with one share on the receivers' side and no senders, so that no sender's drop ever closes it.
    pub(super) fn without_senders() -> Self {
        Self(Counted::make(0, 0, Kind::Never))
    }

    #[inline]
    fn counted(&self) -> &Counted<T> {
        // SAFETY: freed by the last share only.
        unsafe { self.0.as_ref() }
    }

    #[inline]
    fn count(&self, side: Side) -> &AtomicUsize {
        match side {
            Side::Senders => &self.counted().senders,
            Side::Receivers => &self.counted().receivers,
        }
    }

    /// Another share on the same side.
    pub(super) fn another(&self, side: Side) -> Self {
        if self.count(side).fetch_add(1, Relaxed) > MOST {
            // Only forgotten handles can add up to so many.
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
        self.counted().kind.is_timers()
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// Gives the share back. The last share of a side runs `last`, unless there is nobody to notice; the last share of
    /// both sides frees the channel.
    #[inline]
    pub(super) fn give_back(&self, side: Side, last: impl FnOnce(&Self)) {
        let count = self.count(side);
        // ORDER: handles. Release and acquire pair with each other: whoever sees the count at 1, or takes it from
        // there, sees all that the other handles of this side did. At 1 this handle is the only one, and nobody else
        // can clone it.
        if count.load(Acquire) == 1 || count.fetch_sub(1, Release) == 1 {
            self.end(side, last);
        }
    }

    #[inline(never)]
    fn end(&self, side: Side, last: impl FnOnce(&Self)) {
        // ORDER: handles. As in `give_back`.
        self.count(side).load(Acquire);
        // It is freed even if `last` unwinds out of a value's destructor.
        let _free = Held(self.0);
        // ORDER: sides. As in `Held`.
        let alone = self.counted().sides.load(Acquire) == 1;
        // With nobody left on the other side there is nobody who could notice that the channel is closed.
        if !(alone && matches!(self.counted().kind, Kind::Plain)) {
            last(self);
        }
    }
}

/// One count of `sides`. Whoever drops the last one frees the channel.
struct Held<T>(NonNull<Counted<T>>);

impl<T> Drop for Held<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the count is still held.
        let sides = unsafe { &self.0.as_ref().sides };
        // ORDER: sides. As for the handles.
        if sides.load(Acquire) == 1 || sides.fetch_sub(1, Release) == 1 {
            // ORDER: sides. As for the handles.
            sides.load(Acquire);
            // SAFETY: nobody else has a count left, so this is the only reference.
            unsafe { Counted::free(self.0) };
        }
    }
}

/// An alarm's share in a timer's channel. It is no handle, so the last receiver's end does not wait for it, but the
/// channel's memory does.
pub(super) struct AlarmShare(Held<Instant>);

// SAFETY: a counted reference to a channel, which may be used from any thread.
unsafe impl Send for AlarmShare {}
// SAFETY: the same.
unsafe impl Sync for AlarmShare {}

impl AlarmShare {
    /// A share in the channel that this belongs to, made while a receiver keeps the channel.
    ///
    /// # Safety
    /// It is what a timer's channel has behind it, by a pointer to the whole of that memory, and the caller has a receiver.
    pub(super) unsafe fn of(timing: NonNull<Timing>) -> Self {
        let (_, _, behind) = Counted::<Instant>::layout(0, true);
        // SAFETY: the caller says so.
        let counted = unsafe { timing.byte_sub(behind) }.cast::<Counted<Instant>>();
        // SAFETY: freed by the last count only, and the receivers have one.
        unsafe { counted.as_ref() }.sides.fetch_add(1, Relaxed);
        Self(Held(counted))
    }

    pub(super) fn chan(&self) -> &Chan<Instant> {
        // SAFETY: freed by the last count only.
        unsafe { &self.0.0.as_ref().chan }
    }
}

impl Share<Instant> {
    /// A timer's channel, with one share on the receivers' side and no senders.
    pub(super) fn of_timer(timing: Timing) -> Self {
        let counted = Counted::make(0, 0, Kind::Timer);
        // SAFETY: it has the place for this behind it, and nobody else has it yet.
        unsafe { counted.as_ref().chan.state().ring.slots().cast().write(timing) };
        Self(counted)
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

#[cfg(all(test, not(loom)))]
mod tests {
    use crate::channel::chan;

    /// Values that want more than a line of cache, or a whole one, or next to nothing, behind the channel in one piece
    /// of memory: builds with debug assertions look at the alignment of each copy.
    #[test]
    fn slots_are_aligned() {
        fn pass<T: Copy + PartialEq + std::fmt::Debug>(value: T) {
            // Several at a time, so that the allocator's memory begins at different places.
            let chans: Vec<_> = (1..20).map(chan::<T>).collect();
            for (sender, receiver) in &chans {
                (0..sender.capacity()).for_each(|_| assert!(sender.try_send(value).is_ok()));
                assert!(sender.try_send(value).is_err());
                assert!((0..sender.capacity()).all(|_| receiver.try_recv() == Ok(value)));
            }
        }
        #[derive(Clone, Copy, PartialEq, Debug)]
        #[repr(align(256))]
        struct Page(u8);
        #[derive(Clone, Copy, PartialEq, Debug)]
        #[repr(align(64))]
        struct Line([u8; 100]);
        pass(Page(1));
        pass(Line([2; 100]));
        pass(3_u8);
        pass([4_u16; 5]);
        pass(());
    }

    #[test]
    #[should_panic = "capacity overflow"]
    fn no_memory_has_room_for_so_many() {
        chan::<u64>(usize::MAX / 8);
    }
}
