//! Dumps on a signal, by a thread that is no M: it works when every M is stuck.
//!
//! The handler writes the signal's number to a pipe. The thread, which sleeps at the pipe's other end for the rest of
//! the program, dumps every runtime that asked for this signal to standard error. It does so by `write(2)`, past the
//! lock of `std::io::stderr`, which a stuck goroutine may hold. The thread wakes no goroutine, so the search for
//! deadlocks does not count it.

use crate::dump::dump;
use core::ffi::c_int;
use core::mem::MaybeUninit;
use core::ptr::null_mut;
use gmp_core::runtime::Handle;
use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The pipe's writing end; -1: there is no pipe yet.
static PIPE: AtomicI32 = AtomicI32::new(-1);

struct Request {
    id: u64,
    signal: c_int,
    handle: Handle,
}

/// The requests for dumps.
static REQUESTS: Mutex<Vec<Request>> = Mutex::new(Vec::new());

fn requests() -> MutexGuard<'static, Vec<Request>> {
    REQUESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A runtime is dumped on a signal for as long as this lives.
#[derive(Debug)]
pub struct Watched(u64);

impl Drop for Watched {
    fn drop(&mut self) {
        let gone: Vec<_> = requests().extract_if(.., |request| request.id == self.0).collect();
        // This comes after the lock is released: it may be the runtime's last handle.
        drop(gone);
    }
}

/// Dumps the runtime to standard error at each `signal` from now on, for as long as the result lives. The signal's
/// handler is replaced for the rest of the program.
///
/// # Errors
/// The signal means something else to this process; or the operating system's: there is no such signal, or it cannot be
/// caught; there is no pipe, or no thread.
pub fn dump_on(signal: i32, handle: Handle) -> io::Result<Watched> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    refuse_taken(signal)?;
    let mut requests = requests();
    start()?;
    if !requests.iter().any(|request| request.signal == signal) {
        catch(signal)?;
    }
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    requests.push(Request { id, signal, handle });
    Ok(Watched(id))
}

/// Signals that mean something else to this very process: a fault comes again as soon as its handler has returned, and a
/// dump asks threads for their stacks by SIGURG.
fn refuse_taken(signal: c_int) -> io::Result<()> {
    let why = match signal {
        libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE => {
            "it says that the program has gone wrong"
        }
        libc::SIGURG => "dumps ask threads for their stacks by it",
        _ => return Ok(()),
    };
    let error = format!("a handler for signal {signal} (Builder::dump_on): {why}; take another one");
    Err(io::Error::new(io::ErrorKind::InvalidInput, error))
}

/// Makes the pipe and the thread, once; under the lock.
fn start() -> io::Result<()> {
    if PIPE.load(Ordering::Relaxed) != -1 {
        return Ok(());
    }
    let (reader, writer) = io::pipe()?;
    gmp_core::helpers::spawn("gmp-dump", move || serve(reader))?;
    // The pipe stays open for the rest of the program.
    let writer = std::os::fd::IntoRawFd::into_raw_fd(writer);
    // A handler must not wait: of a thousand signals at once, as many as fit into the pipe are enough.
    // SAFETY: sets a flag of a pipe of ours.
    unsafe { libc::fcntl(writer, libc::F_SETFL, libc::O_NONBLOCK) };
    PIPE.store(writer, Ordering::Relaxed);
    Ok(())
}

fn catch(signal: c_int) -> io::Result<()> {
    // SAFETY: all zeroes is a valid action, filled in below.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler only writes to a pipe.
    if unsafe { libc::sigaction(signal, &raw const action, null_mut()) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    Err(io::Error::new(error.kind(), format!("a handler for signal {signal} (Builder::dump_on): {error}")))
}

extern "C" fn handler(signal: c_int) {
    // SAFETY: the place of this thread's errno, which is kept as it was.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let number = signal as u8;
        libc::write(PIPE.load(Ordering::Relaxed), (&raw const number).cast(), 1);
        *errno = before;
    }
}

fn serve(mut reader: io::PipeReader) {
    let mut number = [0];
    while io::Read::read_exact(&mut reader, &mut number).is_ok() {
        let signal = c_int::from(number[0]);
        let wanted = |request: &&Request| request.signal == signal;
        let handles: Vec<_> =
            requests().iter().filter(wanted).map(|request| request.handle.clone()).collect();
        for handle in handles {
            write_all(dump(&handle).to_string().as_bytes());
        }
    }
}

/// Writes to standard error, past its lock.
pub(crate) fn write_all(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: reads the bytes only.
        let written = unsafe { libc::write(libc::STDERR_FILENO, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) => bytes = &bytes[written..],
            Err(_) if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}
