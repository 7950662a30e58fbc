//! Work on a thread made for it, since tables of symbols need more stack than a goroutine may have.

use std::thread;

/// Runs `work` for `call` on a thread of this name, and waits for it. A panic goes on here.
///
/// # Panics
/// If the operating system refuses the thread.
pub(crate) fn elsewhere<T: Send>(name: &str, call: &str, work: impl FnOnce() -> T + Send) -> T {
    let done = thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.into());
        thread.spawn_scoped(scope, work).map(thread::ScopedJoinHandle::join)
    });
    match done {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("{call}: the operating system refused a thread: {error}"),
    }
}
