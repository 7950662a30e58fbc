//! The door of an M: whether its goroutine's own code runs, or ours, and whether the P may be taken meanwhile.
//!
//! ```text
//!   the M's own thread                          sysmon
//!   ──────────────────                          ──────
//!   inside = true                               Open → Taking
//!   light fence                                 heavy fence
//!   Taking? wait until it is not                inside, or not Taking any more? Taking → Open, and nothing has happened
//!   use the P, if there is one                  else: take the P
//!   inside = false                              Taking → Taken
//! ```
//!
//! The goroutine knows nothing of sysmon while its own code runs: a file is read, a lock of std's waited for, a loop goes
//! round and round. So sysmon takes its P without its help, and may do so whatever that code is, but never in the middle of
//! ours, which may be half way through an operation on the P's queue when the system takes the CPU away, a page is
//! missing, or a signal's handler blocks. Therefore our code says that it is *inside*, with two plain stores.
//!
//! **Invariant.** While the M is inside, its own thread alone touches the M's P, what it has lent, and the word of its
//! goroutine. While it is outside, and the way is Taking, sysmon alone does. Of the two fences one comes first: either
//! sysmon sees the M inside, or the M sees Taking and waits. What sysmon has written is released by the way that it leaves.
//!
//! **The danger** is an M inside that changes its way while sysmon asks: it enters a declared call, say, and goes outside.
//! That store takes sysmon's mark away. Whoever sees the M outside sees the store, too, so sysmon looks at both.
//!
//! Go stops a goroutine that computes by a signal, and its system calls are declared by its own library; so it needs no
//! such thing (`retake`, proc.go, Go 1.27).

use crate::ground::sync::{AtomicBool, AtomicU32, light_fence, thread};
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
    /// It holds none: sysmon has taken it.
    Taken = 3,
    /// sysmon looks whether it may take the P.
    Taking = 4,
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
        // ORDER: door. Acquire pairs with `end_taking`: what sysmon has done is seen.
        let mut way = self.way.load(Ordering::Acquire);
        if way == Way::Taking as u32 {
            way = self.wait_for_taker();
        }
        Hold { door: self, was_inside, way }
    }

    /// sysmon is about to take the P, or to find that it may not: some microseconds.
    #[cold]
    #[inline(never)]
    fn wait_for_taker(&self) -> u32 {
        loop {
            // ORDER: door. As in `hold`.
            let way = self.way.load(Ordering::Acquire);
            if way != Way::Taking as u32 {
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

    /// Whether the M holds a P, asked by its own thread, inside. A mark of sysmon's that is met inside came too late:
    /// sysmon sees the M inside, and takes nothing. To take it for "no P" would put the M to sleep with its P in hand.
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

    /// By sysmon: begins to take the P. `false`: there is none to be taken.
    pub(crate) fn begin_taking(&self) -> bool {
        let (from, to) = (Way::Open as u32, Way::Taking as u32);
        self.way.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// By sysmon, after [`Door::begin_taking`] and a heavy fence: whether the goroutine's own code runs, so that whoever
    /// comes in waits for [`Door::end_taking`].
    pub(crate) fn may_take(&self) -> bool {
        // ORDER: outside. Acquire pairs with `go_out`.
        !self.inside.load(Ordering::Acquire) && self.way.load(Ordering::Relaxed) == Way::Taking as u32
    }

    /// By sysmon, after [`Door::may_take`]: the P is taken.
    pub(crate) fn end_taking(&self) {
        // ORDER: door. Release pairs with `hold`.
        self.way.store(Way::Taken as u32, Ordering::Release);
    }

    /// By sysmon, if it does not take the P: its mark goes, unless the M has overwritten it.
    pub(crate) fn give_up_taking(&self) {
        let (from, to) = (Way::Taking as u32, Way::Open as u32);
        let _ = self.way.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
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
