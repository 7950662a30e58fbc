//! The standard streams.
//!
//! Other processes have them, too: the shell, whoever writes to the same terminal. So they stay in the mode in which they
//! are, which is mostly the blocking one, and every call first asks the system whether it would block. Only then does it
//! wait, by the poller. A file is always ready. Go's standard streams block a thread unless they are in non-blocking mode.

use gmp_net::{Pollable, RawConn};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::OnceLock;

/// A pipe that is ready has room for so much.
const PIPE_BUF: usize = 4096;
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Says that a call would block, unless it would not.
fn ready(fd: BorrowedFd<'_>, what: PollFlags) -> io::Result<()> {
    let mut asked = [PollFd::from_borrowed_fd(fd, what)];
    // At its end, or broken: then a call does not block either.
    match retry_on_intr(|| poll(&mut asked, Some(&AT_ONCE)))? {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        _ => Ok(()),
    }
}

macro_rules! stream {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name(&'static Pollable<io::$name>);

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.get_ref().as_fd()
            }
        }

        impl RawConn for $name {
            fn read_raw(
                &self,
                call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
            ) -> io::Result<usize> {
                self.0.read_with(|io| ready(io.as_fd(), PollFlags::IN).and_then(|()| call(io.as_fd())))
            }

            fn write_raw(
                &self,
                call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
            ) -> io::Result<usize> {
                self.0.write_with(|io| ready(io.as_fd(), PollFlags::OUT).and_then(|()| call(io.as_fd())))
            }
        }
    };
}

stream! {
    /// Standard input, of which a read waits as a goroutine; see [`stdin`].
    Stdin
}

stream! {
    /// Standard output, of which a write waits as a goroutine; see [`stdout`].
    Stdout
}

stream! {
    /// Standard error, of which a write waits as a goroutine; see [`stderr`].
    Stderr
}

/// Standard input, without a buffer: put a [`BufReader`](io::BufReader) around it, and keep that. What std has read ahead
/// for its own [`std::io::stdin`] is not seen here. Never suspends.
///
/// # Errors
/// The system's: too many open files.
pub fn stdin() -> io::Result<Stdin> {
    static STREAM: OnceLock<Pollable<io::Stdin>> = OnceLock::new();
    the_one(&STREAM, io::stdin()).map(Stdin)
}

/// Standard output, without a buffer: put a [`LineWriter`](io::LineWriter) around it. What std keeps for its own
/// [`std::io::stdout`] comes when that is flushed. Never suspends.
///
/// # Errors
/// As [`stdin`].
pub fn stdout() -> io::Result<Stdout> {
    static STREAM: OnceLock<Pollable<io::Stdout>> = OnceLock::new();
    the_one(&STREAM, io::stdout()).map(Stdout)
}

/// Standard error, without a buffer. Never suspends.
///
/// # Errors
/// As [`stdin`].
pub fn stderr() -> io::Result<Stderr> {
    static STREAM: OnceLock<Pollable<io::Stderr>> = OnceLock::new();
    the_one(&STREAM, io::stderr()).map(Stderr)
}

/// A poller knows a descriptor once, so there is one of each. What fails is not kept: it may be done the next time.
fn the_one<T: AsFd>(cell: &'static OnceLock<Pollable<T>>, stream: T) -> io::Result<&'static Pollable<T>> {
    if let Some(one) = cell.get() {
        return Ok(one);
    }
    let one = Pollable::keeping_mode(stream)?;
    Ok(cell.get_or_init(|| one))
}

impl Read for Stdin {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_raw(&mut |fd| Ok(rustix::io::read(fd, &mut *buf)?))
    }
}

macro_rules! writes {
    ($($name:ident)*) => {
        $(
            impl Write for $name {
                fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                    // More might block although the stream is ready.
                    let buf = &buf[..buf.len().min(PIPE_BUF)];
                    self.write_raw(&mut |fd| Ok(rustix::io::write(fd, buf)?))
                }

                fn flush(&mut self) -> io::Result<()> {
                    Ok(())
                }
            }
        )*
    };
}
writes!(Stdout Stderr);
