//! `Builder`: how a runtime is to be.

use crate::error::BuildError;
use crate::make::report_overflows;
use crate::runtime::Runtime;
use crate::{AtMainReturn, DeadlockRule, DefaultPolicy};
use core::marker::PhantomData;
use gmp_arch_amd64::{GuardMode, Guarded, available_cpus, own_thread_locals_available, verify_slot};
use gmp_arch_hosted::ThreadStacks;
use gmp_core::contract::Policy;
use gmp_core::event::EventSink;
use gmp_core::goroutine::MAX_PROCS;
use gmp_core::settings::{DEFAULT_MAX_THREADS, OutOfStacksHook, Settings};
use gmp_stack::Stacks;
use std::ffi::OsString;
use std::sync::Arc;

#[doc(inline)]
pub use gmp_stack::Retention;

/// Usable bytes of a stack unless told otherwise. std needs 23 KB to print a panic with its backtrace and 13 KB to look
/// up a host name; only what is touched takes memory.
const DEFAULT_STACK_SIZE: usize = 64 << 10;
/// Below this no closure runs safely.
const LEAST_STACK_SIZE: usize = 16 << 10;
/// Above this, say so in a thread.
const MOST_STACK_SIZE: usize = 64 << 20;

/// How goroutines and thread-locals go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    OwnThreadLocals,
    SharedThreadLocals,
    Pinned,
    OneThreadEach,
}

/// Builds a [`Runtime`]. Everything has a default but the thread-local mode: see [`Builder::share_thread_locals`],
/// [`Builder::pinned`] and [`Builder::one_thread_each`]. No call of it suspends.
///
/// ```
/// use gmp::{AtMainReturn, Builder};
///
/// // SAFETY: nothing that runs here holds a borrow of a thread-local across a suspension.
/// let builder = unsafe { Builder::new().share_thread_locals() };
/// let runtime = builder
///     .policy::<gmp::policy::Go>()
///     .procs(2)
///     .stack_size(128 << 10)
///     .at_main_return(AtMainReturn::Wait)
///     .build()
///     .unwrap();
/// assert!(runtime.run(|| ()).unwrap().left.is_clean());
///
/// let undecided = Builder::new().build();
/// assert!(matches!(undecided, Err(gmp::BuildError::ThreadLocalsUndecided)));
/// ```
#[must_use = "a builder does nothing until build is called"]
pub struct Builder<P: Policy = DefaultPolicy> {
    mode: Option<Mode>,
    procs: Option<usize>,
    max_threads: usize,
    stack_size: usize,
    stacks: gmp_stack::Config,
    guard_mode: GuardMode,
    thread_name: String,
    seed: Option<u64>,
    at_main_return: AtMainReturn,
    deadlock: DeadlockRule,
    abort_on_panic: bool,
    lock_main: bool,
    ancestors: usize,
    on_out_of_stacks: Option<OutOfStacksHook>,
    events: Option<Arc<dyn EventSink>>,
    policy: PhantomData<fn() -> P>,
}

impl Builder<DefaultPolicy> {
    /// A builder for a runtime under the [`DefaultPolicy`].
    pub fn new() -> Self {
        Self {
            mode: None,
            procs: None,
            max_threads: DEFAULT_MAX_THREADS,
            stack_size: DEFAULT_STACK_SIZE,
            stacks: gmp_stack::Config::default(),
            guard_mode: GuardMode::Auto,
            thread_name: String::from("gmp"),
            seed: None,
            at_main_return: AtMainReturn::default(),
            deadlock: DeadlockRule::default(),
            abort_on_panic: false,
            lock_main: false,
            ancestors: 0,
            on_out_of_stacks: None,
            events: None,
            policy: PhantomData,
        }
    }
}

impl Default for Builder<DefaultPolicy> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Policy> Builder<P> {
    /// Goroutines move between threads, and each has thread-locals of its own: to Rust, a goroutine *is* a thread. Safe
    /// without a promise. A switch costs a few nanoseconds more than under [`Builder::share_thread_locals`], and a goroutine
    /// that waits some 4.5 KB.
    ///
    /// Needs x86-64, glibc (linked dynamically) and a kernel that lets programs set the FS register (Linux 5.9);
    /// [`Builder::build`] tries it and says what is missing.
    pub fn own_thread_locals(mut self) -> Self {
        self.mode = Some(Mode::OwnThreadLocals);
        self
    }

