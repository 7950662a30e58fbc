//! Goroutines for Rust: Go's G-M-P scheduler as a library, with policies you can choose and compare.
//!
//! ```
//! // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
//! let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
//! let answer = runtime.run(|| gmp::go(|| 6 * 7).join().unwrap()).unwrap().value;
//! assert_eq!(answer, 42);
//! ```
//!
//! | to | use |
//! | --- | --- |
//! | run a program | [`Builder`], [`Runtime::run`] |
//! | start goroutines | [`go`], [`try_go`], [`go_pinned`], [`spawn()`] for a name, labels or a stack size, [`Handle::go`] from plain threads |
//! | borrow from the caller | [`scope()`], [`join`] |
//! | keep something for each goroutine | [`g_local!`] |
//! | wait | [`JoinHandle::join`], [`park`] and [`Unparker`], [`sleep`], [`yield_now`] |
//! | stop others in time | [`context::Context`] |
//! | block | [`blocking`] around calls that sit in the operating system |
//! | look | [`current`], [`stats`], [`num_goroutines`] |
//! | choose a scheduler | [`Builder::policy`] with [`policy::Go`], [`policy::Random`], [`policy::WithIdle`] or your own [`contract::Policy`] |
//!
//! # Suspends
//!
//! Functions whose documentation says **Suspends** may give the CPU to another goroutine and, unless the goroutine is
//! pinned or locked, come back on another OS thread. No other function does, and no destructor does.
//!
//! # Thread-locals
//!
//! A goroutine that moves between threads breaks what Rust takes for granted about `thread_local!`. So the builder
//! asks, once, how goroutines and threads go together:
//!
//! | mode | is | for the price of |
//! | --- | --- | --- |
//! | [`Builder::one_thread_each`] | safe | an OS thread for each goroutine: slow |
//! | [`Builder::pinned`] | `unsafe`, a short promise | a started goroutine stays on its thread |
//! | [`Builder::share_thread_locals`] | `unsafe`, the full promise | nothing: this is the fast one |
//!
//! # Features
//!
//! All but `suite` choose the [`DefaultPolicy`], and nothing else changes with them. `randomize-scheduler` (also called
//! `policy-random`), `policy-block`, `policy-lifo` and `policy-global` make it [`policy::Random`], [`policy::Block`],
//! [`policy::Lifo`] or [`policy::Global`], and if several are on the first of these counts; `idle-eager` and
//! `idle-frugal` give it the idle rule [`policy::Eager`] or [`policy::Frugal`], and if both are on the first counts.
//! `suite` adds the tests that judge a policy: `gmp::suite` and `gmp::policy_conformance!`.

mod builder;
mod environment;
mod error;
mod goroutine;
mod make;
mod runtime;
mod spawn;

