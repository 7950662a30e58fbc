//! `Instance`: one epoll instance, told and asked.

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// As many events as are asked for at once.
const MOST: usize = gmp_core::contract::ReadyList::CAPACITY;
/// Nine days, which epoll can count in milliseconds: whoever has to wait longer asks again.
const LONG: Duration = Duration::from_secs(9 * 24 * 60 * 60);

#[derive(Debug)]
pub(crate) struct Instance(OwnedFd);

impl Instance {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(CreateFlags::CLOEXEC)?))
    }

    /// Begins to watch; what is told comes with this number.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, number: u64, interest: EventFlags) -> io::Result<()> {
        Ok(epoll::add(&self.0, fd, EventData::new_u64(number), interest)?)
    }

    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.0, fd)?)
    }

    /// Asks once for at most so many events, and waits until there is one, but no longer than this; `None`: for ever. A
    /// signal ends the wait.
    ///
    /// The time is in whole milliseconds, rounded down: `epoll_pwait2`, which knows nanoseconds, is too young to rely on.
    pub(crate) fn ask(
        &self,
        most: usize,
        timeout: Option<Duration>,
        mut tell: impl FnMut(u64, EventFlags),
    ) -> io::Result<()> {
        let milliseconds = timeout.map(|timeout| timeout.min(LONG).as_millis() as i64);
        let timeout = milliseconds.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: (ms % 1000) * 1_000_000 });
        let mut places = [MaybeUninit::<Event>::uninit(); MOST];
        match epoll::wait(&self.0, &mut places[..most.min(MOST)], timeout.as_ref()) {
            Ok((told, _)) => told.iter().for_each(|event| tell(event.data.u64(), event.flags)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Waits for less than epoll can count, less than a second: `ppoll`, which counts nanoseconds, waits for the instance
    /// instead. A signal ends the wait.
    pub(crate) fn wait_briefly(&self, left: Duration) -> io::Result<()> {
        let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Instance {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
