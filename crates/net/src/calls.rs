//! The system calls of streams, made without libc where rustix can do without it. libc's wrappers let a thread be cancelled
//! while it waits, which takes two locked instructions a call; here no call waits, and no goroutine is cancelled so.

use rustix::net::{RecvFlags, SendFlags};
use std::io;
use std::os::fd::AsFd;

/// Reads. `recv` rather than `read`: the kernel goes to the socket at once, and not by way of what files need.
#[inline]
pub(crate) fn read(socket: impl AsFd, buf: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, buf, RecvFlags::empty())?.0)
}

/// Reads into memory that need not be initialized. As many bytes as the result says are initialized afterwards.
#[cfg(any(feature = "futures-io", feature = "tokio", feature = "hyper"))]
#[inline]
pub(crate) fn read_uninit(socket: impl AsFd, buf: &mut [std::mem::MaybeUninit<u8>]) -> io::Result<usize> {
    let ((filled, _), _) = rustix::net::recv(socket, buf, RecvFlags::empty())?;
    Ok(filled.len())
}

/// Writes. Whoever writes to one that has gone gets an error, and no signal.
#[inline]
pub(crate) fn write(socket: impl AsFd, buf: &[u8]) -> io::Result<usize> {
    Ok(rustix::net::send(socket, buf, SendFlags::NOSIGNAL)?)
}