pub use builder::{Builder, Retention};
pub use error::{BuildError, SpawnError};
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     let fine = gmp::go(|| 7);
///     let broken = gmp::go(|| -> u32 { panic!("seven") });
///     assert_eq!(fine.join().unwrap(), 7);
///     match broken.join() {
///         Err(gmp::JoinError::Panicked(payload)) => assert_eq!(payload.text().as_deref(), Some("seven")),
///         other => panic!("{other:?}"),
///     }
/// }).unwrap();
/// ```
pub use gmp_core::JoinHandle;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::time::Duration;
///
/// runtime.run(|| {
///     gmp::set_max_procs(1);
///     let call = gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(20))));
///     // Goes on at once: the call has lent its P out.
///     gmp::go(|| ()).join().unwrap();
///     assert!(!call.is_finished());
///     call.join().unwrap();
/// }).unwrap();
/// ```
pub use gmp_core::blocking;
#[doc(inline)]
pub use gmp_core::event;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::cell::{Cell, RefCell};
///
/// gmp::g_local! {
///     /// Which request this goroutine serves.
///     static REQUEST: Cell<u32> = Cell::new(0);
///     static NOTES: RefCell<Vec<String>> = RefCell::new(Vec::new());
/// }
///
/// runtime.run(|| {
///     REQUEST.set(1);
///     gmp::go(|| {
///         assert_eq!(REQUEST.get(), 0);
///         REQUEST.set(2);
///         gmp::yield_now();
///         NOTES.with_borrow_mut(|notes| notes.push(format!("request {}", REQUEST.get())));
///         assert_eq!(NOTES.take(), ["request 2"]);
///     }).join().unwrap();
///     assert_eq!(REQUEST.get(), 1);
/// }).unwrap();
/// ```
pub use gmp_core::g_local;
pub use gmp_core::goroutine::{Current, ThreadLock, Unparker};
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::cell::Cell;
///
/// gmp::g_local! {
///     static FIRST: Cell<u32> = Cell::new(7);
///     static LAST: Guard = Guard;
/// }
///
/// struct Guard;
/// impl Drop for Guard {
///     fn drop(&mut self) {
///         // Made after `FIRST`, so dropped before it; but this very value is on its way out.
///         assert_eq!(FIRST.try_with(Cell::get), Ok(7));
///         assert!(LAST.try_with(|_| ()).is_err());
///     }
/// }
///
/// runtime.run(|| {
///     gmp::go(|| {
///         assert_eq!(FIRST.get(), 7);
///         LAST.with(|_| ());
///     }).join().unwrap();
/// }).unwrap();
/// ```
pub use gmp_core::local::AccessError;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// use std::cell::{Cell, RefCell};
///
/// gmp::g_local! {
///     static DEPTH: Cell<u32> = Cell::new(0);
///     static PATH: RefCell<Vec<&'static str>> = RefCell::new(vec!["root"]);
///     static ID: u64 = gmp::current().unwrap().number;
/// }
///
/// runtime.run(|| {
///     // Any type: `with` lends a shared reference. Each goroutine makes a value of its own.
///     let mine = ID.with(|id| *id);
///     assert_ne!(gmp::go(|| ID.with(|id| *id)).join().unwrap(), mine);
///
///     // A `Cell`:
///     DEPTH.set(1);
///     assert_eq!(DEPTH.replace(2), 1);
///     assert_eq!((DEPTH.take(), DEPTH.get()), (2, 0));
///
///     // A `RefCell`:
///     PATH.with_borrow_mut(|path| path.push("leaf"));
///     assert_eq!(PATH.with_borrow(|path| path.len()), 2);
///     assert_eq!(PATH.replace(vec!["other"]), ["root", "leaf"]);
///     assert_eq!(PATH.take(), ["other"]);
///     PATH.set(vec!["root"]);
/// }).unwrap();
/// ```
pub use gmp_core::local::LocalKey;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     let mut cells = [1, 2, 3, 4];
///     gmp::scope(|s| {
///         let (low, high) = cells.split_at_mut(2);
///         s.go(|| low.iter_mut().for_each(|cell| *cell *= 10));
///         // A goroutine of the scope may start others in it.
///         s.go(|| {
///             let (one, other) = high.split_at_mut(1);
///             s.go(|| one[0] *= 10);
///             other[0] *= 10;
///         });
///     });
///     assert_eq!(cells, [10, 20, 30, 40]);
/// }).unwrap();
/// ```
pub use gmp_core::scope::Scope;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     let text = String::from("seven");
///     gmp::scope(|s| {
///         let length = s.go(|| text.len());
///         let broken = s.go(|| -> u32 { text.parse().unwrap() });
///         assert_eq!(length.join().unwrap(), 5);
///         // Whoever joins it gets the panic, and then the scope does not panic.
///         assert!(matches!(broken.join(), Err(gmp::JoinError::Panicked(_))));
///     });
/// }).unwrap();
/// ```
pub use gmp_core::scope::ScopedJoinHandle;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// /// Quicksort; the halves of a large slice are sorted at the same time.
/// fn sort(slice: &mut [u32]) {
///     let Some((&mut pivot, _)) = slice.split_first_mut() else { return };
///     let mut left = 0;
///     for i in 1..slice.len() {
///         if slice[i] < pivot {
///             left += 1;
///             slice.swap(left, i);
///         }
///     }
///     slice.swap(0, left);
///     let (low, high) = slice.split_at_mut(left);
///     if low.len() + high.len() > 1000 {
///         gmp::join(|| sort(low), || sort(&mut high[1..]));
///     } else {
///         sort(low);
///         sort(&mut high[1..]);
///     }
/// }
///
/// runtime.run(|| {
///     let mut numbers: Vec<u32> = (0..10_000).map(|i: u32| i.wrapping_mul(2_654_435_761)).collect();
///     sort(&mut numbers);
///     assert!(numbers.is_sorted());
/// }).unwrap();
/// ```
pub use gmp_core::scope::join;
/// ```
/// # // SAFETY: no code in this example holds anything of a thread-local across a suspension.
/// # let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.build().unwrap();
/// runtime.run(|| {
///     let words = ["one", "two", "three"];
///     let mut longest = 0;
///     gmp::scope(|s| {
///         let lengths: Vec<_> = words.iter().map(|word| s.go(|| word.len())).collect();
///         // Nobody joins this one; the scope waits for it.
///         s.go(|| assert!(words.contains(&"two")));
///         longest = lengths.into_iter().map(|length| length.join().unwrap()).max().unwrap();
///     });
///     assert_eq!(longest, 5);
/// }).unwrap();
/// ```
///
/// What a goroutine borrows must outlive the scope:
///
/// ```compile_fail,E0373
/// gmp::scope(|s| {
///     let inside = 7;
///     s.go(|| println!("{inside}"));
/// });
/// ```
///
/// and neither the scope nor a handle leaves it:
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// gmp::scope(|s| kept = Some(s.go(|| ())));
/// ```
///
/// A goroutine of a scope cannot outlive a `&mut` that it holds:
///
/// ```compile_fail,E0499
/// let mut count = 0;
/// gmp::scope(|s| {
///     s.go(|| count += 1);
///     s.go(|| count += 1);
/// });
/// ```
pub use gmp_core::scope::scope;
pub use gmp_core::settings::{AtMainReturn, DeadlockRule};
pub use gmp_core::stats::Stats;
pub use gmp_core::{
    Ancestor, DeadlockReport, Finished, JoinError, Leftover, Payload, RunError, Sleeper, WaitReason, Wake,
};
#[doc(inline)]
pub use gmp_sync::channel;
pub use gmp_sync::channel::{Receiver, Sender, chan, never};
pub use gmp_sync::context;
#[doc(inline)]
pub use gmp_sync::select;
pub use gmp_sync::select::{Select, SelectedOperation, block_forever};
#[doc(inline)]
pub use gmp_sync::sync;
pub use goroutine::{
    current, exit, go, go_pinned, lock_os_thread, max_procs, num_goroutines, on_system_stack, park,
    park_timeout, set_max_procs, sleep, stats, try_go, yield_now,
};
pub use runtime::{Handle, Runtime};
pub use spawn::{Spawn, spawn};

