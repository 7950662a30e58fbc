//! `dump`: every goroutine with its stack. With the feature `dump`.

use crate::Handle;
use gmp_core::runtime as core_runtime;
use std::thread;

#[doc(inline)]
pub use gmp_inspect::{Dump, Frame, Group};
#[doc(inline)]
pub use gmp_core::sight::{Object, Sight, State};

/// Dumps the goroutines of the caller's runtime: what each does or waits for, at which object and since when, who started
/// it, and its stack with function names and lines. The program runs on meanwhile. **Suspends**, as
/// [`blocking`](crate::blocking) does.
///
/// Goroutines with equal stacks stand together, the largest group first. `{}` prints a dump as Go does, without the
/// runtime's own frames, `{:#}` with them, and [`Dump::to_json`] is for programs. Goroutines that run, or sit in
/// [`blocking`](crate::blocking), show their stacks by a signal to their thread (SIGURG), which may end a sleep or a poll
/// of C code with EINTR.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// runtime.run(|| {
///     let (_keeps_it_open, values) = gmp::chan::<u32>(0);
///     gmp::spawn().name("waiter").go(move || values.recv()).unwrap();
///     gmp::yield_now();
///     let text = gmp::dump().to_string();
///     assert!(text.contains("[waiter] [chan receive at 0x"), "{text}");
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, where [`Handle::dump`] is at hand, and if the operating system refuses a thread.
#[doc(alias = "SIGQUIT")]
#[doc(alias = "GoroutineProfile")]
#[doc(alias = "debug.Stack")]
#[track_caller]
pub fn dump() -> Dump {
    let handle = gmp_core::goroutine::with_runtime("dump", core_runtime::Handle::clone);
    crate::blocking(|| on_a_thread(&handle))
}

impl Handle {
    /// Dumps the goroutines of this runtime, as [`gmp::dump`](crate::dump()) does. Never suspends, but blocks its thread for as long
    /// as the dump takes: in a goroutine [`gmp::dump`](crate::dump()) is better.
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    #[must_use]
    pub fn dump(&self) -> Dump {
        on_a_thread(&self.0)
    }
}

/// Tables of symbols need more stack than a goroutine may have.
fn on_a_thread(handle: &core_runtime::Handle) -> Dump {
    let dumped = thread::scope(|scope| {
        let thread = thread::Builder::new().name("gmp-dump".into());
        thread.spawn_scoped(scope, || gmp_inspect::dump(handle)).map(thread::ScopedJoinHandle::join)
    });
    match dumped {
        Ok(Ok(dump)) => dump,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("gmp::dump: the operating system refused a thread: {error}"),
    }
}
