//! Errors of building and spawning.

use core::fmt;
use thiserror::Error;

/// Why there is no runtime.
///
/// Its `Debug` is its text, so that an `unwrap` says what to do.
#[derive(Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Goroutines cannot have thread-locals of their own on this system.
    #[error(
        "Builder::own_thread_locals: not possible here: {0}; `one_thread_each()` is safe as well, and slower"
    )]
    OwnThreadLocals(gmp_arch_amd64::Missing),
    /// The environment's `GOMAXPROCS` is no number of Ps.
    #[error(transparent)]
    Gomaxprocs(#[from] gmp_core::procs::BadGomaxprocs),
    /// The environment's `GMP_SEED` is no seed.
    #[error(
        "the environment says GMP_SEED={0:?}, which is no seed: it must be a whole number from 0 to {max}; correct it or \
         unset it",
        max = u64::MAX
    )]
    Seed(std::ffi::OsString),
    /// The environment's `GMP_STACK_SIZE` is no size of a stack.
    #[error(
        "the environment says GMP_STACK_SIZE={0:?}, which is no size of a stack: it must be a number of bytes from \
         {least} to {most}, or of KiB or MiB as in 512K or 2M; correct it or unset it",
        least = gmp_stack::LEAST_SIZE,
        most = gmp_stack::MOST_SIZE
    )]
    StackSize(std::ffi::OsString),
    /// The environment's `GMP_DEBUG` has a word that means nothing.
    #[error(
        "the environment says {0:?} in GMP_DEBUG, which means nothing: it may have, between commas, dump (all goroutines \
         on SIGQUIT), leftovers (those that main leaves behind), schedtrace=MILLISECONDS (a line about the scheduler each \
         time) and scheddetail=1 (more lines){without}; correct it or unset it",
        without = if cfg!(feature = "dump") { "" } else { ", but not in a build of gmp without its feature `dump`" }
    )]
    Debug(String),
    /// The file that the environment's `GMP_TRACE` names cannot be written.
    #[error(
        "the environment says GMP_TRACE={0:?}, and that file cannot be written: {1}; correct it or unset it"
    )]
    Trace(std::ffi::OsString, std::io::Error),
    /// A number is out of range.
    #[error("Builder::{setting}({value}): allowed are {least} to {most}")]
    OutOfRange {
        /// The builder's method.
        setting: &'static str,
        /// What it was given.
        value: usize,
        /// The least allowed.
        least: usize,
        /// The most allowed.
        most: usize,
    },
    /// The guard or the retention makes no sense.
    #[error("Builder::guard_size: {0}")]
    Guard(gmp_stack::ConfigError),
    /// The thread name has a zero byte.
    #[error("Builder::thread_name({0:?}): a thread's name cannot have a zero byte in it")]
    ThreadName(String),
    /// The operating system refused the thread on which [`Builder::build`](crate::Builder::build) checks the machine, or
    /// memory for it. It may grant it the next time.
    #[error("the operating system refused what a check of the machine needs: {0}")]
    Refused(std::io::Error),
    /// The machine does not keep the current goroutine where we put it.
    #[error("the current-goroutine slot does not work on this system: {0}")]
    Slot(std::io::Error),
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a goroutine was not spawned; the closure comes back.
#[non_exhaustive]
pub enum SpawnError<F> {
    /// There is no memory for another goroutine's record (192 bytes).
    OutOfMemory(F),
    /// The runtime has closed.
    Closed(F),
    /// The runtime was dropped before it ran, or [`Runtime::run`](crate::Runtime::run) has failed.
    NeverRan(F),
}

impl<F> SpawnError<F> {
    /// The closure that was not spawned. Never suspends.
    pub fn into_inner(self) -> F {
        match self {
            Self::OutOfMemory(f) | Self::Closed(f) | Self::NeverRan(f) => f,
        }
    }
}

impl<F> fmt::Debug for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory(_) => "OutOfMemory(..)",
            Self::Closed(_) => "Closed(..)",
            Self::NeverRan(_) => "NeverRan(..)",
        })
    }
}

impl<F> fmt::Display for SpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfMemory(_) => "no memory for another goroutine's record of 192 bytes",
            Self::Closed(_) => "the runtime has closed, so a goroutine spawned now would never run",
            Self::NeverRan(_) => {
                "the runtime was dropped before it ran, or its run failed, so a goroutine spawned now would never run"
            }
        })
    }
}

impl<F> std::error::Error for SpawnError<F> {}
