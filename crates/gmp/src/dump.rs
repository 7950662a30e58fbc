//! `dump`: every goroutine with its stack. With the feature `dump`.

use crate::Handle;
use gmp_core::runtime as core_runtime;

#[doc(inline)]
pub use gmp_core::sight::{Object, Sight, State};
#[doc(inline)]
pub use gmp_inspect::{Dump, Frame, Group};

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
    crate::blocking(|| gmp_inspect::dump_elsewhere(&handle))
}

impl Handle {
    /// Dumps the goroutines of this runtime, as [`gmp::dump`](crate::dump()) does, on any thread. **Suspends** a goroutine, as
    /// [`blocking`](crate::blocking) does.
    ///
    /// # Panics
    /// If the operating system refuses a thread.
    #[must_use]
    pub fn dump(&self) -> Dump {
        crate::blocking(|| gmp_inspect::dump_elsewhere(&self.0))
    }
}
