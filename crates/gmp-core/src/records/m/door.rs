//! The door of an M: whether its goroutine's own code runs, or ours, and whether the P may be taken meanwhile.
//!
//! ```text
//!   the M's own thread                          a taker
//!   ──────────────────                          ───────
//!   inside = true                               Open → Taking, with a mark of its own
//!   light fence                                 heavy fence, or the system says that the M's thread is off its CPU
//!   Taking? wait until it is not                inside, or not its mark any more? Taking → Open, and nothing has happened
//!   use the P, if there is one                  else: take the P
//!   inside = false                              Taking → Taken
//! ```
//!
//! The goroutine knows nothing of a taker (sysmon, or a thread that wants a P) while its own code runs: a file is read, a
//! lock of std's waited for, a loop goes round and round. So its P is taken without its help, whatever that code is, but
//! never in the middle of ours, which may be half way through an operation on the P's queue when the system takes the CPU
//! away, a page is missing, or a signal's handler blocks. Therefore our code says that it is *inside*, with two plain
//! stores.
//!
//! **Invariant.** While the M is inside, its own thread alone touches the M's P, what it has lent, and the word of its
//! goroutine. While it is outside, and the way is Taking, the taker alone does. Of the two fences one comes first: either
//! the taker sees the M inside, or the M sees Taking and waits. What the taker has written is released by the way that it
//! leaves.
//!
//! **A thread that is off its CPU** needs no fence made for it. The kernel makes one as it takes a thread off, and another
//! as it puts it on again; that is what `membarrier` itself relies on for all threads that do not run. So if the thread is
//! off its CPU at some moment after the mark was made, the taker sees all that it did before, and it sees the mark
//! afterwards. That it was off is told by its state, asleep, and by its CPU clock, which stands still around that question.
//!
//! **The danger** is an M inside that changes its way while the taker asks: it enters a declared call, say, and goes
//! outside. That store takes the mark away. Whoever sees the M outside sees the store, too, so a taker looks at both. Each
//! taker's mark is another one, so that none takes the mark of the next for its own.
//!
//! Go stops a goroutine that computes by a signal, and its system calls are declared by its own library; so it needs no
//! such thing (`retake`, proc.go, Go 1.27).

use crate::ground::sync::{AtomicBool, AtomicU32, full_fence, light_fence, thread};
use core::sync::atomic::Ordering;

/// How an M stands to its P.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Way {
    /// It holds one.
    Open = 0,
    /// It holds none: it sleeps, or its goroutine is in a declared blocking call.
    NoP = 1,
    /// It holds none: its goroutine has stepped aside (`slice.rs`).
    Aside = 2,
    /// It holds none: it was taken.
    Taken = 3,
    /// A taker looks whether it may take the P. Its mark stands in the bits above.
    Taking = 4,
}

/// The bits below a taker's mark.
const MARK_SHIFT: u32 = 3;

/// What a taker has written to a door.
#[derive(Clone, Copy, Debug)]
#[must_use = "a mark that nobody takes away holds up the M"]
pub(crate) struct Mark(u32);

impl Mark {
    /// One that no other taker has, unless it has been at it for as long as half a billion of others have.
    fn new() -> Self {
        static NEXT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed) << MARK_SHIFT | Way::Taking as u32)
    }
}

/// Whether that is a way with a taker's mark.
#[inline(always)]
fn is_marked(way: u32) -> bool {
    way & Way::Taking as u32 != 0
}

/// The door.
#[derive(Debug)]
pub(crate) struct Door {
    /// Our code runs, not the goroutine's own. Written by the M's thread.
    inside: AtomicBool,
    way: AtomicU32,
}

/// The M is inside as long as this lives, and longer if it was so before.
#[must_use = "the M is inside as long as the guard lives"]
pub(crate) struct Hold<'a> {
    door: &'a Door,
    was_inside: bool,
    way: u32,
}

impl Door {
    /// Of an M whose scheduler runs, without a P.
    pub(crate) fn new() -> Self {
        Self { inside: AtomicBool::new(true), way: AtomicU32::new(Way::NoP as u32) }
    }

