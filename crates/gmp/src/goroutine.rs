//! What goroutines do: start others, wait, look around.

use crate::error::SpawnError;
use crate::{Current, JoinHandle, Stats, ThreadLock, Wake};
use core::time::Duration;
use gmp_core::{NoRecord, Spec, goroutine};

/// Starts a goroutine: it runs next on this P, unless another one is started before that and takes its place. Inside
/// [`blocking`](crate::blocking) it goes to the shared queue's tail, as if a plain thread had started it. Never
/// suspends.
///
/// The closure is kept in the goroutine's record; a stack is bound to the goroutine when it first runs. Dropping the
/// handle detaches the goroutine, which runs on.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let name = String::from("gopher");
///     let length = gmp::go(move || name.len());
///     assert_eq!(length.join().unwrap(), 6);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, and if there is no memory for its record ([`try_go`] says so instead).
#[track_caller]
#[inline]
pub fn go<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    match goroutine::spawn("go", None, f) {
        Ok(handle) => handle,
        Err(NoRecord(_)) => no_record(),
    }
}

#[cold]
#[track_caller]
fn no_record() -> ! {
    panic!(
        "gmp::go: no memory for another goroutine's record of 192 bytes; gmp::try_go returns the closure instead"
    )
}

/// [`go`], but gives the closure back if there is no memory for the goroutine's record. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     match gmp::try_go(|| 6 * 7) {
///         Ok(handle) => assert_eq!(handle.join().unwrap(), 42),
///         // Do it here, then.
///         Err(error) => assert_eq!(error.into_inner()(), 42),
///     }
/// }).unwrap();
/// ```
///
/// # Errors
/// [`SpawnError::OutOfMemory`].
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn try_go<F, T>(f: F) -> Result<JoinHandle<T>, SpawnError<F>>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    goroutine::spawn("try_go", None, f).map_err(|NoRecord(f)| SpawnError::OutOfMemory(f))
}

/// Starts a goroutine that stays on the thread that first runs it. Never suspends.
///
/// Until it first runs, any thread may take it. From then on it waits for that one thread, even if the thread is busy
/// with another goroutine or sits in a blocking call.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     gmp::go_pinned(|| {
///         let thread = std::thread::current().id();
///         gmp::yield_now();
///         assert_eq!(std::thread::current().id(), thread);
///     }).join().unwrap();
/// }).unwrap();
/// ```
///
/// # Panics
/// The same as for [`go`].
#[track_caller]
pub fn go_pinned<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let spec = Spec { pinned: true, ..Spec::default() };
    match goroutine::spawn("go_pinned", Some(&spec), f) {
        Ok(handle) => handle,
        Err(NoRecord(_)) => no_record(),
    }
}

/// Lets other goroutines run: the caller goes to the shared queue's tail. **Suspends.**
///
/// With nothing else to run it returns at once. If the runtime is closing with
/// [`AtMainReturn::Unwind`](crate::AtMainReturn), the goroutine unwinds from here.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (sender, receiver) = gmp::chan(1);
///     gmp::go(move || sender.send(7));
///     while receiver.is_empty() {
///         gmp::yield_now();
///     }
///     assert_eq!(receiver.try_recv(), Ok(7));
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "Gosched")]
#[inline]
#[track_caller]
pub fn yield_now() {
    goroutine::yield_now();
}

/// Lets others run if the caller's time slice is over, and returns at once if it is not: for loops that compute.
/// **Suspends** in the first case. On a plain thread it does nothing.
///
/// While no slice is over anywhere this is one load and a branch.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// let sum = runtime.run(|| {
///     (0..1000_u64).fold(0, |sum, number| {
///         gmp::checkpoint();
///         sum + number
///     })
/// }).unwrap();
/// assert_eq!(sum.value, 499_500);
/// ```
#[inline]
pub fn checkpoint() {
    gmp_core::give_way();
}

/// Ends the calling goroutine: its destructors run, and its handle gets [`JoinError::Exited`](crate::JoinError). In
/// main, the others go on until none is left. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let handle: gmp::JoinHandle<u32> = gmp::go(|| gmp::exit());
///     assert!(matches!(handle.join(), Err(gmp::JoinError::Exited)));
/// }).unwrap();
/// ```
///
/// It is an unwind with a private payload: `catch_unwind` in user code stops it, guards of `std::sync::Mutex` poison
/// their mutex as in a panic, and a program built with `panic = "abort"` aborts here.
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "Goexit")]
#[track_caller]
pub fn exit() -> ! {
    goroutine::exit()
}

/// Sleeps for at least `duration`; zero returns at once, without a yield, as in Go. **Suspends.**
///
/// Durations below a millisecond are not rounded up.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use std::time::{Duration, Instant};
///
/// runtime.run(|| {
///     let start = Instant::now();
///     let sleepers: Vec<_> = (0..1000).map(|_| gmp::go(|| gmp::sleep(Duration::from_millis(20)))).collect();
///     sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
///     assert!(start.elapsed() >= Duration::from_millis(20));
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn sleep(duration: Duration) {
    goroutine::unwind_if_closing(gmp_core::park::sleep(duration));
}

