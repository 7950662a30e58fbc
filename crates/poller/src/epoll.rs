//! `Epoll`: epoll behind the contract `Poller`. Go: `netpoll_epoll.go` (Go 1.27).
//!
//! With several shards each has an epoll instance of its own, and the root instance watches those, level-triggered: a wait
//! in the root ends when any shard has something to tell, and the shards that it names are asked for it. A shard that
//! tells more than there is room for stays ready, and is named again.

use crate::instance::Instance;
use gmp_core::contract::{Poller, Ready, ReadyList, Tag};
use rustix::event::epoll::EventFlags;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
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

/// Epoll instances, and the eventfd that interrupts a wait in them.
#[derive(Debug)]
pub struct Epoll {
    /// What `wait` waits in: it watches the alarm, and the descriptors or the shards.
    root: Instance,
    /// None: the root has all descriptors.
    shards: Box<[Instance]>,
    /// Level-triggered, and read by `wait` alone: a `look` at the same time takes nothing from it.
    alarm: OwnedFd,
    /// Whether the eventfd has been written and not been read since.
    #[doc(alias = "netpollWakeSig")]
    alarmed: AtomicBool,
}

/// An [`Epoll`] for a runtime, with so many shards.
///
/// # Errors
/// The system's: too many open files, mostly.
#[doc(alias = "netpollinit")]
pub fn make(shards: usize) -> io::Result<Arc<dyn Poller>> {
    Ok(Arc::new(Epoll::new(shards)?))
}

impl Epoll {
    /// A new one, with so many shards.
    ///
    /// # Errors
    /// The system's.
    pub fn new(shards: usize) -> io::Result<Self> {
        let root = Instance::new()?;
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        root.add(alarm.as_fd(), Tag::UNUSED, EventFlags::IN)?;
        let shards = if shards > 1 { 0..shards } else { 0..0 };
        let shards = shards
            .map(|n| {
                let shard = Instance::new()?;
                root.add(shard.as_fd(), n as u64, EventFlags::IN)?;
                Ok(shard)
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { root, shards, alarm, alarmed: AtomicBool::new(false) })
    }

    /// The instance that watches what has this tag.
    fn home(&self, tag: Tag) -> &Instance {
        match self.shards.len() as u64 {
            0 => &self.root,
            shards => &self.shards[(tag.into_raw() % shards) as usize],
        }
    }

    /// Asks once for what is ready, in all shards. `true`: the alarm has rung.
    fn ask(&self, timeout: Option<Duration>, ready: &mut ReadyList) -> io::Result<bool> {
        let (mut rung, mut looked) = (false, Ok(()));
        self.root.ask(ready.room(), timeout, |number, flags| match self.shards.get(number as usize) {
            _ if number == Tag::UNUSED => rung = true,
            Some(shard) => {
                looked = core::mem::replace(&mut looked, Ok(())).and_then(|()| look_into(shard, ready))
            }
            None => push(ready, number, flags),
        })?;
        looked.map(|()| rung)
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

/// Asks an instance that watches descriptors for as many as there is room for.
fn look_into(instance: &Instance, ready: &mut ReadyList) -> io::Result<()> {
    match ready.room() {
        0 => Ok(()),
        room => instance.ask(room, Some(Duration::ZERO), |tag, flags| {
            // The alarm is for `wait`.
            if tag != Tag::UNUSED {
                push(ready, tag, flags);
            }
        }),
    }
}

fn push(ready: &mut ReadyList, tag: u64, flags: EventFlags) {
    ready.push(Ready {
        tag: Tag::from_raw(tag),
        readable: flags.intersects(READABLE),
        writable: flags.intersects(WRITABLE),
        restless: flags.intersects(RESTLESS),
    });
}

const MILLISECOND: Duration = Duration::from_millis(1);

impl Poller for Epoll {
    fn add(&self, descriptor: BorrowedFd<'_>, tag: Tag) -> io::Result<()> {
        self.home(tag).add(descriptor, tag.into_raw(), INTEREST)
    }

    fn shards(&self) -> usize {
        self.shards.len().max(1)
    }

    fn remove(&self, descriptor: BorrowedFd<'_>, tag: Tag) -> io::Result<()> {
        self.home(tag).remove(descriptor)
    }

    fn look(&self, shard: usize, ready: &mut ReadyList) -> io::Result<()> {
        look_into(self.shards.get(shard).unwrap_or(&self.root), ready)
    }

    fn wait(&self, until: Option<Instant>, ready: &mut ReadyList) -> io::Result<()> {
        loop {
            let mut left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let last = left.is_some_and(|left| left < MILLISECOND);
            if let Some(left) = left.as_mut().filter(|_| last) {
                if !left.is_zero() {
                    self.root.wait_briefly(*left)?;
                }
                *left = Duration::ZERO;
            }
            let rung = self.ask(left, ready)?;
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