    /// Goroutines move between threads and use the thread-locals of whichever they are on. The fast mode, and Go's.
    ///
    /// # Safety
    /// You promise for **all** code that goroutines of this runtime ever run, dependencies included:
    /// 1. No reference into a thread-local is held over a call that **Suspends** (`LocalKey::with(|x| yield_now())`).
    /// 2. No function that may be inlined reads a thread-local both before and after such a call: the compiler may
    ///    keep the thread-local's address, which is the old thread's by then (llvm-project#98479). `errno` counts.
    /// 3. No value that is not `Send` and was taken out of a thread-local (an `Rc`, say) is kept over such a call.
    /// 4. Nothing that notes the identity of its thread is kept over such a call: guards of `std::sync::Mutex`,
    ///    `std::thread::scope`, reentrant locks, "fragile" wrappers, entered spans of tracing libraries.
    /// 5. Code that sets thread state (FPU control words, signal masks, namespaces) sets it back before such a call, or
    ///    holds a [`lock_os_thread`](crate::lock_os_thread).
    pub unsafe fn share_thread_locals(mut self) -> Self {
        self.mode = Some(Mode::SharedThreadLocals);
        self
    }

    /// A goroutine stays on the thread that first ran it: no thread-local changes under it. One that is readied while
    /// its thread is blocked or busy in another goroutine waits for it, and only goroutines that have not started are
    /// stolen.
    ///
    /// # Safety
    /// You promise for all code that goroutines of this runtime ever run that goroutines taking turns on one thread do
    /// it no harm: no exclusive access to a thread-local (a `RefCell` borrowed mutably, a stack of scopes left in last
    /// in, first out order) is held over a call that **Suspends**.
    pub unsafe fn pinned(mut self) -> Self {
        self.mode = Some(Mode::Pinned);
        self
    }

    /// Each goroutine is an OS thread, and the scheduler decides which of them run. Safe without a promise, works under
    /// sanitizers and debuggers, and a thousand times slower to spawn.
    pub fn one_thread_each(mut self) -> Self {
        self.mode = Some(Mode::OneThreadEach);
        self
    }

    /// Uses another policy: [`policy::Go`](crate::policy::Go), [`policy::Random`](crate::policy::Random), or one of
    /// your own.
    pub fn policy<Q: Policy>(self) -> Builder<Q> {
        Builder {
            mode: self.mode,
            procs: self.procs,
            max_threads: self.max_threads,
            stack_size: self.stack_size,
            stacks: self.stacks,
            guard_mode: self.guard_mode,
            thread_name: self.thread_name,
            seed: self.seed,
            at_main_return: self.at_main_return,
            deadlock: self.deadlock,
            abort_on_panic: self.abort_on_panic,
            lock_main: self.lock_main,
            ancestors: self.ancestors,
            on_out_of_stacks: self.on_out_of_stacks,
            events: self.events,
            policy: PhantomData,
        }
    }

    /// The number of Ps: how many goroutines run at once; 1 to 1,048,576. Default: the environment's `GOMAXPROCS`, else
    /// the number of CPUs that the process may use, or the quota of its cgroups, rounded up but not below 2, if that
    /// is smaller.
    #[doc(alias = "GOMAXPROCS")]
    pub fn procs(mut self, procs: usize) -> Self {
        self.procs = Some(procs);
        self
    }