/// Waits until an [`Unparker`](crate::Unparker) of this goroutine is used; returns at once if one has been since the
/// last `park`. **Suspends.**
///
/// One permit is kept, as for [`std::thread::park`]; unlike there, `park` does not return without one.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let unparker = gmp::current().unwrap().unparker();
///     let waker = gmp::go(move || unparker.unpark());
///     gmp::park();
///     waker.join().unwrap();
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn park() {
    goroutine::unwind_if_closing(goroutine::park(None));
}

/// [`park`], for at most `timeout`. **Suspends.**
///
/// Returns [`Wake::Woken`] if an unparker was used, [`Wake::TimedOut`] otherwise.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// use gmp::Wake;
/// use std::time::Duration;
///
/// runtime.run(|| {
///     assert_eq!(gmp::park_timeout(Duration::from_millis(1)), Wake::TimedOut);
///     gmp::current().unwrap().unparker().unpark();
///     assert_eq!(gmp::park_timeout(Duration::from_secs(3600)), Wake::Woken);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn park_timeout(timeout: Duration) -> Wake {
    let wake = goroutine::park(Some(timeout));
    goroutine::unwind_if_closing(wake);
    wake
}

/// The calling goroutine: number, name, labels, creation site, and its [`Unparker`](crate::Unparker). `None` on a plain
/// thread. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| assert_eq!(gmp::current().unwrap().number, 1)).unwrap();
/// assert!(gmp::current().is_none());
/// ```
#[doc(alias = "getg")]
pub fn current() -> Option<Current> {
    goroutine::current()
}

/// Locks the calling goroutine to its OS thread until the guard is dropped; counted, so it nests. While it is locked
/// its thread runs nothing else; if it ends while locked (the guard was leaked), the thread ends with it. Never
/// suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let lock = gmp::lock_os_thread();
///     let thread = std::thread::current().id();
///     gmp::yield_now();
///     assert_eq!(std::thread::current().id(), thread);
///     drop(lock);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, and at the 65,536th lock of one goroutine.
#[doc(alias = "LockOSThread")]
#[track_caller]
pub fn lock_os_thread() -> ThreadLock {
    goroutine::lock_os_thread()
}

/// Calls `f` on the thread's own, large stack and comes back. For calls into code that needs more stack than a
/// goroutine has. `f` must not call the runtime. Outside a goroutine, and where each goroutine is a thread, which has
/// such a stack, it just calls `f`. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// fn digest(data: &mut [u8; 1 << 20]) -> u8 {
///     data.iter().fold(0, |sum, byte| sum ^ byte)
/// }
/// runtime.run(|| {
///     // An array of 1 MiB does not fit on a goroutine's stack of 1 MiB.
///     let digest = gmp::on_system_stack(|| digest(&mut [7; 1 << 20]));
///     assert_eq!(digest, 0);
/// }).unwrap();
/// ```
///
/// # Panics
/// If `f` panics; and the calls of this crate that need a goroutine panic inside `f`.
#[doc(alias = "systemstack")]
#[track_caller]
pub fn on_system_stack<R>(f: impl FnOnce() -> R) -> R {
    goroutine::on_system_stack(f)
}

/// Sets the number of Ps and returns the number before. The world is stopped for a moment unless the number is the same
/// already: a goroutine that computes without calling the runtime delays that, by some 10 ms unless too many of them
/// overrun their time slices. **Suspends.**
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let before = gmp::set_max_procs(4);
///     assert_eq!(gmp::max_procs(), 4);
///     assert_eq!(gmp::set_max_procs(before), 4);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, for 0 and for more than 1,048,576.
#[doc(alias = "GOMAXPROCS")]
#[track_caller]
pub fn set_max_procs(procs: usize) -> usize {
    goroutine::set_max_procs(procs)
}

/// The number of Ps. Never suspends.
///
/// Shown at [`set_max_procs`].
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn max_procs() -> usize {
    goroutine::with_runtime("max_procs", |runtime| runtime.max_procs())
}

/// How many goroutines of this runtime have not ended. Never suspends.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let parked = gmp::go(gmp::park);
///     assert_eq!(gmp::num_goroutines(), 2);
///     drop(parked);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[doc(alias = "NumGoroutine")]
#[track_caller]
pub fn num_goroutines() -> usize {
    goroutine::with_runtime("num_goroutines", |runtime| runtime.num_goroutines())
}

/// Statistics of this runtime. Never suspends.
///
/// It takes the scheduler's lock and looks at the record of every goroutine in the process, so call it only now and then.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let parked = gmp::go(gmp::park);
///     while gmp::stats().waiting == 0 {
///         gmp::sleep(std::time::Duration::from_millis(1));
///     }
///     let stats = gmp::stats();
///     assert_eq!((stats.goroutines, stats.running, stats.waiting), (2, 1, 1));
///     drop(parked);
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine.
#[track_caller]
pub fn stats() -> Stats {
    goroutine::with_runtime("stats", |runtime| runtime.stats())
}
