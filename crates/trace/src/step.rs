//! Steps: what happened, in an order in which each of them was possible. `story.rs` makes them of recorded events.

use gmp_core::WaitReason;
use std::sync::Arc;

/// An M by its number, or one of those below.
pub(crate) type Mid = u64;

/// Threads that are no M: plain ones, and sysmon.
pub(crate) const OUTSIDE: Mid = 1 << 32;
/// Ms that were made up, since nothing was recorded of the true ones; the P's number is added.
pub(crate) const MADE_UP: Mid = 2 << 32;

/// What a goroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GState {
    Runnable,
    Running(Mid),
    Waiting,
    /// In a blocking call on this M.
    Syscall(Mid),
}

/// What a P does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PState {
    Idle,
    Running(Mid),
    /// Lent out for a blocking call on this M.
    Syscall(Mid),
}

/// What is known of a goroutine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    /// The function that it runs.
    pub(crate) function: Arc<str>,
    /// The file in which it was spawned.
    pub(crate) file: Arc<str>,
    /// The line.
    pub(crate) line: u32,
    /// Its name; empty if it was given none.
    pub(crate) name: Arc<str>,
}

/// A step, on an M.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// In nanoseconds, never before the step before.
    pub(crate) time: u64,
    pub(crate) m: Mid,
    pub(crate) act: Act,
}

/// What the M did. Unless it says otherwise the M holds the P, and runs the goroutine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// A goroutine that is first seen here is in this state.
    GoIs(u64, GState),
    /// The same of a P.
    ProcIs(u32, PState),
    ProcStart(u32),
    ProcStop(u32),
    /// The P was taken from a blocking call, by whomever.
    ProcSteal(u32),
    /// The M holds a P, and runs the spawner or nobody.
    GoCreate(u64),
    GoStart {
        g: u64,
        /// Whether it was run next in the same time slice.
        next: bool,
    },
    GoDestroy(u64),
    GoStop {
        g: u64,
        preempted: bool,
    },
    GoBlock(u64, WaitReason),
    /// By whomever.
    GoUnblock(u64),
    GoSyscallBegin(u64),
    GoSyscallEnd(u64),
    /// The M has lost its P, and the goroutine leaves it.
    GoSyscallEndBlocked(u64),
    ProcsChange(u64),
    /// The goroutine that the M runs stops the world.
    StwBegin(u64),
    StwEnd(u64),
    /// The M, which holds the P, took so many goroutines from another one.
    Steal {
        p: u32,
        victim: u32,
        amount: u32,
    },
    FromShared {
        p: u32,
        amount: u64,
    },
    /// The P was handed on, by whomever.
    HandOff(u32),
    /// The P was given to an M that slept.
    Wake {
        p: u32,
        woken: Mid,
    },
    /// How long a P's queue is, and the shared one.
    Queues {
        p: u32,
        own: u32,
        shared: u32,
        /// Since when the P's was how long up to now, if that is known.
        before: Option<(u64, u32)>,
    },
    /// The kernel has taken the M's thread off its CPU: for others, or because it sleeps.
    #[cfg(feature = "kernel-switches")]
    OffCpu {
        preempted: bool,
    },
    /// The M's thread runs again.
    #[cfg(feature = "kernel-switches")]
    OnCpu,
    /// A region begins in a goroutine, whatever that does: it may be in a blocking call.
    RegionBegin(u64, Arc<str>),
    /// The innermost region ends, which has this name.
    RegionEnd(u64, Arc<str>),
    Log(u64, Arc<str>, Arc<str>),
}
