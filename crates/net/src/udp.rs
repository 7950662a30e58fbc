//! UDP.

use crate::addr::{first_that_does, resolve};
use crate::endpoint::Endpoint;
use crate::socket::{passed_on, socket, terms};
use gmp_core::contract::Side;
use std::io;
use std::net::{self, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

/// A UDP socket; see [`std::net::UdpSocket`].
#[derive(Debug)]
#[doc(alias = "UDPConn")]
pub struct UdpSocket(Endpoint<net::UdpSocket>);

socket!(UdpSocket, net::UdpSocket);
terms!(UdpSocket);

impl UdpSocket {
    /// A socket at the first of the addresses that can be had. **Suspends** while a name is looked up.
    ///
    /// # Errors
    /// The name has no address; or the system's.
    #[doc(alias = "ListenPacket")]
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::new(net::UdpSocket::bind(&*resolve(address)?)?)
    }

    /// Names the peer that `send` sends to and `recv` receives from. **Suspends** while a name is looked up.
    ///
    /// # Errors
    /// The name has no address; or the system's.
    #[track_caller]
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<()> {
        first_that_does(address, |address| self.0.call(|socket| socket.connect(address)))
    }

    /// Sends to the first of the addresses. **Suspends.**
    ///
    /// # Errors
    /// The name has no address; the socket was closed, or its deadline or time-out has passed; or the system's.
    #[track_caller]
    pub fn send_to(&self, buf: &[u8], address: impl ToSocketAddrs) -> io::Result<usize> {
        let Some(first) = resolve(address)?.first().copied() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "no addresses to send data to"));
        };
        self.0.when_ready(Side::Write, |socket| socket.send_to(buf, first))
    }

    /// [`UdpSocket::recv_from`] for async code, awaited on a goroutine. Never suspends: the future does the waiting.
    ///
    /// # Errors
    /// The same as for [`UdpSocket::recv_from`]; it is awaited outside a goroutine.
    pub fn recv_from_async<'a>(
        &'a self,
        buf: &'a mut [u8],
    ) -> impl Future<Output = io::Result<(usize, SocketAddr)>> + Send + 'a {
        self.0.attempts(Side::Read, move |socket| socket.recv_from(buf))
    }

    /// Receives, and says from whom. **Suspends.**
    ///
    /// # Errors
    /// The socket was closed, or its deadline or time-out has passed; or the system's.
    #[track_caller]
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.when_ready(Side::Read, |socket| socket.recv_from(buf))
    }

    /// [`UdpSocket::recv_from`] without taking the datagram out. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UdpSocket::recv_from`].
    #[track_caller]
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.0.when_ready(Side::Read, |socket| socket.peek_from(buf))
    }

    /// Sends to the peer that [`UdpSocket::connect`] named. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UdpSocket::recv_from`].
    #[track_caller]
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Write, |socket| socket.send(buf))
    }

    /// Receives from the peer that [`UdpSocket::connect`] named. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UdpSocket::recv_from`].
    #[track_caller]
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |socket| socket.recv(buf))
    }

    /// [`UdpSocket::recv`] without taking the datagram out. **Suspends.**
    ///
    /// # Errors
    /// The same as for [`UdpSocket::recv_from`].
    #[track_caller]
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.when_ready(Side::Read, |socket| socket.peek(buf))
    }
}

passed_on!(UdpSocket {
    /// The peer that [`UdpSocket::connect`] named.
    fn peer_addr(&self) -> SocketAddr;
    /// The address of this side.
    fn local_addr(&self) -> SocketAddr;
    /// Whether it may send broadcasts.
    fn broadcast(&self) -> bool;
    /// Sets whether it may send broadcasts.
    fn set_broadcast(&self, on: bool) -> ();
    /// The time to live of what it sends.
    fn ttl(&self) -> u32;
    /// Sets the time to live of what it sends.
    fn set_ttl(&self, ttl: u32) -> ();
    /// Whether it receives what it sends to a group.
    fn multicast_loop_v4(&self) -> bool;
    /// Sets whether it receives what it sends to a group.
    fn set_multicast_loop_v4(&self, on: bool) -> ();
    /// The time to live of what it sends to a group.
    fn multicast_ttl_v4(&self) -> u32;
    /// Sets the time to live of what it sends to a group.
    fn set_multicast_ttl_v4(&self, ttl: u32) -> ();
    /// Whether it receives what it sends to a group.
    fn multicast_loop_v6(&self) -> bool;
    /// Sets whether it receives what it sends to a group.
    fn set_multicast_loop_v6(&self, on: bool) -> ();
    /// Joins a group.
    fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Joins a group.
    fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> ();
    /// Leaves a group.
    fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> ();
    /// Leaves a group.
    fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> ();
});