/// Sleeping, timers and tickers; see the table in [`gmp_sync::time`].
pub mod time {
    pub use crate::sleep;
    pub use gmp_sync::time::*;
}

/// What a policy, or a tool beside the scheduler, is written against.
pub mod contract {
    pub use gmp_core::contract::*;
    pub use gmp_core::queue;
}

/// The suites that judge a policy; `policy_conformance!` runs them all. With the feature `suite`.
#[cfg(feature = "suite")]
#[doc(inline)]
pub use gmp_core::suite;

#[cfg(feature = "suite")]
pub use gmp_core::{idle_policy_conformance, policy_conformance};

/// The policies that come with this crate.
pub mod policy {
    pub use gmp_core::contract::{WithIdle, WithOrder};
    pub use gmp_policy_block::Block;
    pub use gmp_policy_global::Global;
    pub use gmp_policy_go::{Go, GoIdle};
    pub use gmp_policy_idle::{Eager, Frugal};
    pub use gmp_policy_lifo::Lifo;
    pub use gmp_policy_random::{Random, Shuffled};
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
    #[doc = include_str!("../../../docs/coming-from-go.md")]
    struct ComingFromGo;
    #[doc = include_str!("../../../docs/coming-from-tokio-or-crossbeam.md")]
    struct ComingFromTokioOrCrossbeam;
}

/// The default policy before a feature has changed its idle rule: the first of these that is on.
mod default_queues {
    #[cfg(feature = "randomize-scheduler")]
    pub(super) type Queues = crate::policy::Random;

    #[cfg(all(feature = "policy-block", not(feature = "randomize-scheduler")))]
    pub(super) type Queues = crate::policy::Block;

    #[cfg(all(feature = "policy-lifo", not(any(feature = "randomize-scheduler", feature = "policy-block"))))]
    pub(super) type Queues = crate::policy::Lifo;

    #[cfg(all(
        feature = "policy-global",
        not(any(feature = "randomize-scheduler", feature = "policy-block", feature = "policy-lifo"))
    ))]
    pub(super) type Queues = crate::policy::Global;

    #[cfg(not(any(
        feature = "randomize-scheduler",
        feature = "policy-block",
        feature = "policy-lifo",
        feature = "policy-global"
    )))]
    pub(super) type Queues = crate::policy::Go;
}
use default_queues::Queues as DefaultQueues;

/// The policy of a runtime whose builder names none.
#[cfg(not(any(feature = "idle-eager", feature = "idle-frugal")))]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = DefaultQueues;

/// The policy of a runtime whose builder names none.
#[cfg(feature = "idle-eager")]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = policy::WithIdle<DefaultQueues, policy::Eager>;

/// The policy of a runtime whose builder names none.
#[cfg(all(feature = "idle-frugal", not(feature = "idle-eager")))]
#[doc(alias = "randomizeScheduler")]
pub type DefaultPolicy = policy::WithIdle<DefaultQueues, policy::Frugal>;
