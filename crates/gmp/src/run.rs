//! `run`: a runtime with the defaults, for one closure.

use crate::RunError;
use crate::builder::Builder;

/// Runs `main` as the main goroutine of a runtime as [`Builder::new`] makes it, and returns what it returned. The short way
/// to write `Builder::new().build()?.run(main)?.value`; [`main`](macro@crate::main) and [`test`](macro@crate::test) are
/// attributes that do this for a whole function.
///
/// ```
/// let answer = gmp::run(|| gmp::go(|| 6 * 7).join().unwrap());
/// assert_eq!(answer, 42);
/// ```
///
/// # Panics
/// As `main` does; and with the text of a [`BuildError`](crate::BuildError) or a [`RunError`]: goroutines cannot have
/// thread-locals of their own on this system, all goroutines are asleep, the caller is itself a goroutine.
#[track_caller]
pub fn run<F, T>(main: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let runtime = match Builder::new().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("gmp::run: {error}"),
    };
    match runtime.run(main) {
        Ok(finished) => finished.value,
        Err(RunError::Panicked(payload)) => std::panic::resume_unwind(payload.into_inner()),
        Err(error) => panic!("gmp::run: {error}"),
    }
}
