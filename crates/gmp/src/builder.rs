//! `Builder`: the settings of a runtime, and what makes it.

use crate::debug::Debug;
use crate::default_policy::DefaultPolicy;
use crate::environment;
use crate::error::BuildError;
use crate::make::report_overflows;
use crate::runtime::Runtime;
use crate::{AtMainReturn, DeadlockRule};
use core::marker::PhantomData;
use gmp_arch_amd64::{GuardMode, Guarded, available_cpus, own_thread_locals_available, verify_slot};
use gmp_arch_hosted::ThreadStacks;
use gmp_core::Overrun;
use gmp_core::contract::Policy;
use gmp_core::event::EventSink;
use gmp_core::goroutine::MAX_PROCS;
use gmp_core::settings::{DEFAULT_STACK_SIZE, Settings};
use gmp_stack::{LEAST_SIZE, MOST_SIZE, Stacks};
use std::io;
use std::sync::Arc;
use std::time::Duration;

#[doc(inline)]
pub use gmp_stack::Retention;

/// How goroutines and thread-locals go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    OwnThreadLocals,
    SharedThreadLocals,
    Pinned,
    OneThreadEach,
}

/// Builds a [`Runtime`]. Everything has a default. How goroutines and thread-locals go together is said by
/// [`Builder::own_thread_locals`], which is the default, [`Builder::share_thread_locals`], [`Builder::pinned`] or
/// [`Builder::one_thread_each`]. No call of it suspends.
///
/// ```
/// use gmp::{AtMainReturn, Builder};
///
/// let builder = Builder::new();
/// let runtime = builder
///     .policy::<gmp::policy::Go>()
///     .procs(2)
///     .stack_size(128 << 10)
///     .at_main_return(AtMainReturn::Wait)
///     .build()
///     .unwrap();
/// assert!(runtime.run(|| ()).unwrap().left.is_clean());
/// ```
#[must_use = "a builder does nothing until build is called"]
pub struct Builder<P: Policy = DefaultPolicy> {
    choices: Choices,
    policy: PhantomData<fn() -> P>,
}

/// What a builder was told.
struct Choices {
    mode: Mode,
    stacks: gmp_stack::Config,
    guard_mode: GuardMode,
    // What the environment or chance decides if the program does not.
    procs: Option<usize>,
    stack_size: Option<usize>,
    seed: Option<u64>,
    debug: Debug,
    /// All else; what the choices above decide is filled in by `build`.
    settings: Settings,
}

impl Builder<DefaultPolicy> {
    /// A builder for a runtime under the [`DefaultPolicy`].
    pub fn new() -> Self {
        let choices = Choices {
            mode: Mode::OwnThreadLocals,
            stacks: gmp_stack::Config::default(),
            guard_mode: GuardMode::Auto,
            procs: None,
            stack_size: None,
            seed: None,
            debug: Debug::default(),
            settings: Settings::default(),
        };
        Self { choices, policy: PhantomData }
    }
}

impl Runtime<DefaultPolicy> {
    /// A builder: the same as [`Builder::new`]. Never suspends.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl Default for Builder<DefaultPolicy> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Policy> Builder<P> {
    /// Goroutines move between threads, and each has thread-locals of its own: to Rust, a goroutine *is* a thread. Safe
    /// without a promise. A switch costs some 15 ns more than under [`Builder::share_thread_locals`], and a
    /// goroutine that waits some 5 KB. The default.
    ///
    /// Needs x86-64, glibc (linked dynamically) and a kernel that lets programs set the FS register (Linux 5.9);
    /// [`Builder::build`] tries it and says what is missing.
    pub fn own_thread_locals(mut self) -> Self {
        self.choices.mode = Mode::OwnThreadLocals;
        self
    }

