//! `Lifo`: last in, first out, without a slot for the next one. The baseline of work stealing.
//!
//! What Cilk-5 (Frigo, Leiserson, Randall, PLDI 1998), rayon and most papers since Blumofe and Leiserson (1999) do: the
//! owner takes the youngest, which is warm in its cache and keeps the memory of a fork-join program small; thieves take
//! the oldest, one at a time, which in such a program stands for the most work. The deque is crossbeam's, after Chase and
//! Lev (SPAA 2005) with the orderings of Le and others (PPoPP 2013).
//!
//! It has no bound and never spills, as in those systems. So the oldest of a long queue waits until thieves come, or the
//! owner has nothing younger: not fair, which is what this baseline shows. Beside goroutines that ready each other without
//! an end on every P, it waits for ever. The shared queue has its tick as in Go. And a push may need memory: without any,
//! it aborts the process.

#![forbid(unsafe_code)]

mod queue;

pub use queue::{LifoQueue, LifoThief};

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Coprime, SharedFifo};

/// The policy of last in, first out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifo;

impl Policy for Lifo {
    const NAME: &'static str = "lifo";

    /// Go's numbers, so that a comparison with `go` shows the order.
    const RULES: Rules = Rules { timers_wait_at: 128, ..Rules::GO };

    type Queue<T: Token> = LifoQueue<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Coprime;
}
