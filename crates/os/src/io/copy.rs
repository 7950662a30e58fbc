//! Copies from one descriptor to another. Go: `io.Copy` where `internal/poll.Splice` serves it (1.27).
//!
//! The kernel moves pages between a descriptor and a pipe, not between any two descriptors, so a pipe of our own stands
//! between them. It is empty before each read: a read that would block waits for the source, and nothing else.

use gmp_net::RawConn;
use rustix::io::{Errno, read, retry_on_intr, write};
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};
use std::io;
use std::os::fd::OwnedFd;

/// What a pipe holds.
const CHUNK: usize = 64 << 10;
const FLAGS: SpliceFlags = SpliceFlags::MOVE.union(SpliceFlags::NONBLOCK);

/// Copies all that comes from `from` to `to`, until it ends, and returns how many bytes that was. **Suspends.**
///
/// The kernel copies where it can (`splice`), without a way through the program's memory: from and to sockets, pipes
/// and files. For anything that reads and writes, use [`std::io::copy`].
///
/// # Errors
/// As a read or a write: the system's; one of them was closed; its deadline or time-out has passed. What has been read by
/// then and not written is lost.
#[doc(alias = "Copy")]
#[track_caller]
pub fn copy<R: RawConn + ?Sized, W: RawConn + ?Sized>(from: &R, to: &W) -> io::Result<u64> {
    let pipe = Pipe::new()?;
    let mut copied = 0;
    loop {
        let filled = match pipe.fill(from) {
            Ok(0) => return Ok(copied),
            Ok(filled) => filled,
            Err(error) if is_unsuitable(&error) => return through_memory(from, to, copied),
            Err(error) => return Err(error),
        };
        match pipe.empty(filled, to) {
            Ok(()) => copied += filled as u64,
            Err((left, error)) if is_unsuitable(&error) => {
                let mut buf = vec![0; left];
                pipe.take(&mut buf)?;
                write_all(to, &buf)?;
                return through_memory(from, to, copied + filled as u64);
            }
            Err((_, error)) => return Err(error),
        }
    }
}

/// Whether the kernel does not move pages from or to a descriptor: a file to which all is appended, a terminal.
fn is_unsuitable(error: &io::Error) -> bool {
    [Errno::INVAL, Errno::NOSYS].iter().any(|&errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

struct Pipe {
    reader: OwnedFd,
    writer: OwnedFd,
}

impl Pipe {
    fn new() -> io::Result<Self> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        Ok(Self { reader, writer })
    }

    /// Moves into it, which is empty, what there is. 0: it was the end.
    #[track_caller]
    fn fill<R: RawConn + ?Sized>(&self, from: &R) -> io::Result<usize> {
        from.read_raw(&mut |fd| Ok(retry_on_intr(|| splice(fd, None, &self.writer, None, CHUNK, FLAGS))?))
    }

    /// Moves out of it what it holds. An error comes with how much is left.
    #[track_caller]
    fn empty<W: RawConn + ?Sized>(&self, filled: usize, to: &W) -> Result<(), (usize, io::Error)> {
        let mut left = filled;
        while left > 0 {
            let moved = to.write_raw(&mut |fd| {
                Ok(retry_on_intr(|| splice(&self.reader, None, fd, None, left, FLAGS))?)
            });
            match moved {
                Ok(0) => return Err((left, io::ErrorKind::WriteZero.into())),
                Ok(moved) => left -= moved,
                Err(error) => return Err((left, error)),
            }
        }
        Ok(())
    }

    /// Reads what it holds, which is as much as there is room for.
    fn take(&self, mut buf: &mut [u8]) -> io::Result<()> {
        while !buf.is_empty() {
            let taken = retry_on_intr(|| read(&self.reader, &mut *buf))?;
            buf = &mut buf[taken..];
        }
        Ok(())
    }
}

#[track_caller]
fn through_memory<R: RawConn + ?Sized, W: RawConn + ?Sized>(
    from: &R,
    to: &W,
    mut copied: u64,
) -> io::Result<u64> {
    let mut buf = vec![0; CHUNK];
    loop {
        let got = from.read_raw(&mut |fd| Ok(retry_on_intr(|| read(fd, &mut buf[..]))?))?;
        if got == 0 {
            return Ok(copied);
        }
        write_all(to, &buf[..got])?;
        copied += got as u64;
    }
}

#[track_caller]
fn write_all<W: RawConn + ?Sized>(to: &W, mut buf: &[u8]) -> io::Result<()> {
    while !buf.is_empty() {
        match to.write_raw(&mut |fd| Ok(retry_on_intr(|| write(fd, buf))?))? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => buf = &buf[written..],
        }
    }
    Ok(())
}
