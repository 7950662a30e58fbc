//! `Endpoint`: a descriptor that its owner may wait for, and the one loop in which everything waits. Go:
//! `internal/poll.FD`.
//!
//! ```text
//!   ticket ─► try ─── did it ──────────────────────► done
//!     ▲        │ would block
//!     │        ▼
//!     │      closed? deadline? ──────────────────────► error
//!     └────── wait: an edge after the ticket, new terms, the end
//! ```
//!
//! **Close.** `close` ends what the descriptor stands for, but keeps its number: another file is put in its place
//! (`dup2`), so whoever has borrowed the number never finds a stranger's socket there. The number is closed with the
//! owner.

use crate::terms::{Terms, timed_out};
use crate::thread;
use gmp_core::contract::Side;
use gmp_core::descriptor::{Descriptor, Slept, Ticket};
use gmp_core::{Wake, give_way, goroutine, step_aside};
use std::io;
use std::mem::ManuallyDrop;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

/// A descriptor in non-blocking mode, with everything that it takes to wait for it.
#[derive(Debug)]
pub(crate) struct Endpoint<T: AsFd> {
    io: ManuallyDrop<T>,
    pub(crate) descriptor: ManuallyDrop<Descriptor>,
    read: Terms,
    write: Terms,
    closed: AtomicBool,
    /// Whether calls do not wait, because the user wants it so.
    nonblocking: AtomicBool,
    /// Whether its file may have other descriptors, so that pollers are to be told when this one is closed.
    duplicated: AtomicBool,
}

impl<T: AsFd> Endpoint<T> {
    /// Makes one from `io`, which is in non-blocking mode.
    pub(crate) fn new(io: T) -> io::Result<Self> {
        nobody()?;
        Ok(Self {
            io: ManuallyDrop::new(io),
            descriptor: ManuallyDrop::new(Descriptor::new()?),
            read: Terms::new(),
            write: Terms::new(),
            closed: AtomicBool::new(false),
            nonblocking: AtomicBool::new(false),
            duplicated: AtomicBool::new(false),
        })
    }

    /// The value that this was made from.
    #[inline]
    pub(crate) fn io(&self) -> &T {
        &self.io
    }

    pub(crate) fn terms(&self, side: Side) -> &Terms {
        match side {
            Side::Read => &self.read,
            Side::Write => &self.write,
        }
    }

    pub(crate) fn set_deadline(&self, side: Side, deadline: Option<Instant>) {
        step_aside();
        self.terms(side).set_deadline(deadline);
        self.descriptor.wake(side);
    }

    pub(crate) fn set_timeout(&self, side: Side, timeout: Option<std::time::Duration>) -> io::Result<()> {
        step_aside();
        self.terms(side).set_timeout(timeout)
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        step_aside();
        self.nonblocking.store(nonblocking, Relaxed);
        self.descriptor.wake(Side::Read);
        self.descriptor.wake(Side::Write);
    }

