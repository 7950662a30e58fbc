//! `Settings`: what a runtime is built with, checked already.

use crate::ground::event::EventSink;
use crate::ground::overrun::OverrunHook;
use std::sync::Arc;
use std::time::Duration;

/// What becomes of other goroutines when main returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtMainReturn {
    /// They never run again, as in Go: closures that never started are dropped, suspended stacks are leaked.
    /// What such a goroutine holds, or was given a moment before and has not taken up (a lock, a permit, the turn to try
    /// for a mutex), is gone with it: plain threads and other runtimes that wait for it wait for ever.
    #[default]
    Leak,
    /// `run` returns when all have ended.
    Wait,
    /// Those that wait are woken and unwind; those that never started are dropped. Whoever waits at the end of a scope
    /// unwinds after the scope's goroutines have ended, and `run` waits for that. Those that go on without a wait, however
    /// often they give way, are left behind after two seconds, as by `Leak`, and with them whoever waits at the end of
    /// their scopes.
    Unwind,
}

/// When "all goroutines are asleep" is reported as a deadlock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlockRule {
    /// If the process has no thread but the runtime's own: a plain thread could still wake somebody.
    #[default]
    Auto,
    /// Whatever other threads there are.
    Always,
    /// Not at all.
    Never,
}

/// What is told the number of a goroutine that ended because no stack could be had for it.
pub type OutOfStacksHook = Arc<dyn Fn(u64) + Send + Sync>;

/// How long idle threads are kept, beyond those that always are: tokio's figure for its blocking pool. Go keeps them
/// for ever.
pub const DEFAULT_THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Go's `maxmcount`.
pub const DEFAULT_MAX_THREADS: usize = 10_000;

/// Usable bytes of a stack by default: the largest with which a parked goroutine takes less than 6.5 KiB, page tables
/// included. That is 6.2 KiB each with a million of them, 5.2 with stacks of 512 KiB, and 4.3 with stacks of 64 KiB.
pub const DEFAULT_STACK_SIZE: usize = 1 << 20;

/// A runtime's settings.
#[derive(Clone)]
pub struct Settings {
    /// Number of Ps; at least 1.
    pub procs: usize,
    /// Most threads at once. Go: `debug.SetMaxThreads`, 10,000.
    #[doc(alias = "maxmcount")]
    pub max_threads: usize,
    /// How long an idle thread is kept beside as many others as there are Ps.
    pub thread_keep_alive: Duration,
    /// Stack size in bytes where a spawn asks for none.
    pub stack_size: usize,
    /// No stack is smaller than this, whatever a spawn asks for.
    pub least_stack_size: usize,
    /// Prefix of thread names.
    pub thread_name: String,
    /// Seed of all random choices.
    pub seed: u64,
    /// Whether goroutines stay on the M that first ran them.
    pub pinned: bool,
    /// What becomes of other goroutines when main returns.
    pub at_main_return: AtMainReturn,
    /// When a deadlock is reported.
    pub deadlock: DeadlockRule,
    /// Whether a panic that leaves a goroutine ends the process with exit code 2, as in Go.
    pub abort_on_panic: bool,
    /// Whether sysmon may take a P from a goroutine that has not asked for it.
    pub retake: bool,
    /// How many goroutines may overrun their slices beside the Ps; `None`: twice the number of Ps.
    pub max_overruns: Option<usize>,
    /// Told of each of them, when it has come back. Runs on g0's stack; it must not call the runtime.
    pub on_overrun: Option<OverrunHook>,
    /// How many shards a poller has.
    pub poller_shards: usize,
    /// Whether main stays on the thread that called `run`.
    pub lock_main: bool,
    /// How many spawners back a goroutine remembers. Go: `GODEBUG=tracebackancestors`.
    #[doc(alias = "saveAncestors")]
    pub ancestors: usize,
    /// Told the number of a goroutine that ended because no stack could be had for it. Runs inside the scheduler: it
    /// must not block or call the runtime.
    pub on_out_of_stacks: Option<OutOfStacksHook>,
    /// Receives events.
    pub events: Option<Arc<dyn EventSink>>,
    /// How far back a snapshot of recorded events goes; `None`: as far as there are any. Whether they are recorded is
    /// said by `Handle::record`.
    pub flight_recorder: Option<Duration>,
}

/// One P, and for everything else what Go does; stacks of 1 MiB.
impl Default for Settings {
    fn default() -> Self {
        Self {
            procs: 1,
            max_threads: DEFAULT_MAX_THREADS,
            thread_keep_alive: DEFAULT_THREAD_KEEP_ALIVE,
            stack_size: DEFAULT_STACK_SIZE,
            least_stack_size: 0,
            thread_name: String::from("gmp"),
            seed: 0,
            pinned: false,
            at_main_return: AtMainReturn::default(),
            deadlock: DeadlockRule::default(),
            abort_on_panic: false,
            retake: true,
            max_overruns: None,
            on_overrun: None,
            poller_shards: 1,
            lock_main: false,
            ancestors: 0,
            on_out_of_stacks: None,
            events: None,
            flight_recorder: None,
        }
    }
}
