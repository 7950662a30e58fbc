//! `Probe` and `Ledger`: the tokens that suites, fuzzers, models and benches put into queues.

use crate::contract::{Link, Token};
use crate::ground::sync::UnsafeCell;
use core::ptr::NonNull;
// The bookkeeping is no part of what a model explores, so it uses std's atomics on purpose, under loom too.
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};

const FRESH: u8 = 0;
const OUT: u8 = 1;
const CONSUMED: u8 = 2;
const DROPPED: u8 = 3;

/// A numbered token. It is to be consumed exactly once; its [`Ledger`] knows if that went wrong.
///
/// It carries a plain number that the minter writes and the consumer rewrites, so that Miri, ThreadSanitizer and loom
/// report a queue that hands tokens over without ordering what they point to.
#[derive(Debug)]
pub struct Probe {
    body: NonNull<Body>,
}

#[derive(Debug)]
#[repr(C, align(8))]
struct Body {
    link: Link,
    state: AtomicU8,
    number: u64,
    payload: UnsafeCell<u64>,
    counts: NonNull<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    minted: AtomicUsize,
    consumed: AtomicUsize,
    dropped: AtomicUsize,
}

/// Mints probes and checks what became of them. Bodies stay allocated until the ledger goes, so a probe that comes out
/// of a queue twice is a message, not a use after free.
#[derive(Debug)]
pub struct Ledger {
    bodies: NonNull<[Body]>,
    counts: NonNull<Counts>,
}

// SAFETY: a probe is the one right to use its body's link and payload (T1); `state` and the counts are atomic.
unsafe impl Send for Probe {}
// SAFETY: shared references reach the number, which never changes, and atomics.
unsafe impl Sync for Probe {}
// SAFETY: all that a ledger changes after its making is atomic; a body is handed out once, by a unique number.
unsafe impl Send for Ledger {}
// SAFETY: as above.
unsafe impl Sync for Ledger {}

// SAFETY: T1: `into_raw` forgets the probe and `from_raw` makes it anew from the same address. T2: bodies outlive all
// probes, since the ledger leaks them otherwise. T3: `Body` is 8-aligned and starts with its link.
unsafe impl Token for Probe {
    fn number(&self) -> u64 {
        self.body().number
    }

    #[inline]
    fn into_raw(self) -> NonNull<Link> {
        core::mem::ManuallyDrop::new(self).body.cast()
    }

    #[inline]
    unsafe fn from_raw(raw: NonNull<Link>) -> Self {
        Self { body: raw.cast() }
    }
}

impl Probe {
    fn body(&self) -> &Body {
        // SAFETY: bodies live as long as any probe (see `Ledger::drop`), and are reached through shared references.
        unsafe { self.body.as_ref() }
    }

    /// Ends the probe, and returns its number. Panics if it has been ended before.
    pub fn consume(self) -> u64 {
        let number = self.end(CONSUMED);
        core::mem::forget(self);
        number
    }

    fn end(&self, state: u8) -> u64 {
        let body = self.body();
        let before = body.state.swap(state, SeqCst);
        assert!(before == OUT, "probe {} came out of a queue twice (Q1)", body.number);
        body.payload.with_mut(|payload| {
            // SAFETY: the probe is the one right to its payload.
            let payload = unsafe { &mut *payload };
            assert_eq!(*payload, body.number, "a probe's content was not handed over with it (Q1)");
            *payload = !body.number;
        });
        // SAFETY: the counts live as long as the bodies.
        let counts = unsafe { body.counts.as_ref() };
        let count = if state == CONSUMED { &counts.consumed } else { &counts.dropped };
        let number = body.number;
        // This comes last: once the counts add up, the ledger may free the body.
        count.fetch_add(1, SeqCst);
        number
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // While a failed test unwinds, further complaints would only abort it before its message is read.
        if !std::thread::panicking() {
            self.end(DROPPED);
        }
    }
}

