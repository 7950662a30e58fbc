//! `Pollable`: any descriptor that epoll knows.

use crate::endpoint::Endpoint;
use crate::socket::terms;
use gmp_core::contract::Side;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// A descriptor that goroutines can wait for: a pipe, an eventfd, a timerfd, inotify, the socket of a C library. It is put
/// into non-blocking mode; [`Pollable::into_inner`] leaves it there.
///
/// ```
/// use gmp::net::Pollable;
/// use std::io::{Read, Write};
///
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// let (reader, mut writer) = std::io::pipe()?;
/// let mut reader = Pollable::new(reader)?;
/// let answer = gmp::go(move || {
///     let mut text = String::new();
///     reader.read_to_string(&mut text).map(|_| text)
/// });
/// writer.write_all(b"through a pipe")?;
/// drop(writer);
/// assert_eq!(answer.join().unwrap()?, "through a pipe");
/// # std::io::Result::Ok(())
/// # }).unwrap().value.unwrap();
/// ```
#[derive(Debug)]
pub struct Pollable<T: AsFd>(Endpoint<PollableIo<T>>);

terms!(Pollable<T: AsFd>);

/// The descriptor of a `Pollable`.
#[derive(Debug)]
struct PollableIo<T>(T);

impl<T: AsFd> AsFd for PollableIo<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl<T: AsFd> Pollable<T> {
    /// Makes one from `io`, whose `as_fd` has to return the same descriptor each time. Never suspends.
    ///
    /// # Errors
    /// The system's. If epoll does not know the descriptor (a regular file, a folder), the first wait says so.
    pub fn new(io: T) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&io, true)?;
        Self::keeping_mode(io)
    }

    /// The same for a descriptor that other processes use as well, and with it the mode: it is left in the one that it has.
    /// Where that is the blocking one `Read` and `Write` block the thread, so operations for [`Pollable::read_with`] have
    /// to ask the system first whether they would. Never suspends.
    ///
    /// # Errors
    /// As [`Pollable::new`].
    pub fn keeping_mode(io: T) -> io::Result<Self> {
        let endpoint = Endpoint::new(PollableIo(io))?;
        endpoint.set_duplicated();
        Ok(Self(endpoint))
    }

    /// The value that this was made from. Never suspends.
    pub fn get_ref(&self) -> &T {
        &self.0.io().0
    }

    /// Gives back the value that this was made from, in non-blocking mode. Never suspends.
    ///
    /// # Errors
    /// It was closed.
    pub fn into_inner(self) -> io::Result<T> {
        self.0.into_io().map(|io| io.0)
    }

    /// Calls `operation` until it returns something other than [`WouldBlock`](io::ErrorKind::WouldBlock), and in
    /// between waits until there is something to read. **Suspends.**
    ///
    /// # Errors
    /// The operation's; it was closed; its deadline or time-out has passed.
    #[track_caller]
    pub fn read_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.0.when_ready(Side::Read, |io| operation(&io.0))
    }

    /// [`Pollable::read_with`] for async code, awaited on a goroutine. Never suspends: the future does the waiting.
    ///
    /// # Errors
    /// The operation's; it was closed; it is awaited outside a goroutine.
    pub fn read_with_async<'a, R>(
        &'a self,
        mut operation: impl FnMut(&T) -> io::Result<R> + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.0.attempts(Side::Read, move |io| operation(&io.0))
    }

    /// [`Pollable::write_with`] for async code, awaited on a goroutine. Never suspends: the future does the waiting.
    ///
    /// # Errors
    /// The same as for [`Pollable::read_with_async`].
    pub fn write_with_async<'a, R>(
        &'a self,
        mut operation: impl FnMut(&T) -> io::Result<R> + 'a,
    ) -> impl Future<Output = io::Result<R>> + 'a {
        self.0.attempts(Side::Write, move |io| operation(&io.0))
    }

    /// [`Pollable::read_with`] for writing. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`Pollable::read_with`].
    #[track_caller]
    pub fn write_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.0.when_ready(Side::Write, |io| operation(&io.0))
    }
}

impl<T: AsFd + Into<OwnedFd>> Pollable<T> {
    /// Closes it while others wait for it: they get an error, and so does every later call. The descriptor is closed,
    /// and its number is free again when this is dropped. Never suspends.
    ///
    /// Only what owns its descriptor can be closed: a borrowed one is somebody else's.
    ///
    /// ```compile_fail,E0599
    /// let standard_input = gmp_net::Pollable::new(std::io::stdin()).unwrap();
    /// let _everybodys = standard_input.close();
    /// ```
    ///
    /// # Errors
    /// It was closed already; or the system's.
    pub fn close(&self) -> io::Result<()> {
        self.0.close()
    }
}

impl<T: AsFd> AsFd for Pollable<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.io().as_fd()
    }
}

impl<T: AsFd> Read for Pollable<T>
where
    for<'a> &'a T: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }
}

impl<T: AsFd> Read for &Pollable<T>
where
    for<'a> &'a T: Read,
{
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_with(|mut io| io.read(buf))
    }
}

impl<T: AsFd> Write for Pollable<T>
where
    for<'a> &'a T: Write,
{
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self).flush()
    }
}

impl<T: AsFd> Write for &Pollable<T>
where
    for<'a> &'a T: Write,
{
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.write_with(|mut io| io.write(buf))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_with(|mut io| io.flush())
    }
}
