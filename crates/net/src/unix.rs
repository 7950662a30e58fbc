//! Sockets of the local machine (`AF_UNIX`).

use crate::endpoint::Endpoint;
use crate::socket::{passed_on, socket, stream, terms};
use gmp_core::contract::Side;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

/// A local socket at which connections come in; see [`std::os::unix::net::UnixListener`].
#[derive(Debug)]
pub struct UnixListener(Endpoint<net::UnixListener>);

socket!(UnixListener, net::UnixListener);

impl UnixListener {
    /// Listens at a path. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(net::UnixListener::bind(path)?)
    }

    /// Listens at an address. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::new(net::UnixListener::bind_addr(address)?)
    }

    /// The next connection. **Suspends.**
    ///
    /// # Errors
    /// The socket was closed, or its deadline has passed; or the system's, such as too many open files: then the connection
    /// goes on waiting to be accepted.
    #[track_caller]
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, address) = self.0.when_ready(Side::Read, net::UnixListener::accept)?;
        Ok((UnixStream::new(stream)?, address))
    }

    /// [`UnixListener::accept`] for async code, awaited on a goroutine. Never suspends: the future does the waiting.
    ///
    /// # Errors
    /// The same as for [`UnixListener::accept`]; it is awaited outside a goroutine.
    pub fn accept_async(&self) -> impl Future<Output = io::Result<(UnixStream, SocketAddr)>> + Send + '_ {
        self.0.attempts(Side::Read, |listener| {
            let (stream, address) = listener.accept()?;
            Ok((UnixStream::new(stream)?, address))
        })
    }

    /// The connections, one after another, without end. Each step **suspends.**
    pub fn incoming(&self) -> UnixIncoming<'_> {
        UnixIncoming { listener: self }
    }

    /// The moment until which `accept` may wait, also for callers that wait already; `None`: for ever. Never suspends.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.0.set_deadline(Side::Read, deadline);
    }
}

passed_on!(UnixListener {
    /// The address that it listens at.
    fn local_addr(&self) -> SocketAddr;
});

/// The connections of a local listener; see [`UnixListener::incoming`].
#[derive(Debug)]
pub struct UnixIncoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for UnixIncoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl std::iter::FusedIterator for UnixIncoming<'_> {}

/// A local connection; see [`std::os::unix::net::UnixStream`].
#[derive(Debug)]
pub struct UnixStream(pub(crate) Endpoint<net::UnixStream>);

socket!(UnixStream, net::UnixStream);
terms!(UnixStream);
stream!(UnixStream);

impl UnixStream {
    /// Connects to a path. **Suspends**, as `blocking` does: the system has no other way to wait until a listener has room.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(gmp_core::blocking(|| net::UnixStream::connect(path))?)
    }

    /// Connects to an address. **Suspends**, as [`UnixStream::connect`] does.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn connect_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::new(gmp_core::blocking(|| net::UnixStream::connect_addr(address))?)
    }

    /// Makes two sockets that are connected with each other. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixStream::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }
}

passed_on!(UnixStream {
    /// The address of the other side.
    fn peer_addr(&self) -> SocketAddr;
    /// The address of this side.
    fn local_addr(&self) -> SocketAddr;
    /// Ends reading, writing or both; whoever waits on that side is woken.
    fn shutdown(&self, how: Shutdown) -> ();
});

impl Read for &UnixStream {
    // Descriptors that are passed along end a read early, so a short one does not mean that there is no more.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |socket| crate::calls::read(socket, buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |mut socket| socket.read_vectored(bufs))
    }
}

/// A local socket for datagrams; see [`std::os::unix::net::UnixDatagram`].
#[derive(Debug)]
pub struct UnixDatagram(Endpoint<net::UnixDatagram>);

socket!(UnixDatagram, net::UnixDatagram);
terms!(UnixDatagram);

impl UnixDatagram {
    /// Makes a socket at a path. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::new(net::UnixDatagram::bind(path)?)
    }

    /// Makes a socket at an address. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn bind_addr(address: &SocketAddr) -> io::Result<Self> {
        Self::new(net::UnixDatagram::bind_addr(address)?)
    }

    /// Makes a socket without an address. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn unbound() -> io::Result<Self> {
        Self::new(net::UnixDatagram::unbound()?)
    }

    /// Makes two sockets that are connected with each other. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = net::UnixDatagram::pair()?;
        Ok((Self::new(one)?, Self::new(other)?))
    }

    /// Names the peer that `send` sends to. Never suspends.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.0.call(|socket| socket.connect(path))
    }

    /// Receives, and says from whom. **Suspends.**
    ///
    /// # Errors
    /// The socket was closed, or its deadline or time-out has passed; or the system's.
    #[track_caller]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.when_ready(Side::Read, |socket| socket.recv_from(buf))
    }

    /// Receives. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UnixDatagram::recv_from`].
    #[track_caller]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |socket| socket.recv(buf))
    }

    /// Sends to a path. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UnixDatagram::recv_from`].
    #[track_caller]
    pub fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.0.when_ready(Side::Write, |socket| socket.send_to(buf, path))
    }

    /// Sends to the peer that [`UnixDatagram::connect`] named. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UnixDatagram::recv_from`].
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Write, |socket| socket.send(buf))
    }
}

passed_on!(UnixDatagram {
    /// The peer that [`UnixDatagram::connect`] named.
    fn peer_addr(&self) -> SocketAddr;
    /// The address of this side.
    fn local_addr(&self) -> SocketAddr;
    /// Ends reading, writing or both; whoever waits on that side is woken.
    fn shutdown(&self, how: Shutdown) -> ();
});