impl Ledger {
    /// A ledger that can mint `capacity` probes.
    pub fn new(capacity: usize) -> Self {
        let counts = NonNull::from(Box::leak(Box::<Counts>::default()));
        let body = |number: u64| Body {
            link: Link::new(),
            state: AtomicU8::new(FRESH),
            number,
            payload: UnsafeCell::new(0),
            counts,
        };
        let bodies: Box<[Body]> = (0..capacity as u64).map(body).collect();
        Self { bodies: NonNull::from(Box::leak(bodies)), counts }
    }

    fn counts(&self) -> &Counts {
        // SAFETY: freed in `drop` only.
        unsafe { self.counts.as_ref() }
    }

    /// A new probe; numbers count up from 0. Panics beyond the capacity.
    pub fn mint(&self) -> Probe {
        let number = self.counts().minted.fetch_add(1, SeqCst);
        assert!(number < self.bodies.len(), "the ledger has room for {} probes", self.bodies.len());
        // SAFETY: `number` is inside the slab.
        let body = unsafe { self.bodies.cast::<Body>().add(number) };
        let probe = Probe { body };
        // SAFETY: this number is given out once, so the probe is alone with its payload.
        probe.body().payload.with_mut(|payload| unsafe { *payload = number as u64 });
        probe.body().state.store(OUT, SeqCst);
        probe
    }

    /// Whether this probe is one of this ledger's.
    pub fn has_minted(&self, probe: &Probe) -> bool {
        probe.body().counts == self.counts
    }

    /// How many probes have been minted.
    pub fn minted(&self) -> usize {
        self.counts().minted.load(SeqCst).min(self.bodies.len())
    }

    /// How many probes have been consumed.
    pub fn consumed(&self) -> usize {
        self.counts().consumed.load(SeqCst)
    }

    /// How many probes somebody has dropped instead.
    pub fn dropped(&self) -> usize {
        self.counts().dropped.load(SeqCst)
    }

    /// Closes the ledger: panics unless each minted probe has been consumed, and names those that were not.
    pub fn settle(self) {
        if self.consumed() == self.minted() {
            return;
        }
        // SAFETY: the slab lives until `drop`, and bodies are only reached through shared references.
        let bodies = unsafe { self.bodies.as_ref() };
        let with = |state: u8| -> Vec<u64> {
            bodies
                .iter()
                .filter(|body| body.state.load(SeqCst) == state)
                .map(|body| body.number)
                .take(20)
                .collect()
        };
        panic!("lost probes: {:?}, dropped ones: {:?} at most 20 shown (Q1)", with(OUT), with(DROPPED));
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.consumed() + self.dropped() != self.minted() {
            // Some probe is still somewhere and points here. Leaking is sound; the test has failed or will.
            return;
        }
        // SAFETY: the pointer came from `Box::leak`, and no probe is left to use it.
        drop(unsafe { Box::from_raw(self.bodies.as_ptr()) });
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(self.counts.as_ptr()) });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_settled_ledger_is_quiet() {
        let ledger = Ledger::new(2);
        assert_eq!([ledger.mint().consume(), ledger.mint().consume()], [0, 1]);
        ledger.settle();
    }

    #[test]
    #[should_panic(expected = "lost probes: [], dropped ones: [1]")]
    fn a_dropped_probe_is_named() {
        let ledger = Ledger::new(2);
        ledger.mint().consume();
        drop(ledger.mint());
        ledger.settle();
    }

    #[test]
    #[should_panic(expected = "probe 0 came out of a queue twice")]
    fn a_doubled_probe_is_named() {
        let ledger = Ledger::new(1);
        let raw = ledger.mint().into_raw();
        // SAFETY: the first is T1's; the second breaks T1 on purpose, and the ledger keeps the body alive meanwhile.
        let (one, two) = unsafe { (Probe::from_raw(raw), Probe::from_raw(raw)) };
        one.consume();
        let two = core::mem::ManuallyDrop::new(two);
        two.end(CONSUMED);
    }
}
