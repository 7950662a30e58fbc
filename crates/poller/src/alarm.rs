//! `ThreadAlarm`: how a plain thread waits for a descriptor, and is woken from that.

use gmp_core::contract::{Alarm, Side};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Instant;

/// A thread's alarm: an eventfd, waited for beside the descriptor.
#[derive(Debug)]
pub struct ThreadAlarm(OwnedFd);

impl ThreadAlarm {
    /// A new one.
    ///
    /// # Errors
    /// The system's: too many open files, mostly.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Blocks the calling thread until the descriptor is ready or the alarm rings; `false`: `deadline` came first.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&self, fd: BorrowedFd<'_>, side: Side, deadline: Option<Instant>) -> io::Result<bool> {
        let interest = match side {
            Side::Read => PollFlags::IN | PollFlags::RDHUP | PollFlags::PRI,
            Side::Write => PollFlags::OUT,
        };
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut both = [PollFd::from_borrowed_fd(fd, interest), PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut both, timeout.as_ref()) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // If it has not rung there is nothing to read.
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
        Ok(true)
    }
}

impl Alarm for ThreadAlarm {
    fn ring(&self) {
        // The write fails only when the alarm has rung 2^64 - 2 times without being read, and then it is heard all the
        // same.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}