    /// From here on our code runs, by the M's own thread.
    #[inline(always)]
    pub(crate) fn hold(&self) -> Hold<'_> {
        let was_inside = self.inside.load(Ordering::Relaxed);
        self.inside.store(true, Ordering::Relaxed);
        light_fence();
        // ORDER: door. Acquire pairs with `end_taking`: what the taker has done is seen.
        let mut way = self.way.load(Ordering::Acquire);
        if is_marked(way) {
            way = self.wait_for_taker();
        }
        Hold { door: self, was_inside, way }
    }

    /// Somebody is about to take the P, or to find that they may not: some microseconds.
    #[cold]
    #[inline(never)]
    fn wait_for_taker(&self) -> u32 {
        loop {
            // ORDER: door. As in `hold`.
            let way = self.way.load(Ordering::Acquire);
            if !is_marked(way) {
                return way;
            }
            thread::yield_now();
        }
    }

    /// From here on the goroutine's own code runs, by the M's own thread.
    #[inline(always)]
    pub(crate) fn go_out(&self) {
        // ORDER: outside. Release pairs with `may_take`: what our code has done with the P is seen by its taker.
        self.inside.store(false, Ordering::Release);
    }

    /// Whether our code runs, asked by the M's own thread.
    #[inline(always)]
    pub(crate) fn is_inside(&self) -> bool {
        self.inside.load(Ordering::Relaxed)
    }

    /// How the M stands to its P, asked by its own thread, inside. Anybody else sees how it stood a moment ago.
    #[inline(always)]
    pub(crate) fn way(&self) -> Way {
        match self.way.load(Ordering::Relaxed) {
            0 => Way::Open,
            1 => Way::NoP,
            2 => Way::Aside,
            3 => Way::Taken,
            _ => Way::Taking,
        }
    }

    /// Whether the M holds a P, asked by its own thread, inside. A taker's mark that is met inside came too late:
    /// the taker sees the M inside, and takes nothing. To take it for "no P" would put the M to sleep with its P in hand.
    #[inline(always)]
    pub(crate) fn has_p(&self) -> bool {
        const { assert!(Way::Open as u32 == 0 && Way::Taking as u32 == 4) }
        // One test for both.
        self.way.load(Ordering::Relaxed) & 3 == 0
    }

    /// The M has got a P, or given it up, or its goroutine has stepped aside: by its own thread, inside.
    #[inline(always)]
    pub(crate) fn set_way(&self, way: Way) {
        debug_assert!(self.is_inside(), "only our own code changes what an M holds");
        #[cfg(not(loom))]
        self.way.store(way as u32, Ordering::Relaxed);
        // loom knows no order of a plain store and another thread's compare-and-swap, and would let us read what we
        // have just overwritten.
        #[cfg(loom)]
        self.way.swap(way as u32, Ordering::Relaxed);
    }

    /// Whether the M holds a P that nobody is about to take, asked by its own thread, outside, after a light fence. If so,
    /// whoever takes it later sees all that was written before the fence.
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.way.load(Ordering::Relaxed) == Way::Open as u32
    }

    /// By a taker: begins to take the P. `None`: there is none to be taken.
    pub(crate) fn begin_taking(&self) -> Option<Mark> {
        let mark = Mark::new();
        let begun =
            self.way.compare_exchange(Way::Open as u32, mark.0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        // Before the taker asks whether the M's thread is off its CPU; pairs with the fence that the kernel
        // makes as it puts the thread on again. The compare-and-swap is such a fence on amd64 already.
        full_fence();
        begun.then_some(mark)
    }

    /// By a taker, after [`Door::begin_taking`] and a heavy fence, or if the M's thread has been off its CPU since:
    /// whether the goroutine's own code runs, so that whoever comes in waits for [`Door::end_taking`].
    pub(crate) fn may_take(&self, mark: Mark) -> bool {
        // ORDER: outside. Acquire pairs with `go_out`.
        !self.inside.load(Ordering::Acquire) && self.way.load(Ordering::Relaxed) == mark.0
    }

    /// By a taker, after [`Door::may_take`]: the P is taken.
    pub(crate) fn end_taking(&self) {
        // ORDER: door. Release pairs with `hold`.
        self.way.store(Way::Taken as u32, Ordering::Release);
    }

    /// By a taker that does not take the P: its mark goes, unless the M has overwritten it.
    pub(crate) fn give_up_taking(&self, mark: Mark) {
        let _ = self.way.compare_exchange(mark.0, Way::Open as u32, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl Hold<'_> {
    /// Whether our code ran before, too.
    #[inline(always)]
    pub(crate) fn was_inside(&self) -> bool {
        self.was_inside
    }

    /// Whether the M held a P when this was made, and holds it still unless our code has given it up since.
    #[inline(always)]
    pub(crate) fn found_p(&self) -> bool {
        self.way == Way::Open as u32
    }
}

impl Drop for Hold<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // ORDER: outside. As in `go_out`.
        self.door.inside.store(self.was_inside, Ordering::Release);
    }
}
