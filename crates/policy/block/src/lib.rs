//! `Block`: block-based work stealing, after BWoS.
//!
//! Wang, Chen, Fu, Oberhauser and others, "BWoS: Formally Verified Block-based Work Stealing for Parallel Processing"
//! (OSDI 2023), whose authors also tried it in Go's scheduler. [`Blocks`] says what is different here.
//!
//! | part | is | against Go |
//! | --- | --- | --- |
//! | local queue | [`Blocks`]: 8 blocks of 32 and `run_next` | a pop costs no locked instruction; thieves work in other blocks |
//! | shared queue | [`SharedFifo`] | the same |
//! | victims | [`Weighted`]: longer queues are likelier to come first | a thief that comes to a short queue has to revoke its block |
//! | idle rule | [`GoIdle`] | the same |
//! | constants | [`Rules::GO`] | the same, but timers wait behind half a ring |
//!
//! It suits programs that spawn and ready many goroutines on each P and steal few. It loses to Go's queue where
//! queues are short and thieves always come: revoking a block costs a system call and interrupts the other CPUs of
//! the process.

#![forbid(unsafe_code)]

use gmp_core::contract::{Policy, Rules, Token};
use gmp_core::idle::GoIdle;
use gmp_core::queue::{Blocks, SharedFifo, Weighted};

/// The policy with block-based queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(alias = "BWoS")]
pub struct Block;

impl Policy for Block {
    const NAME: &'static str = "block";

    /// Go's constants, so that a comparison with `go` shows the difference of the queues. They fit: 128 from the
    /// shared queue are half of what the blocks hold, and only the last of 4 rounds revokes blocks.
    const RULES: Rules = Rules { timers_wait_at: 128, ..Rules::GO };

    type Queue<T: Token> = Blocks<T>;
    type Shared<T: Token> = SharedFifo<T>;
    type Idle = GoIdle;
    type Order = Weighted;
}
