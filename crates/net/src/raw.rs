//! `RawConn`: system calls of one's own at what goroutines wait for.

use crate::{Pollable, TcpStream, UnixStream};
use gmp_core::contract::Side;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// Something with a descriptor at which system calls of one's own wait as those of its type do: deadlines, time-outs and
/// `close` end them. A call says [`WouldBlock`](io::ErrorKind::WouldBlock) where it would have to wait.
#[doc(alias = "SyscallConn")]
pub trait RawConn {
    /// Calls `call` until it does not say that it would block, and waits in between until there is something to read.
    /// **Suspends.**
    ///
    /// # Errors
    /// What the call says; the descriptor was closed; its deadline or time-out has passed.
    #[doc(alias = "Read")]
    #[track_caller]
    fn read_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize>;

    /// The same for writing. **Suspends.**
    ///
    /// # Errors
    /// As [`RawConn::read_raw`].
    #[doc(alias = "Write")]
    #[track_caller]
    fn write_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize>;
}

macro_rules! raw {
    ($($name:ident)*) => {
        $(
            impl RawConn for $name {
                fn read_raw(
                    &self,
                    call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
                ) -> io::Result<usize> {
                    self.0.when_ready(Side::Read, |socket| call(socket.as_fd()))
                }

                fn write_raw(
                    &self,
                    call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>,
                ) -> io::Result<usize> {
                    self.0.when_ready(Side::Write, |socket| call(socket.as_fd()))
                }
            }
        )*
    };
}
raw!(TcpStream UnixStream);

impl<T: AsFd> RawConn for Pollable<T> {
    fn read_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        self.read_with(|io| call(io.as_fd()))
    }

    fn write_raw(&self, call: &mut dyn FnMut(BorrowedFd<'_>) -> io::Result<usize>) -> io::Result<usize> {
        self.write_with(|io| call(io.as_fd()))
    }
}
