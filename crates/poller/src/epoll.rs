//! `Epoll`: epoll behind the contract `Poller`. Go: `netpoll_epoll.go` (Go 1.27).

use gmp_core::contract::{Poller, Ready, ReadyList, Tag};
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Events are told once for each change, for both sides; so are the end of the other side and urgent data, lest a short
/// read be taken to mean that nothing more comes.
const INTEREST: EventFlags = EventFlags::IN
    .union(EventFlags::OUT)
    .union(EventFlags::RDHUP)
    .union(EventFlags::PRI)
    .union(EventFlags::ET);
/// The other side has ended, or there is an error: both sides find out by their next try.
const END: EventFlags = EventFlags::HUP.union(EventFlags::ERR);
const READABLE: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::PRI).union(END);
const WRITABLE: EventFlags = EventFlags::OUT.union(END);
const RESTLESS: EventFlags = EventFlags::RDHUP.union(EventFlags::PRI).union(END);

/// An epoll instance, and the eventfd that interrupts a wait in it.
#[derive(Debug)]
pub struct Epoll {
    epoll: OwnedFd,
    /// Level-triggered, and read by `wait` alone: a `look` at the same time takes nothing from it.
    alarm: OwnedFd,
    /// Whether the eventfd has been written and not been read since.
    #[doc(alias = "netpollWakeSig")]
    alarmed: AtomicBool,
}

/// An [`Epoll`] for a runtime.
///
/// # Errors
/// The system's: too many open files, mostly.
#[doc(alias = "netpollinit")]
pub fn make() -> io::Result<Arc<dyn Poller>> {
    Ok(Arc::new(Epoll::new()?))
}

impl Epoll {
    /// A new one.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &alarm, EventData::new_u64(Tag::UNUSED), EventFlags::IN)?;
        Ok(Self { epoll, alarm, alarmed: AtomicBool::new(false) })
    }

    /// Asks epoll once. `true`: the alarm has rung.
    fn ask(&self, timeout: Option<Duration>, ready: &mut ReadyList) -> io::Result<bool> {
        // The time-out is in whole milliseconds, rounded down: `epoll_pwait2`, which knows nanoseconds, is too young to
        // rely on.
        let milliseconds = timeout.map(|timeout| timeout.min(LONG).as_millis() as i64);
        let timeout = milliseconds.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: (ms % 1000) * 1_000_000 });
        let mut places = [MaybeUninit::<Event>::uninit(); ReadyList::CAPACITY];
        let told = match epoll::wait(&self.epoll, &mut places[..], timeout.as_ref()) {
            Ok((told, _)) => told,
            // A signal counts as an interruption; the alarm may still be ringing.
            Err(Errno::INTR) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let mut rung = false;
        for event in told.iter() {
            let (tag, flags) = (event.data.u64(), event.flags);
            if tag == Tag::UNUSED {
                rung = true;
                continue;
            }
            ready.push(Ready {
                tag: Tag::from_raw(tag),
                readable: flags.intersects(READABLE),
                writable: flags.intersects(WRITABLE),
                restless: flags.intersects(RESTLESS),
            });
        }
        Ok(rung)
    }

    /// Waits for less than epoll can count: `ppoll`, which counts nanoseconds, waits for the epoll instance instead.
    fn ask_at(&self, left: Duration, ready: &mut ReadyList) -> io::Result<bool> {
        if !left.is_zero() {
            let left = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&left)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.ask(Some(Duration::ZERO), ready)
    }

    /// The alarm has been heard: whoever rings after this rings anew.
    fn stop_alarm(&self) -> io::Result<()> {
        // First the eventfd is read, then the mark is cleared: an alarm that rings in between has ended the wait from
        // which we come back.
        match rustix::io::read(&self.alarm, &mut [0; 8]) {
            Ok(_) | Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        // ORDER: alarm. Release pairs with the swap in `interrupt`: whoever rings anew writes after this read.
        self.alarmed.store(false, Ordering::Release);
        Ok(())
    }
}

/// Nine days, which epoll can count in milliseconds: whoever has to wait longer asks again.
const LONG: Duration = Duration::from_secs(9 * 24 * 60 * 60);
const MILLISECOND: Duration = Duration::from_millis(1);

impl Poller for Epoll {
    fn add(&self, descriptor: BorrowedFd<'_>, tag: Tag) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, EventData::new_u64(tag.into_raw()), INTEREST)?)
    }

    fn remove(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, descriptor)?)
    }

    fn look(&self, ready: &mut ReadyList) -> io::Result<()> {
        self.ask(Some(Duration::ZERO), ready)?;
        Ok(())
    }

    fn wait(&self, until: Option<Instant>, ready: &mut ReadyList) -> io::Result<()> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let last = left.is_some_and(|left| left < MILLISECOND);
            let rung = match left {
                Some(left) if last => self.ask_at(left, ready)?,
                left => self.ask(left, ready)?,
            };
            if rung {
                self.stop_alarm()?;
            }
            if rung || last || !ready.is_empty() {
                return Ok(());
            }
        }
    }

    fn interrupt(&self) {
        // ORDER: alarm. Acquire pairs with the store in `stop_alarm`.
        if !self.alarmed.swap(true, Ordering::AcqRel) {
            // The write fails only if 2^64 - 2 interrupts have not been read, and then the eventfd is readable all the
            // same.
            let _ = rustix::io::write(&self.alarm, &1_u64.to_ne_bytes());
        }
    }
}

#[cfg(test)]
mod tests;
