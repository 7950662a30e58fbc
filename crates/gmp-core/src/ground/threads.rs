//! How the runtime makes a thread.
//!
//! std gives each thread a signal stack as the first thing that it does, and aborts the process if the operating system
//! refuses the memory. Whoever asks for a thread is to get an error then. So before the thread is made, the memory that
//! it takes is asked for and given back, together with what those threads still need that have yet to begin: where that
//! is refused, so is the thread. What others take between the question and the thread's first step cannot be known.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};

/// What a thread needs beyond its stack: its guard, the signal stacks of std and of ours, and some more, for other threads
/// ask for memory, too.
const BEYOND: usize = 256 << 10;
/// A thread's stack, unless `RUST_MIN_STACK` says otherwise.
const STACK: usize = 2 << 20;

/// Asks the operating system for this many bytes of address space, and gives them back.
type Probe = fn(usize) -> io::Result<()>;

/// The process's probe, once a runtime was made whose switch has one.
static PROBE: OnceLock<Probe> = OnceLock::new();

/// Threads that were made and have yet to begin.
static BEGINNING: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn install(probe: Option<Probe>) {
    if let Some(probe) = probe {
        PROBE.get_or_init(|| probe);
    }
}

/// Makes a thread of this name.
///
/// # Errors
/// What the operating system said.
pub(crate) fn spawn<T: Send + 'static>(
    name: String,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    spawn_after(PROBE.get().copied(), name, f)
}

fn spawn_after<T: Send + 'static>(
    probe: Option<Probe>,
    name: String,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let wanted = stack_size().saturating_add((BEGINNING.fetch_add(1, Relaxed) + 1) * BEYOND);
    let thread = || {
        // std has made the thread's signal stack by now.
        BEGINNING.fetch_sub(1, Relaxed);
        f()
    };
    let made =
        probe.map_or(Ok(()), |probe| probe(wanted)).and_then(|()| Builder::new().name(name).spawn(thread));
    if made.is_err() {
        BEGINNING.fetch_sub(1, Relaxed);
    }
    made
}

/// The size that std gives a thread's stack.
fn stack_size() -> usize {
    static SIZE: OnceLock<usize> = OnceLock::new();
    let said = || std::env::var("RUST_MIN_STACK").ok().and_then(|said| said.parse().ok());
    *SIZE.get_or_init(|| said().unwrap_or(STACK))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_an_error_and_no_thread_is_made() {
        let refuses: Probe = |bytes| {
            assert!(bytes > STACK);
            Err(io::ErrorKind::OutOfMemory.into())
        };
        let refused = spawn_after(Some(refuses), "never".into(), || panic!("it was made")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
    }

    #[test]
    fn a_thread_that_may_be_had_is_made_by_its_name() {
        let name = || std::thread::current().name().map(str::to_owned);
        assert_eq!(
            spawn_after(Some(|_| Ok(())), "one".into(), name).unwrap().join().unwrap().as_deref(),
            Some("one")
        );
    }
}
