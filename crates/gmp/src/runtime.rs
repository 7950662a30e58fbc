//! `Runtime` and `Handle`.

use crate::debug::Debug;
use crate::default_policy::DefaultPolicy;
use crate::error::SpawnError;
use crate::make::{Native, OneThreadEach, OwnThreadLocals};
use crate::{Finished, JoinHandle, RunError, Stats};
use gmp_arch_amd64::Guarded;
use gmp_arch_hosted::ThreadStacks;
use gmp_core::contract::Policy;
use gmp_core::runtime as core_runtime;
use gmp_core::settings::Settings;
use gmp_stack::Stacks;

/// A runtime, built and ready to run once. Made by a [`Builder`](crate::Builder). No call of it suspends.
///
/// Several may live in one process, one after another and at once.
#[derive(Debug)]
pub struct Runtime<P: Policy = DefaultPolicy> {
    make: Make<P>,
    debug: Debug,
}

#[derive(Debug)]
enum Make<P: Policy> {
    OwnThreadLocals(core_runtime::Runtime<OwnThreadLocals<P>>),
    Native(core_runtime::Runtime<Native<P>>),
    OneThreadEach(core_runtime::Runtime<OneThreadEach<P>>),
}

impl<P: Policy> Runtime<P> {
    pub(crate) fn own_thread_locals(settings: Settings, stacks: Stacks<Guarded>, debug: Debug) -> Self {
        // SAFETY: the guarded stacks are made for this switch, whose goroutines have thread-locals of their own.
        Self { make: Make::OwnThreadLocals(unsafe { core_runtime::Runtime::new(settings, stacks) }), debug }
    }

    pub(crate) fn native(settings: Settings, stacks: Stacks<Guarded>, debug: Debug) -> Self {
        // SAFETY: the guarded stacks are made for this switch, and the builder's mode is unsafe to choose.
        Self { make: Make::Native(unsafe { core_runtime::Runtime::new(settings, stacks) }), debug }
    }

    pub(crate) fn one_thread_each(settings: Settings, stacks: ThreadStacks, debug: Debug) -> Self {
        // SAFETY: these stacks are made for this switch, whose goroutines are threads.
        Self { make: Make::OneThreadEach(unsafe { core_runtime::Runtime::new(settings, stacks) }), debug }
    }

    /// Runs `main` as goroutine 1 and returns when it has returned. The calling thread becomes m0 and is a plain thread
    /// again afterwards.
    ///
    /// What happens to other goroutines then is [`Builder::at_main_return`](crate::Builder::at_main_return)'s choice;
    /// [`Finished::left`] counts them. The runtime is used up: build another to run again. The closure may run on any
    /// thread of the runtime, unless [`Builder::lock_main`](crate::Builder::lock_main) keeps it on this one.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// let finished = runtime.run(|| {
    ///     let _left_behind = gmp::go(gmp::park);
    ///     "done"
    /// }).unwrap();
    /// assert_eq!(finished.value, "done");
    /// ```
    ///
    /// # Errors
    /// [`RunError`]: all goroutines were asleep, main panicked, the caller is itself a goroutine, or the operating
    /// system refused a thread.
    #[track_caller]
    pub fn run<F, T>(self, main: F) -> Result<Finished<T>, RunError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let handle = self.handle();
        let Self { make, mut debug } = self;
        let _begun = debug.begin(&handle.0).map_err(RunError::Os)?;
        let main = move || {
            let value = main();
            debug.at_main_return();
            value
        };
        match make {
            Make::OwnThreadLocals(runtime) => runtime.run(main),
            Make::Native(runtime) => runtime.run(main),
            Make::OneThreadEach(runtime) => runtime.run(main),
        }
    }

    /// A handle for plain threads. What it spawns before `run` is called waits for it; if the runtime is dropped instead,
    /// or cannot run, the closures are dropped and whoever joins gets [`JoinError::Abandoned`](crate::JoinError).
    pub fn handle(&self) -> Handle {
        Handle(match &self.make {
            Make::OwnThreadLocals(runtime) => runtime.handle(),
            Make::Native(runtime) => runtime.handle(),
            Make::OneThreadEach(runtime) => runtime.handle(),
        })
    }
}

/// A runtime, seen from plain threads: spawns goroutines and reads statistics. It may be cloned, and used on any thread.
/// No call of it suspends but `dump`.
#[derive(Clone, Debug)]
pub struct Handle(pub(crate) core_runtime::Handle);

impl Handle {
    /// Spawns a goroutine at the shared queue's tail. Never suspends.
    ///
    /// # Errors
    /// [`SpawnError`]: the runtime has closed or will never run, or there is no memory for a record; the closure comes
    /// back.
    ///
    /// ```
    /// # let runtime = gmp::Builder::new().build().unwrap();
    /// let handle = runtime.handle();
    /// let thread = std::thread::spawn(move || {
    ///     // A plain thread may wait for a goroutine: it blocks itself.
    ///     handle.go(|| 6 * 7).unwrap().join().unwrap()
    /// });
    /// runtime.run(move || gmp::blocking(|| assert_eq!(thread.join().unwrap(), 42))).unwrap();
    /// ```
    #[track_caller]
    pub fn go<F, T>(&self, f: F) -> Result<JoinHandle<T>, SpawnError<F>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.0.spawn(None, f).map_err(SpawnError::from)
    }

    /// How many goroutines have not ended.
    #[doc(alias = "NumGoroutine")]
    pub fn num_goroutines(&self) -> usize {
        self.0.num_goroutines()
    }

    /// How many Ps there are.
    #[doc(alias = "GOMAXPROCS")]
    pub fn max_procs(&self) -> usize {
        self.0.max_procs()
    }

    /// The statistics of this moment.
    pub fn stats(&self) -> Stats {
        self.0.stats()
    }

    /// The name of the policy.
    pub fn policy(&self) -> &'static str {
        self.0.policy()
    }

    /// Whether the runtime has closed, or was dropped before it ran, so that what is spawned now would never run.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Switches the events on or off while the program runs. `false`: the runtime was built without a sink.
    pub fn trace(&self, on: bool) -> bool {
        self.0.trace(on)
    }
}

impl<F> From<core_runtime::OutsideError<F>> for SpawnError<F> {
    fn from(error: core_runtime::OutsideError<F>) -> Self {
        match error {
            core_runtime::OutsideError::Closed(f) => Self::Closed(f),
            core_runtime::OutsideError::NeverRan(f) => Self::NeverRan(f),
            core_runtime::OutsideError::NoRecord(f) => Self::OutOfMemory(f),
        }
    }
}
