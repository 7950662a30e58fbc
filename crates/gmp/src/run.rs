//! `run`: a runtime with the defaults, for one closure.

use crate::builder::Builder;
use crate::{Finished, RunError};
use std::sync::{Arc, Mutex, PoisonError};

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
/// If `main` panics; and with the text of a [`BuildError`](crate::BuildError) or a [`RunError`]: goroutines cannot have
/// thread-locals of their own on this system, all goroutines are asleep, the caller is itself a goroutine.
#[track_caller]
pub fn run<F, T>(main: F) -> T
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let value = Arc::new(Mutex::new(None));
    let place = Arc::clone(&value);
    let finished = run_body(Box::new(move || {
        let returned = main();
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(returned);
    }));
    match finished {
        Ok(_) => {
            let mut value = value.lock().unwrap_or_else(PoisonError::into_inner);
            value.take().expect("a main that did not panic has left its value")
        }
        Err(RunError::Panicked(payload)) => std::panic::resume_unwind(payload.into_inner()),
        Err(error) => panic!("gmp::run: {error}"),
    }
}

/// The part that no type of the caller's has a share in: the runtime with the default policy is compiled here, once,
/// and not again in each program (in debug builds also for programs that use a [`Builder`]).
#[track_caller]
fn run_body(main: Box<dyn FnOnce() + Send>) -> Result<Finished<()>, RunError> {
    match Builder::new().build() {
        Ok(runtime) => runtime.run(main),
        Err(error) => panic!("gmp::run: {error}"),
    }
}
