//! The order in which an M that holds a P looks for its next goroutine, apart from what it looks into.
//!
//! The scheduler (`g0/find.rs`, `g0/steal.rs`) looks into its queues in this order, and the simulator (`crates/sim`) into
//! those of its virtual Ps: one code, so that what is simulated is what runs.
//!
//! Go: `findRunnable` and `stealWork` (proc.go, Go 1.27).

use crate::contract::{Popped, Rules, Steal, StealRound, Token};
use std::time::Duration;

/// How long a policy may keep a thief waiting with its P in hand, at most. Go's own back-off is 3 us.
const LONGEST_BACK_OFF: Duration = Duration::from_millis(1);

/// What an M that holds a P looks into. Each method that takes something gives `None` if there is nothing.
pub trait Sources {
    /// The kind of thing that is looked for: goroutines, or what stands for them in the simulator.
    type Token: Token;
    /// The policy's numbers.
    const RULES: Rules;

    /// Runs those of the own P's timers that are due.
    fn run_own_timers(&self);
    /// How many time slices the own P has begun.
    fn tick(&self) -> u32;
    /// Whether nothing is in the shared queue: one cheap look.
    fn shared_is_empty(&self) -> bool;
    /// Takes one out of the shared queue, because its turn has come.
    fn take_shared_by_tick(&self) -> Option<Popped<Self::Token>>;
    /// Takes what is this M's or its P's own. While pinned goroutines are this M's own, the shared queue has its turn
    /// here as well.
    fn take_own(&self) -> Option<Popped<Self::Token>>;
    /// Takes a share of the shared queue: one to run, the others into the own queue.
    fn take_shared(&self) -> Option<Popped<Self::Token>>;
    /// Takes a goroutine that the poller has made runnable.
    fn look_outside(&self) -> Option<Popped<Self::Token>> {
        None
    }
    /// Takes from others, if this M may spin.
    fn steal(&self) -> Option<Popped<Self::Token>>;
    /// Gives the P up, unless something turns up on the way. `None`: start over.
    fn go_idle(&self) -> Option<Popped<Self::Token>>;
}

/// Looks into every source, in order. `None`: start over, with a P or without.
#[doc(alias = "findRunnable")]
#[inline(always)]
pub fn look_everywhere<S: Sources>(sources: &S) -> Option<Popped<S::Token>> {
    sources.run_own_timers();
    // Once in this many slices the shared queue comes first, so that local work cannot starve it.
    if sources.tick().is_multiple_of(S::RULES.shared_tick)
        && !sources.shared_is_empty()
        && let Some(popped) = sources.take_shared_by_tick()
    {
        return Some(popped);
    }
    if let Some(popped) = sources.take_own() {
        return Some(popped);
    }
    if !sources.shared_is_empty()
        && let Some(popped) = sources.take_shared()
    {
        return Some(popped);
    }
    sources.look_outside().or_else(|| sources.steal()).or_else(|| sources.go_idle())
}

/// The Ps as a thief sees them: an M that holds a P with an empty queue.
pub trait Victims {
    /// What is stolen.
    type Token: Token;
    /// A walk over the Ps, in the policy's order.
    type Walk<'a>
    where
        Self: 'a;

    /// How many Ps there are.
    fn procs(&self) -> usize;
    /// Begins a walk.
    fn walk(&self) -> Self::Walk<'_>;
    /// The next P of a walk; `None`: the walk is over.
    fn step<'a>(&'a self, walk: &mut Self::Walk<'a>) -> Option<usize>;
    /// Whether something keeps the thief from looking on.
    fn is_called_away(&self) -> bool;
    /// Whether `p` is there and another P than the thief's.
    fn is_other(&self, p: usize) -> bool;
    /// Whether `p` is idle, so that its queue is empty.
    fn is_idle(&self, p: usize) -> bool;
    /// Whether the holder of `p` runs a goroutine.
    fn runs(&self, p: usize) -> bool;
    /// Runs those timers of `p` that are due, and takes a goroutine that they readied.
    fn take_by_timers(&self, p: usize) -> Option<Popped<Self::Token>>;
    /// One look into the queue of `p`.
    fn steal_from(&self, p: usize, look: StealRound) -> Steal<Self::Token>;
    /// Waits, with the P in hand.
    fn back_off(&self, pause: Duration);
}

/// Walks over the Ps `rounds` times, and takes the first goroutine that can be had.
#[doc(alias = "stealWork")]
#[inline(always)]
pub fn steal_rounds<V: Victims>(victims: &V, rounds: u32) -> Option<Popped<V::Token>> {
    for round in 1..=rounds {
        let last = round == rounds;
        let mut walk = victims.walk();
        // A walk that breaks V1 costs time, but ends.
        for _ in 0..victims.procs() {
            let Some(at) = victims.step(&mut walk) else { break };
            if victims.is_called_away() {
                return None;
            }
            if !victims.is_other(at) {
                continue;
            }
            let popped = if last { victims.take_by_timers(at) } else { None };
            if let Some(popped) = popped.or_else(|| look_into(victims, at, last)) {
                return Some(popped);
            }
        }
    }
    None
}

#[inline(always)]
fn look_into<V: Victims>(victims: &V, at: usize, last: bool) -> Option<Popped<V::Token>> {
    if victims.is_idle(at) {
        return None;
    }
    let mut look = StealRound { last, victim_runs: false, backed_off: false };
    loop {
        look.victim_runs = victims.runs(at);
        match victims.steal_from(at, look) {
            Steal::Taken(token) => return Some(Popped { token, inherits: false }),
            Steal::BackOff(pause) if !look.backed_off => {
                victims.back_off(pause.min(LONGEST_BACK_OFF));
                look.backed_off = true;
            }
            Steal::Retry | Steal::BackOff(_) | Steal::Empty => return None,
        }
    }
}
