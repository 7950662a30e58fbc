//! `Lifo`: last in, first out, without a slot for the next goroutine. It is the baseline of work stealing.
//!
//! It does what Cilk-5 (Frigo, Leiserson, Randall, PLDI 1998), rayon and most papers since Blumofe and Leiserson
//! (1999) do. The owner takes the youngest goroutine, which is warm in its cache, and which keeps the memory of a
//! fork-join program small; thieves take the oldest, one at a time, which in such a program stands for the most work.
//! The deque is crossbeam's, after Chase and Lev (SPAA 2005) with the orderings of Le and others (PPoPP 2013).
//!
//! As in those systems, the queue has no bound and never spills. So the oldest goroutine of a long queue waits until
//! thieves come or the owner has nothing younger. That is not fair, and this baseline shows it: beside goroutines
//! that ready each other endlessly on every P, the oldest waits for ever. The shared queue has its tick as in Go. A
//! push may need memory; if there is none, it aborts the process.

#![forbid(unsafe_code)]

mod queue;

pub use queue::{LifoQueue, LifoThief};

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Coprime, SharedFifo};

/// The policy with last in, first out queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifo;

impl Policy for Lifo {
    const NAME: &'static str = "lifo";

    /// Go's constants, so that a comparison with `go` shows the difference of the order.
    const RULES: Rules = Rules { timers_wait_at: 128, ..Rules::GO };

    type Queue<T: Token> = LifoQueue<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Coprime;
}
