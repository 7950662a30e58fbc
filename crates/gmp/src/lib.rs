//! Goroutines for Rust: Go's G-M-P scheduler as a library, with policies you can choose and compare.
//!
//! ```
//! #[gmp::main]
//! fn main() {
//!     let answer = gmp::go(|| 6 * 7).join().unwrap();
//!     assert_eq!(answer, 42);
//! }
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | run a program | [`main`](macro@main), [`run()`], or [`Builder`] and [`Runtime::run`] |
//! | start goroutines | [`go`], [`try_go`], [`go_pinned`], [`spawn()`] for a name, labels or a stack size, [`Handle::go`] from plain threads |
//! | borrow from the caller | [`scope()`], [`join`] |
//! | keep something for each goroutine | [`g_local!`] |
//! | wait | [`JoinHandle::join`], [`park`] and [`Unparker`], [`sleep`], [`yield_now`] |
//! | stop others in time | [`context::Context`] |
//! | talk to other machines | [`net`]: sockets with std's names |
//! | use the system | [`fs`], [`process`], [`signal`] |
//! | await a future, or be awaited | [`block_on`], [`future`] |
//! | block | [`blocking`] around calls that sit in the operating system |
//! | use mimalloc, jemalloc or their like | [`alloc::PerThread`] |
//! | look | [`dump()`], [`trace`](mod@trace), [`metrics`], [`current`], [`stats`], [`num_goroutines`] |
//! | choose a scheduler | [`Builder::policy`] with [`policy::Go`], [`policy::Random`], [`policy::WithIdle`] or your own [`contract::Policy`] |
//!
//! # Suspends
//!
//! Functions whose documentation says **Suspends** may give the CPU to another goroutine and, unless the goroutine is
//! pinned or locked, come back on another OS thread. No other function does, and no destructor does.
//!
//! A goroutine gives way when it has run for 10 ms: at its next call of this crate. A function that suspends does so then
//! though it need not wait. One that never suspends keeps the goroutine on its thread, but the P is lent out as in
//! [`blocking`], until the next call that suspends: others run beside it.
//!
//! # Thread-locals
//!
//! A goroutine that moves between threads would break what Rust takes for granted about `thread_local!`. So unless told
//! otherwise each goroutine has thread-locals of its own, which it takes along. The builder knows other modes:
//!
//! | mode | is | for the price of |
//! | --- | --- | --- |
//! | [`Builder::own_thread_locals`], the default | safe | some 15 ns for each switch and 5 KB for each goroutine |
//! | [`Builder::one_thread_each`] | safe | an OS thread for each goroutine: slow |
//! | [`Builder::pinned`] | `unsafe`, a short promise | a started goroutine stays on its thread |
//! | [`Builder::share_thread_locals`] | `unsafe`, the full promise | nothing: this is the fast one |
//!
//! # Features
//!
//! `dump` is on by default: [`dump()`], [`Builder::dump_on`], and stacks in the report of a deadlock. Without it
//! (`default-features = false`) a program is built without the crates that read unwind tables and symbols. `net`, on
//! by default, adds [`net`]; `trace`, on by default, adds [`trace`](mod@trace), and `tracing` puts spans of that crate into
//! traces; `futures-io`, `tokio` and `hyper` give
//! its streams the traits of those crates, and `hyper` adds an executor and a timer. `os`, on by default, adds [`fs`],
//! [`process`] and [`signal`]. All but these and `suite` choose the [`DefaultPolicy`], and nothing else changes with
//! them. `randomize-scheduler` (also called `policy-random`), `policy-block`, `policy-lifo` and `policy-global` make it
//! [`policy::Random`], [`policy::Block`], [`policy::Lifo`] or [`policy::Global`], and if several are on the first of
//! these counts; `idle-eager` and `idle-frugal` give it the idle rule [`policy::Eager`] or [`policy::Frugal`], and if
//! both are on the first counts. `suite` adds the tests that judge a policy: `gmp::suite` and `gmp::policy_conformance!`.

#[cfg(feature = "dump")]
mod answers;
mod builder;
mod debug;
mod default_policy;
#[cfg(feature = "dump")]
mod dump;
mod environment;
mod error;
pub mod future;
mod goroutine;
#[cfg(feature = "hyper")]
pub mod hyper;
mod leaks;
mod make;
pub mod metrics;
#[cfg(feature = "profile")]
pub mod profile;
mod run;
mod runtime;
mod spawn;
#[cfg(feature = "trace")]
pub mod trace;