    /// Goroutines move between threads and use the thread-locals of whichever they are on. The fast mode, and Go's.
    ///
    /// # Safety
    /// You promise for **all** code that goroutines of this runtime ever run, dependencies included:
    /// 1. No reference into a thread-local is held over a call that **Suspends** (`LocalKey::with(|x| yield_now())`).
    /// 2. No function that may be inlined reads a thread-local both before and after such a call: the compiler may
    ///    keep the thread-local's address, which is the old thread's by then (llvm-project#98479). `errno` counts, and so
    ///    does a loop that reads in one place and suspends in another.
    /// 3. No value that is not `Send` and was taken out of a thread-local (an `Rc`, say) is kept over such a call.
    /// 4. Nothing that notes the identity of its thread is kept over such a call: guards of `std::sync::Mutex`,
    ///    `std::thread::scope`, reentrant locks, "fragile" wrappers, entered spans of tracing libraries.
    /// 5. Code that sets thread state (FPU control words, signal masks, namespaces) sets it back before such a call, or
    ///    holds a [`lock_os_thread`](crate::lock_os_thread).
    pub unsafe fn share_thread_locals(mut self) -> Self {
        self.choices.mode = Mode::SharedThreadLocals;
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
        self.choices.mode = Mode::Pinned;
        self
    }

    /// Each goroutine is an OS thread, and the scheduler decides which of them run. Safe without a promise, works under
    /// sanitizers and debuggers, and a thousand times slower to spawn.
    pub fn one_thread_each(mut self) -> Self {
        self.choices.mode = Mode::OneThreadEach;
        self
    }

    /// Uses another policy: [`policy::Go`](crate::policy::Go), [`policy::Random`](crate::policy::Random), or one of
    /// your own.
    pub fn policy<Q: Policy>(self) -> Builder<Q> {
        Builder { choices: self.choices, policy: PhantomData }
    }

    /// The number of Ps: how many goroutines run at once; 1 to 1,048,576. Default: the environment's `GOMAXPROCS`, else
    /// the number of CPUs that the process may use, or the quota of its cgroups, rounded up but not below 2, if that
    /// is smaller.
    #[doc(alias = "GOMAXPROCS")]
    pub fn procs(mut self, procs: usize) -> Self {
        self.choices.procs = Some(procs);
        self
    }

    /// The most threads at once, sysmon included; at least 3, and 10,000 by default, as in Go. At the limit a goroutine
    /// that calls [`blocking`](crate::blocking) may have to wait for a thread that comes back from another such call,
    /// and all others go on; nothing aborts. What is printed when the limit is first reached says which goroutines have
    /// the threads, where they were started, and since when each has kept its thread from others. If all other threads
    /// are in blocking calls then, one that never suspends keeps the rest waiting. There are two exceptions to the
    /// limit. A goroutine that holds a [`lock_os_thread`](crate::lock_os_thread), or suspends while it unwinds, keeps
    /// its thread, and if such goroutines keep them all, there is one thread more than the limit for each of them that
    /// suspends from then on. And if main keeps the thread that called `run`, locked or in a blocking call, and every
    /// other thread is blocked, one more runs the rest until a thread comes back. The threads of goroutines under
    /// [`Builder::one_thread_each`] are not counted; if the system has no more, goroutines wait until others have ended.
    #[doc(alias = "SetMaxThreads")]
    pub fn max_threads(mut self, threads: usize) -> Self {
        self.choices.settings.max_threads = threads;
        self
    }

    /// How long an idle thread is kept beside the reserve, which is as many idle threads as there are Ps; 10 s by default.
    /// Then it ends: a burst of blocking calls leaves no threads behind. `Duration::MAX` keeps them all, as Go does. A
    /// thread to which goroutines are pinned stays, and so does the one that called `run`.
    /// [`Stats::idle_threads`](crate::Stats::idle_threads) and
    /// [`Stats::retired_threads`](crate::Stats::retired_threads) show them.
    pub fn thread_keep_alive(mut self, time: Duration) -> Self {
        self.choices.settings.thread_keep_alive = time;
        self
    }