    /// Makes a call that never waits. It may be made on what stands in for a file that was closed; then it fails.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&T) -> io::Result<R>) -> io::Result<R> {
        step_aside();
        let done = call(&self.io);
        // Asked afterwards, since whoever closes says so first.
        if self.closed.load(Relaxed) { Err(closed()) } else { done }
    }

    /// Marks it as one whose file has, or may have, another descriptor.
    pub(crate) fn set_duplicated(&self) {
        self.duplicated.store(true, Relaxed);
    }

    /// Does `operation` as soon as that does not block. **Suspends.**
    #[track_caller]
    pub(crate) fn when_ready<R>(
        &self,
        side: Side,
        mut operation: impl FnMut(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.with_tickets(side, |io, _| operation(io))
    }

    /// Reads as soon as there is something, from a socket whose reads give all that there is: after a read that got
    /// less than it asked for, the next one waits without trying. `asked` is what it asks for. **Suspends.**
    #[track_caller]
    #[inline]
    pub(crate) fn read_all_there_is(
        &self,
        asked: usize,
        mut read: impl FnMut(&T) -> io::Result<usize>,
    ) -> io::Result<usize> {
        self.with_tickets(Side::Read, |io, ticket| self.read_unless_drained(ticket, asked, || read(io)))
    }

    /// One try of [`Endpoint::read_all_there_is`].
    #[inline]
    pub(crate) fn read_unless_drained(
        &self,
        ticket: Ticket,
        asked: usize,
        read: impl FnOnce() -> io::Result<usize>,
    ) -> io::Result<usize> {
        // A caller that would not wait until an edge comes is to see for itself.
        if !self.nonblocking.load(Relaxed) && self.descriptor.is_drained(Side::Read, ticket) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let got = read()?;
        if got != 0 && got < asked {
            self.descriptor.set_drained(Side::Read, ticket);
        }
        Ok(got)
    }

    #[track_caller]
    #[inline]
    fn with_tickets<R>(
        &self,
        side: Side,
        mut operation: impl FnMut(&T, Ticket) -> io::Result<R>,
    ) -> io::Result<R> {
        give_way();
        let mut begun = None;
        loop {
            match self.attempt(side, &mut operation) {
                ControlFlow::Break(done) => return done,
                ControlFlow::Continue(ticket) => self.wait(side, ticket, &mut begun)?,
            }
        }
    }

    /// Tries once. `Continue`: the operation would block, and may be worth another try after the next edge.
    #[inline]
    pub(crate) fn attempt<R>(
        &self,
        side: Side,
        operation: &mut impl FnMut(&T, Ticket) -> io::Result<R>,
    ) -> ControlFlow<io::Result<R>, Ticket> {
        loop {
            let ticket = self.descriptor.ticket(side);
            if self.closed.load(Relaxed) {
                return ControlFlow::Break(Err(closed()));
            }
            if self.terms(side).is_over() {
                return ControlFlow::Break(Err(timed_out()));
            }
            match operation(&self.io, ticket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return ControlFlow::Continue(ticket);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if self.closed.load(Relaxed) => return ControlFlow::Break(Err(closed())),
                done => return ControlFlow::Break(done),
            }
        }
    }

    /// Waits until it is worth while to try again. **Suspends.**
    #[track_caller]
    fn wait(&self, side: Side, ticket: Ticket, begun: &mut Option<Instant>) -> io::Result<()> {
        if self.nonblocking.load(Relaxed) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let until = self.terms(side).end_of_wait(begun);
        let fd = self.io.as_fd();
        let slept = match self.descriptor.wait(fd, side, ticket, until, gmp_poller::make) {
            Ok(Slept::NoGoroutine) => {
                let ready = thread::wait(&self.descriptor, fd, side, ticket, until)?;
                if ready { Slept::TryAgain } else { Slept::TimedOut }
            }
            Ok(slept) => slept,
            Err(_) if self.closed.load(Relaxed) => return Err(closed()),
            Err(error) => return Err(error),
        };
        match slept {
            Slept::TryAgain | Slept::NoGoroutine => Ok(()),
            Slept::TimedOut => {
                // Others may have moved the deadline while we woke.
                let over = self.terms(side).end_of_wait(begun).is_some_and(|until| until <= Instant::now());
                if over { Err(timed_out()) } else { Ok(()) }
            }
            Slept::Closing => {
                goroutine::unwind_if_closing(Wake::Closing);
                // The goroutine is unwinding already: its destructors are told that nothing comes any more.
                Err(io::Error::other("the goroutine's runtime closes, so it cannot wait for a socket"))
            }
        }
    }

    /// Closes it for everybody. Never suspends.
    pub(crate) fn close(&self) -> io::Result<()> {
        step_aside();
        let nobody = nobody()?;
        if self.closed.swap(true, Relaxed) {
            return Err(closed());
        }
        self.descriptor.close();
        let fd = self.io.as_fd();
        self.descriptor.unwatch(fd);
        // SAFETY: the number is ours to use, and what we make here does not close it.
        let mut number = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(fd.as_raw_fd()) });
        Ok(rustix::io::dup2(nobody, &mut number)?)
    }

    /// Gives back the value that this was made from, for which nobody waits any more. It is still in non-blocking mode.
    pub(crate) fn into_io(self) -> io::Result<T> {
        let mut this = ManuallyDrop::new(self);
        this.descriptor.unwatch(this.io.as_fd());
        // SAFETY: `this` is not dropped, and nobody uses these two again.
        let (io, descriptor) =
            unsafe { (ManuallyDrop::take(&mut this.io), ManuallyDrop::take(&mut this.descriptor)) };
        drop(descriptor);
        if this.closed.load(Relaxed) { Err(closed()) } else { Ok(io) }
    }
}

impl<T: AsFd> Drop for Endpoint<T> {
    fn drop(&mut self) {
        if self.duplicated.load(Relaxed) || self.closed.load(Relaxed) {
            self.descriptor.unwatch(self.io.as_fd());
        }
        // The source goes first: what a poller tells from here on is stale, whoever gets the number.
        // SAFETY: the endpoint goes, so nobody uses them again.
        unsafe {
            ManuallyDrop::drop(&mut self.descriptor);
            ManuallyDrop::drop(&mut self.io);
        }
    }
}

/// What stands in for a file that was closed: a socket that nobody can reach. It is made before the first endpoint, so
/// that no close fails for want of a descriptor.
fn nobody() -> io::Result<&'static UnixDatagram> {
    static NOBODY: OnceLock<UnixDatagram> = OnceLock::new();
    if let Some(nobody) = NOBODY.get() {
        return Ok(nobody);
    }
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    Ok(NOBODY.get_or_init(|| socket))
}

/// What a call returns on a socket that was closed.
pub(crate) fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the socket was closed by `close`; nothing can be done with it any more",
    )
}