pub use builder::{Builder, Retention};
pub use default_policy::DefaultPolicy;
#[cfg(feature = "dump")]
pub use dump::{Dump, Frame, Group, Object, Sight, State, dump};
pub use error::{BuildError, SpawnError};
#[doc(inline)]
pub use gmp_core::Overrun;
#[doc(inline)]
pub use gmp_core::event;
#[doc(inline)]
pub use gmp_core::goroutine::{Current, ThreadLock, Unparker};
#[doc(inline)]
pub use gmp_core::local::{AccessError, LocalKey};
#[doc(inline)]
pub use gmp_core::scope::{Scope, ScopedJoinHandle, join, scope};
#[doc(inline)]
pub use gmp_core::settings::{AtMainReturn, DeadlockRule};
#[doc(inline)]
pub use gmp_core::stats::{BlockingSite, Stats};
#[doc(inline)]
pub use gmp_core::{
    Ancestor, DeadlockReport, Finished, JoinError, JoinHandle, Leftover, Payload, RunError, WaitReason,
    WaitingGoroutine, Wake, blocking, g_local,
};
/// Makes the body of `main` the main goroutine of a runtime as [`Builder::new`] makes it: [`run()`] around it.
///
/// What the function returns goes from the goroutine to the thread, so it must be `Send`: `Box<dyn Error + Send + Sync>`
/// rather than `Box<dyn Error>`.
///
/// ```
/// #[gmp::main]
/// fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     let answer: u32 = gmp::go(|| "42".parse()).join().unwrap()?;
///     assert_eq!(answer, 42);
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// #[gmp::main]
/// async fn main() {}
/// ```
#[doc(inline)]
pub use gmp_macros::main;
/// Makes a test whose body is the main goroutine of a runtime as [`Builder::new`] makes it: [`run()`] around it.
///
/// ```
/// #[gmp::test]
/// fn goroutines_answer() {
///     assert_eq!(gmp::go(|| 6 * 7).join().unwrap(), 42);
/// }
/// ```
#[doc(inline)]
pub use gmp_macros::test;
#[doc(inline)]
pub use gmp_sync::channel::{Receiver, Sender, chan, never};
#[doc(inline)]
pub use gmp_sync::future::block_on;
#[doc(inline)]
pub use gmp_sync::select::{Select, SelectedOperation, block_forever};
#[doc(inline)]
pub use gmp_sync::{channel, context, select, sync};
pub use goroutine::{
    checkpoint, current, exit, go, go_pinned, lock_os_thread, max_procs, num_goroutines, on_system_stack,
    park, park_timeout, set_max_procs, sleep, stats, try_go, yield_now,
};
pub use run::run;
pub use runtime::{Handle, Runtime};
pub use spawn::{Spawn, spawn};

/// Sockets for goroutines and plain threads. With the feature `net`, which is on by default.
#[cfg(feature = "net")]
pub mod net {
    #[doc(inline)]
    pub use gmp_net::*;
}

#[cfg(feature = "os")]
#[doc(inline)]
pub use gmp_os::{fs, io, process, signal};

/// Sleeping, timers and tickers; see the table in [`gmp_sync::time`].
pub mod time {
    #[doc(inline)]
    pub use crate::sleep;
    #[doc(inline)]
    pub use gmp_sync::time::*;
}

/// What tests check in addition to their own subject; the attribute [`test`](macro@test) is another item of this name.
pub mod test {
    #[doc(inline)]
    pub use crate::leaks::leak_check;
}

/// For allocators that keep a cache for each thread.
pub mod alloc {
    #[doc(inline)]
    pub use gmp_arch_amd64::PerThread;
}

/// What a policy, or a tool beside the scheduler, is written against.
pub mod contract {
    #[doc(inline)]
    pub use gmp_core::contract::*;
    #[doc(inline)]
    pub use gmp_core::queue;
}

/// The suites that judge a policy; `policy_conformance!` runs them all. With the feature `suite`.
#[cfg(feature = "suite")]
#[doc(inline)]
pub use gmp_core::suite;

#[cfg(feature = "suite")]
#[doc(inline)]
pub use gmp_core::{idle_policy_conformance, policy_conformance};

/// The policies that come with this crate.
pub mod policy {
    #[doc(inline)]
    pub use gmp_core::contract::{WithIdle, WithOrder};
    #[doc(inline)]
    pub use gmp_policy_block::Block;
    #[doc(inline)]
    pub use gmp_policy_global::Global;
    #[doc(inline)]
    pub use gmp_policy_go::{Go, GoIdle};
    #[doc(inline)]
    pub use gmp_policy_idle::{Eager, Frugal};
    #[doc(inline)]
    pub use gmp_policy_lifo::Lifo;
    #[doc(inline)]
    pub use gmp_policy_random::{Random, Shuffled};
    #[doc(inline)]
    pub use gmp_policy_topology::Topology;
}

/// The programs in the texts beside the code; they compile and run as tests.
#[cfg(doctest)]
mod texts {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/policies.md")]
    struct Policies;
    #[doc = include_str!("../../../docs/thread-locals.md")]
    struct ThreadLocals;
    #[cfg(feature = "os")]
    #[doc = include_str!("../../../docs/servers.md")]
    struct Servers;
    #[doc = include_str!("../../../docs/coming-from-go.md")]
    struct ComingFromGo;
    #[doc = include_str!("../../../docs/coming-from-tokio-or-crossbeam.md")]
    struct ComingFromTokioOrCrossbeam;
}