    /// Usable bytes of a goroutine's stack, 16 KiB to 64 MiB, rounded up to a power of two. Default: the environment's
    /// `GMP_STACK_SIZE`, else 1 MiB. Stacks do not grow; only the pages that are touched take memory, and 4 KiB of page
    /// tables for each 2 MiB of stacks. Under [`Builder::one_thread_each`] no stack is smaller than a thread's 2 MiB.
    ///
    /// `GMP_STACK_SIZE` (bytes, or as in `512K` and `2M`) also raises every smaller size that the program asks for, here
    /// or at [`Spawn::stack_size`](crate::Spawn::stack_size): whoever runs a program that overflows a stack needs no
    /// other build of it.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.choices.stack_size = Some(bytes);
        self
    }

    /// Bytes below each stack that fault when touched: a multiple of the page size, 4 KiB by default. C code
    /// compiled without stack-clash protection may step over a small guard.
    pub fn guard_size(mut self, bytes: usize) -> Self {
        self.choices.stacks.guard_size = bytes;
        self
    }

    /// How much memory of free stacks is kept for reuse.
    pub fn stack_retention(mut self, retention: Retention) -> Self {
        self.choices.stacks.retention = retention;
        self
    }

    /// Guards by `mprotect` only, two mappings a stack, even where the kernel has the cheaper way. For tests, and for
    /// tools that know only `mprotect`.
    pub fn mprotect_guards(mut self) -> Self {
        self.choices.guard_mode = GuardMode::Mprotect;
        self
    }

    /// Prefix of the names of threads; `gmp` by default.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.choices.settings.thread_name = name.into();
        self
    }

    /// Seed of all random choices. Default: the environment's `GMP_SEED`, else another one each time; [`Stats::seed`]
    /// says which. With one P the same seed makes the same choices, so `GMP_SEED=7 cargo test --features policy-random`
    /// runs goroutines in the same order each time.
    ///
    /// [`Stats::seed`]: crate::Stats::seed
    pub fn seed(mut self, seed: u64) -> Self {
        self.choices.seed = Some(seed);
        self
    }

    /// What becomes of other goroutines when main returns.
    pub fn at_main_return(mut self, what: AtMainReturn) -> Self {
        self.choices.settings.at_main_return = what;
        self
    }

    /// When "all goroutines are asleep" is an error.
    pub fn deadlock(mut self, rule: DeadlockRule) -> Self {
        self.choices.settings.deadlock = rule;
        self
    }

    /// Whether a panic that leaves a goroutine ends the process as in Go: `panic: ...` and exit code 2. Otherwise it is
    /// the goroutine's result, and std's hook prints it.
    pub fn abort_on_panic(mut self, abort: bool) -> Self {
        self.choices.settings.abort_on_panic = abort;
        self
    }

    /// Whether main stays on the thread that called `run`, as if it had called `lock_os_thread` first.
    pub fn lock_main(mut self, lock: bool) -> Self {
        self.choices.settings.lock_main = lock;
        self
    }

    /// Whether sysmon may take the P of a goroutine that has blocked its thread without [`blocking`](crate::blocking)
    /// around the call, or has computed for longer than a time slice without a call of gmp; `true` by default. The
    /// goroutine goes on without a P, and comes back by the queue's rules at its next call that suspends. `false`: it
    /// keeps its P meanwhile, and all that needs that P waits.
    ///
    /// Taking the P needs Linux's `membarrier` and `/proc`. Where either is missing, and under
    /// [`Builder::one_thread_each`], a goroutine keeps its P as with `false`.
    pub fn retake(mut self, retake: bool) -> Self {
        self.choices.settings.retake = retake;
        self
    }

    /// How many shards the poller has, which tells what sockets and other descriptors are ready; 1 by default, as in
    /// Go. Descriptors are spread over the shards, and goroutines on different Ps look into different ones without
    /// waiting for each other. Worth a try from some eight Ps on, with as many shards as Ps or fewer; each costs a
    /// descriptor, and with more than one a wake-up passes two epoll instances.
    ///
    /// # Errors
    /// [`Builder::build`] refuses 0 and more than 1,024.
    #[cfg(feature = "net")]
    pub fn poller_shards(mut self, shards: usize) -> Self {
        self.choices.settings.poller_shards = shards;
        self
    }

    /// How many goroutines may go on computing beside the Ps, after sysmon has taken theirs because they computed for
    /// longer than a time slice without a call of gmp; twice the number of Ps by default. While that many do, any other
    /// keeps its P until its next call; with 0 every goroutine does.
    pub fn max_overruns(mut self, goroutines: usize) -> Self {
        self.choices.settings.max_overruns = Some(goroutines);
        self
    }

    /// Sets a hook that is told of each goroutine that overran its time slice, when that has come back. It runs inside
    /// the scheduler, on the stack of a thread: it must not block or call the runtime.
    /// [`Stats::overruns`](crate::Stats::overruns) counts overruns with and without a hook.
    ///
    /// For its stack the goroutine's thread gets a signal (SIGURG), as Go sends it for preemption: a system call of
    /// other people's code that is not repeated after one may return `EINTR`.
    ///
    /// ```
    /// let runtime = gmp::Builder::new().on_overrun(|overrun| eprintln!("{overrun}")).build().unwrap();
    /// # runtime.run(|| ()).unwrap();
    /// ```
    pub fn on_overrun(mut self, hook: impl Fn(&Overrun) + Send + Sync + 'static) -> Self {
        self.choices.settings.on_overrun = Some(Arc::new(hook));
        self
    }

    /// How many generations of spawners a goroutine remembers; none by default.
    #[doc(alias = "tracebackancestors")]
    pub fn ancestors(mut self, depth: usize) -> Self {
        self.choices.settings.ancestors = depth;
        self
    }

    /// Sets a hook that is told the number of a goroutine that ended because no stack could be had for it. It runs
    /// inside the scheduler: it must not block or call the runtime.
    pub fn on_out_of_stacks(mut self, hook: impl Fn(u64) + Send + Sync + 'static) -> Self {
        self.choices.settings.on_out_of_stacks = Some(Arc::new(hook));
        self
    }

    /// Receives scheduler events, from the start; [`Handle::trace`](crate::Handle::trace) switches them off and on.
    pub fn events(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.choices.settings.events = Some(sink);
        self
    }

    /// Records the events of the scheduler all the time, so that [`trace::snapshot`](crate::trace::snapshot) has those of
    /// the last `window`, as far as they are not more than 260,000 for a P. It costs a look at the
    /// clock and three stores an event, with one event for most switches. With the feature `trace`.
    #[cfg(feature = "trace")]
    #[doc(alias = "FlightRecorder")]
    pub fn flight_recorder(mut self, window: Duration) -> Self {
        self.choices.settings.flight_recorder = Some(window);
        self
    }

    /// Dumps all goroutines to standard error on each such signal while the runtime runs: [`dump()`](crate::dump()), by
    /// a thread of its own, which answers when every other one is stuck, too. The program goes on. With
    /// `GMP_DEBUG=dump` in the environment a program that does not say this does it on SIGQUIT (3), which a terminal
    /// sends for Ctrl-\\. The signal's handler is replaced; [`Runtime::run`](crate::Runtime::run) says if it cannot be, as
    /// with a fault's signal, or SIGURG, by which dumps are made.
    /// With the feature `dump`.
    #[cfg(feature = "dump")]
    #[doc(alias = "SIGQUIT")]
    pub fn dump_on(mut self, signal: i32) -> Self {
        self.choices.debug.dump_on.push(signal);
        self
    }

    /// While the runtime runs, answers at a socket of this path: to `gmp-top PATH`, which shows the goroutines, the Ps and
    /// their queues in a terminal, and to whoever speaks its protocol (crate `gmp-inspect`, `server.rs`). Only processes of
    /// the same user, and root, are answered, by threads of their own. Off by default.
    /// [`Runtime::run`](crate::Runtime::run) says if the socket cannot be made; one of a program that is gone is replaced.
    /// With the feature `dump`.
    #[cfg(feature = "dump")]
    pub fn inspect(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.choices.debug.inspect = Some((path.into(), crate::answers::ANSWERS));
        self
    }

    /// Builds the runtime. Its threads are made when it runs.
    ///
    /// # Errors
    /// [`BuildError`]: goroutines cannot have thread-locals of their own here, a value is out of range, or a bad
    /// `GOMAXPROCS`, `GMP_SEED`, `GMP_STACK_SIZE` or `GMP_DEBUG`, or a `GMP_TRACE` that cannot be written.
    #[doc(alias = "schedinit")]
    pub fn build(self) -> Result<Runtime<P>, BuildError> {
        let Choices { mode, stacks, guard_mode, procs, stack_size, seed, mut debug, mut settings } =
            self.choices;
        debug.add(Debug::from_environment()?);
        in_range("max_threads", settings.max_threads, 3, 1 << 20)?;
        in_range("poller_shards", settings.poller_shards, 1, 1 << 10)?;
        if settings.thread_name.contains('\0') {
            return Err(BuildError::ThreadName(settings.thread_name));
        }
        let procs = match procs {
            Some(procs) => procs,
            None => {
                let environment = std::env::var_os("GOMAXPROCS");
                gmp_core::procs::default_procs(available_cpus(), environment.as_deref())?
            }
        };
        settings.procs = in_range("procs", procs, 1, MAX_PROCS)?;
        settings.seed = match seed {
            Some(seed) => seed,
            None => environment::seed()?.unwrap_or_else(any_seed),
        };
        let least = environment::stack_size()?;
        settings.least_stack_size = least.unwrap_or(LEAST_SIZE);
        settings.stack_size = match stack_size {
            Some(asked) => {
                in_range("stack_size", asked, LEAST_SIZE, MOST_SIZE)?.max(settings.least_stack_size)
            }
            None => least.unwrap_or(DEFAULT_STACK_SIZE),
        };
        settings.pinned = mode == Mode::Pinned;
        verify_slot().map_err(|error| match error.raw_os_error() {
            Some(_) => BuildError::Refused(error),
            None => BuildError::Slot(error),
        })?;
        let guard_size = stacks.guard_size;
        let stacks = Stacks::new(Guarded::new(guard_mode), stacks).map_err(BuildError::Guard)?;
        report_overflows(guard_size);
        if mode == Mode::OwnThreadLocals {
            own_thread_locals_available().map_err(|missing| match missing.is_for_now() {
                true => BuildError::Refused(io::Error::other(missing)),
                false => BuildError::OwnThreadLocals(missing),
            })?;
        }
        #[cfg(feature = "trace")]
        {
            debug.trace = crate::trace::by_environment::asked()?;
        }
        Ok(match mode {
            Mode::OwnThreadLocals => Runtime::own_thread_locals(settings, stacks, debug),
            Mode::SharedThreadLocals | Mode::Pinned => Runtime::native(settings, stacks, debug),
            Mode::OneThreadEach => Runtime::one_thread_each(settings, ThreadStacks::default(), debug),
        })
    }
}

impl<P: Policy> core::fmt::Debug for Builder<P> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &P::NAME)
            .field("mode", &self.choices.mode)
            .finish_non_exhaustive()
    }
}

fn in_range(setting: &'static str, value: usize, least: usize, most: usize) -> Result<usize, BuildError> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(BuildError::OutOfRange { setting, value, least, most })
}

/// A seed from std's source of hash keys.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    RandomState::new().build_hasher().finish()
}