    /// The most threads at once, sysmon included; at least 3, and 10,000 unless told otherwise, as in Go. At the limit goroutines wait
    /// for a thread that comes back from a blocking call; nothing aborts. The threads of goroutines under
    /// [`Builder::one_thread_each`] are not counted, and running out of those aborts with a message.
    #[doc(alias = "SetMaxThreads")]
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.max_threads = threads;
        self
    }

    /// Usable bytes of a goroutine's stack, 16 KiB to 64 MiB, rounded up to a power of two; 64 KiB unless told
    /// otherwise. Stacks do not grow; only pages that are touched take memory. Under [`Builder::one_thread_each`] no
    /// stack is smaller than a thread's 2 MiB.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = bytes;
        self
    }

    /// Bytes below each stack that fault when touched: a multiple of the page size, 4 KiB unless told otherwise. C code
    /// compiled without stack-clash protection may step over a small guard.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.stacks.guard_size = bytes;
        self
    }

    /// How much memory of free stacks is kept for reuse.
    pub fn stack_retention(mut self, retention: Retention) -> Self {
        self.stacks.retention = retention;
        self
    }

    /// Guards by `mprotect` only, two mappings a stack, even where the kernel has the cheaper way. For tests, and for
    /// tools that know only `mprotect`.
    pub fn mprotect_guards(mut self) -> Self {
        self.guard_mode = GuardMode::Mprotect;
        self
    }

    /// Prefix of the names of threads; `gmp` unless told otherwise.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// Seed of all random choices. Default: the environment's `GMP_SEED`, else another one each time; [`Stats::seed`]
    /// says which. With one P the same seed makes the same choices, so `GMP_SEED=7 cargo test --features policy-random`
    /// runs goroutines in the same order each time.
    ///
    /// [`Stats::seed`]: crate::Stats::seed
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// What becomes of other goroutines when main returns.
    pub fn at_main_return(mut self, what: AtMainReturn) -> Self {
        self.at_main_return = what;
        self
    }

    /// When "all goroutines are asleep" is an error.
    pub fn deadlock(mut self, rule: DeadlockRule) -> Self {
        self.deadlock = rule;
        self
    }

    /// Whether a panic that leaves a goroutine ends the process as in Go: `panic: ...` and exit code 2. Otherwise it is
    /// the goroutine's result, and std's hook prints it.
    pub fn abort_on_panic(mut self, abort: bool) -> Self {
        self.abort_on_panic = abort;
        self
    }

    /// Whether main stays on the thread that called `run`, as if it had called `lock_os_thread` first.
    pub fn lock_main(mut self, lock: bool) -> Self {
        self.lock_main = lock;
        self
    }

    /// How many spawners back a goroutine remembers; none unless told otherwise.
    #[doc(alias = "tracebackancestors")]
    pub fn ancestors(mut self, depth: usize) -> Self {
        self.ancestors = depth;
        self
    }

    /// Is told the number of a goroutine that ended because no stack could be had for it. Runs inside the scheduler: it
    /// must not block or call the runtime.
    pub fn on_out_of_stacks(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.on_out_of_stacks = Some(Arc::new(hook));
        self
    }

    /// Receives scheduler events, from the start; [`Handle::trace`](crate::Handle::trace) switches them off and on.
    pub fn events(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.events = Some(sink);
        self
    }

    /// Builds the runtime. Its threads are made when it runs.
    ///
    /// # Errors
    /// [`BuildError`]: no thread-local mode, a value out of range, or a bad `GOMAXPROCS` or `GMP_SEED`.
    #[doc(alias = "schedinit")]
    pub fn build(self) -> Result<Runtime<P>, BuildError> {
        let mode = self.mode.ok_or(BuildError::ThreadLocalsUndecided)?;
        in_range("max_threads", self.max_threads, 3, 1 << 20)?;
        in_range("stack_size", self.stack_size, LEAST_STACK_SIZE, MOST_STACK_SIZE)?;
        if self.thread_name.contains('\0') {
            return Err(BuildError::ThreadName(self.thread_name));
        }
        let procs = match self.procs {
            Some(procs) => procs,
            None => {
                let environment = std::env::var_os("GOMAXPROCS");
                gmp_core::procs::default_procs(available_cpus(), environment.as_deref())?
            }
        };
        in_range("procs", procs, 1, MAX_PROCS)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => seed_of(std::env::var_os("GMP_SEED"))?.unwrap_or_else(any_seed),
        };
        verify_slot().map_err(BuildError::Slot)?;
        let stacks = Stacks::new(Guarded::new(self.guard_mode), self.stacks).map_err(BuildError::Guard)?;
        report_overflows(self.stacks.guard_size);
        let settings = Settings {
            procs,
            max_threads: self.max_threads,
            stack_size: self.stack_size,
            thread_name: self.thread_name,
            seed,
            pinned: mode == Mode::Pinned,
            at_main_return: self.at_main_return,
            deadlock: self.deadlock,
            abort_on_panic: self.abort_on_panic,
            lock_main: self.lock_main,
            ancestors: self.ancestors,
            on_out_of_stacks: self.on_out_of_stacks,
            events: self.events,
        };
        if mode == Mode::OwnThreadLocals {
            own_thread_locals_available().map_err(BuildError::OwnThreadLocals)?;
        }
        Ok(match mode {
            Mode::OwnThreadLocals => Runtime::own_thread_locals(settings, stacks),
            Mode::SharedThreadLocals | Mode::Pinned => Runtime::native(settings, stacks),
            Mode::OneThreadEach => Runtime::one_thread_each(settings, ThreadStacks::default()),
        })
    }
}

impl<P: Policy> core::fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Builder").field("policy", &P::NAME).field("mode", &self.mode).finish_non_exhaustive()
    }
}

fn in_range(setting: &'static str, value: usize, least: usize, most: usize) -> Result<(), BuildError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(BuildError::OutOfRange { setting, value, least, most })
}

/// The seed that the environment asks for. An empty one asks for none, as an empty `GOMAXPROCS` does.
fn seed_of(environment: Option<OsString>) -> Result<Option<u64>, BuildError> {
    let Some(value) = environment.filter(|value| !value.is_empty()) else { return Ok(None) };
    match value.to_str().and_then(|text| text.trim().parse().ok()) {
        Some(seed) => Ok(Some(seed)),
        None => Err(BuildError::Seed(value)),
    }
}

/// A seed from std's source of hash keys.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
