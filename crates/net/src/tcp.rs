//! TCP.

use crate::addr::{first_that_does, resolve};
use crate::endpoint::Endpoint;
use crate::socket::{passed_on, socket, stream, terms};
use gmp_core::contract::Side;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{self, Shutdown, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

/// The flags that accepted and connected sockets are made with, so that no further system call is needed for them.
const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

/// A socket at which TCP connections come in; see [`std::net::TcpListener`].
#[derive(Debug)]
#[doc(alias = "TCPListener")]
pub struct TcpListener(Endpoint<net::TcpListener>);

socket!(TcpListener, net::TcpListener);

impl TcpListener {
    /// Listens at the first of the addresses that can be had. As many connections wait to be accepted as the system
    /// allows (`net.core.somaxconn`), where std lets 128 wait. **Suspends** while a name is looked up.
    ///
    /// # Errors
    /// The name has no address; or the system's.
    #[doc(alias = "Listen")]
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        let listener = net::TcpListener::bind(&*resolve(address)?)?;
        // It listens once more: the second call only sets the length of the queue.
        rustix::net::listen(&listener, i32::MAX)?;
        Self::new(listener)
    }

    /// The next connection, and where it comes from. **Suspends.**
    ///
    /// # Errors
    /// The socket was closed, or its deadline has passed; or the system's, such as too many open files: then the connection
    /// goes on waiting to be accepted.
    #[doc(alias = "Accept")]
    #[track_caller]
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.0.when_ready(Side::Read, accept)
    }

    /// [`TcpListener::accept`] for async code, awaited on a goroutine. Never suspends: the future does the waiting.
    ///
    /// # Errors
    /// The same as for [`TcpListener::accept`]; it is awaited outside a goroutine.
    pub fn accept_async(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send + '_ {
        self.0.attempts(Side::Read, accept)
    }

    /// The connections, one after another, without end. Each step **suspends.**
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// The moment until which `accept` may wait, also for callers that wait already; `None`: for ever. Never suspends.
    #[doc(alias = "SetDeadline")]
    pub fn set_deadline(&self, deadline: Option<Instant>) {
        self.0.set_deadline(Side::Read, deadline);
    }
}

/// Takes one connection.
fn accept(listener: &net::TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, address) = loop {
        match rustix::net::acceptfrom_with(listener, FLAGS) {
            // The other side has given up meanwhile.
            Err(Errno::CONNABORTED) => {}
            accepted => break accepted?,
        }
    };
    let stream = TcpStream::over(socket.into())?;
    match address.map(SocketAddr::try_from) {
        Some(Ok(address)) => Ok((stream, address)),
        _ => stream.peer_addr().map(|address| (stream, address)),
    }
}

passed_on!(TcpListener {
    /// The address that it listens at.
    fn local_addr(&self) -> SocketAddr;
    /// The time to live of what it sends.
    fn ttl(&self) -> u32;
    /// Sets the time to live of what it sends.
    fn set_ttl(&self, ttl: u32) -> ();
});

/// The connections of a listener; see [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl std::iter::FusedIterator for Incoming<'_> {}

/// A TCP connection; see [`std::net::TcpStream`].
#[derive(Debug)]
#[doc(alias = "TCPConn")]
pub struct TcpStream(pub(crate) Endpoint<net::TcpStream>);

socket!(TcpStream, net::TcpStream);
terms!(TcpStream);
stream!(TcpStream);

impl TcpStream {
    /// Connects to the first of the addresses that answers. **Suspends.**
    ///
    /// # Errors
    /// The name has no address; or the system's, for the last address.
    #[doc(alias = "Dial")]
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> io::Result<Self> {
        first_that_does(address, |address| Self::connect_until(address, None))
    }

    /// Connects, but does not wait for longer than `timeout`. **Suspends.**
    ///
    /// # Errors
    /// A time-out of zero; the time-out has passed; or the system's.
    #[doc(alias = "DialTimeout")]
    #[track_caller]
    pub fn connect_timeout(address: &SocketAddr, timeout: Duration) -> io::Result<Self> {
        Self::connect_until(address, Some(timeout))
    }

    #[track_caller]
    fn connect_until(address: &SocketAddr, timeout: Option<Duration>) -> io::Result<Self> {
        let stream = Self::unconnected(address)?;
        stream.set_write_timeout(timeout)?;
        stream.0.when_ready(Side::Write, connecting(*address))?;
        stream.set_write_timeout(None)?;
        Ok(stream)
    }

    /// [`TcpStream::connect`] for async code, awaited on a goroutine, to an address that is known. Never suspends: the
    /// future does the waiting.
    ///
    /// # Errors
    /// The system's; it is awaited outside a goroutine.
    #[expect(clippy::manual_async_fn, reason = "in this form it is `Send` for all to see, as its kin are")]
    pub fn connect_async(address: SocketAddr) -> impl Future<Output = io::Result<Self>> + Send {
        async move {
            let stream = Self::unconnected(&address)?;
            stream.0.attempts(Side::Write, connecting(address)).await?;
            Ok(stream)
        }
    }

    fn unconnected(address: &SocketAddr) -> io::Result<Self> {
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let socket = rustix::net::socket_with(family, SocketType::STREAM, FLAGS, None)?;
        Self::over(socket.into())
    }

    /// Reads without taking the bytes out. **Suspends.**
    ///
    /// # Errors
    /// The socket was closed, or its deadline or time-out has passed; or the system's.
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |socket| socket.peek(buf))
    }
}

/// The tries that it takes to connect: the first one begins the connection, the others ask what became of it.
fn connecting(address: SocketAddr) -> impl FnMut(&net::TcpStream) -> io::Result<()> {
    let mut begun = false;
    move |socket| {
        if !begun {
            begun = true;
            return match rustix::net::connect(socket, &address) {
                Err(Errno::INPROGRESS | Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
                done => Ok(done?),
            };
        }
        if let Some(error) = socket.take_error()? {
            return Err(error);
        }
        // If it has no peer it is not connected yet.
        socket.peer_addr().map(drop).map_err(|_| io::ErrorKind::WouldBlock.into())
    }
}

passed_on!(TcpStream {
    /// The address of the other side.
    fn peer_addr(&self) -> SocketAddr;
    /// The address of this side.
    fn local_addr(&self) -> SocketAddr;
    /// Ends reading, writing or both; whoever waits on that side is woken.
    fn shutdown(&self, how: Shutdown) -> ();
    /// Whether small segments are sent at once.
    fn nodelay(&self) -> bool;
    /// Sets whether small segments are sent at once.
    fn set_nodelay(&self, nodelay: bool) -> ();
    /// The time to live of what it sends.
    fn ttl(&self) -> u32;
    /// Sets the time to live of what it sends.
    fn set_ttl(&self, ttl: u32) -> ();
});

impl Read for &TcpStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let asked = buf.len();
        self.0.read_all_there_is(asked, |socket| crate::calls::read(socket, buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        self.0.read_all_there_is(asked, |mut socket| socket.read_vectored(bufs))
    }
}

impl From<TcpStream> for OwnedFd {
    /// In non-blocking mode.
    ///
    /// # Panics
    /// If the socket was closed by [`TcpStream::close`].
    fn from(stream: TcpStream) -> OwnedFd {
        stream.0.into_io().expect("a socket that was closed has no descriptor to give").into()
    }
}
