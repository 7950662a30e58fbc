//! Contention: what a profile of waits, or of locks that are held up, is told. Off until somebody asks for it.
//!
//! Whoever is about to wait, or lets go of a lock that others wait for, loads a rate (relaxed, and nowhere but there, on
//! the slow path). If that is not 0, and a draw says so, the one who keeps the profile is called: on the stack of the
//! goroutine, or thread, that has waited or lets go, with no lock held, so it can see the stack of its caller.
//!
//! The rules of the draw are Go's (`blocksampled`, `blockevent`, `mutexevent` in runtime/mprof.go, Go 1.27): a wait that is
//! at least as long as the block rate is always told, a shorter one with the chance of its length to the rate; an unlock
//! that somebody waited for is told once in as many times as the fraction says.

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::OnceLock;
use std::time::Duration;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contention {
    /// The caller has waited for so long.
    Waited(Duration),
    /// The caller lets go of a lock that others wait for: how long all of them have waited.
    HeldUp(Duration),
}

/// Who keeps the profile: gets what happened, and the rate at which it was drawn. It neither suspends nor unwinds.
pub type Observer = fn(Contention, u64);

static BLOCK: AtomicU64 = AtomicU64::new(0);
static MUTEX: AtomicU64 = AtomicU64::new(0);
static OBSERVER: OnceLock<Observer> = OnceLock::new();

/// From now on one wait is told for each `rate` nanoseconds that are waited, on average; 0: none.
pub fn set_block_rate(observer: Observer, rate: u64) {
    OBSERVER.get_or_init(|| observer);
    BLOCK.store(rate, Relaxed);
}

/// From now on one of so many unlocks is told for which others wait; 0: none. Returns what it was before.
pub fn set_mutex_fraction(observer: Observer, fraction: u64) -> u64 {
    OBSERVER.get_or_init(|| observer);
    MUTEX.swap(fraction, Relaxed)
}

/// One of how many unlocks is told.
pub fn mutex_fraction() -> u64 {
    MUTEX.load(Relaxed)
}

/// Whether waits are told.
#[inline(always)]
pub fn waits_are_told() -> bool {
    BLOCK.load(Relaxed) != 0
}

/// Tells that the caller has waited, if the draw says so.
#[cold]
pub fn waited(time: Duration) {
    let (rate, nanos) = (BLOCK.load(Relaxed), crate::ground::clock::nanos(time));
    if rate != 0 && (rate <= nanos || random() % rate <= nanos) {
        tell(Contention::Waited(time), rate);
    }
}

/// Whether an unlock is to be told for which others wait: its draw, to be passed on.
#[inline(always)]
pub fn draws_unlock() -> Option<u64> {
    let fraction = MUTEX.load(Relaxed);
    if fraction == 0 { None } else { drawn(fraction) }
}

#[cold]
fn drawn(fraction: u64) -> Option<u64> {
    random().is_multiple_of(fraction).then_some(fraction)
}

/// Tells of an unlock that was drawn, for how long all have waited who wait for it.
#[cold]
pub fn held_up(time: Duration, fraction: u64) {
    if !time.is_zero() {
        tell(Contention::HeldUp(time), fraction);
    }
}

fn tell(what: Contention, rate: u64) {
    if let Some(observer) = OBSERVER.get() {
        observer(what, rate);
    }
}

/// Splitmix64: one sequence for all threads.
fn random() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    static STATE: AtomicU64 = AtomicU64::new(STEP);
    let mut mixed = STATE.fetch_add(STEP, Relaxed);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
