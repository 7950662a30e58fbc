//! The runtime's poller, and who looks into it. Go: `netpollInited`, `sched.lastpoll`, `sched.pollingNet` (Go 1.27).
//!
//! There is none until a goroutine first has to wait for a descriptor. From then on three parties look into it, each
//! only if a goroutine, or a future's task, waits for a descriptor at all:
//!
//! - an M that found nothing in its own queue and the shared one *looks*, without waiting (`g0/watch.rs`);
//! - the *watcher*, one M without work, *waits* in it. While it does nobody else looks: it would only be told what the
//!   watcher is told anyway;
//! - sysmon looks if nobody has for 10 ms (`watching/late_look.rs`).
//!
//! The marks in here only keep threads from useless looks: a poller may be looked into by any number of threads.

use crate::contract::Poller;
use crate::records::rt::MakePoller;
use crate::records::source::task::Tasks;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The place of a runtime's poller.
#[derive(Default)]
pub(crate) struct Polling {
    poller: OnceLock<Arc<dyn Poller>>,
    opening: Mutex<()>,
    /// Those who wait for descriptors and are no goroutines.
    pub(crate) tasks: Tasks,
    /// The watcher waits in it. Changes under the scheduler's lock.
    watched: AtomicBool,
    /// Somebody looks.
    #[doc(alias = "pollingNet")]
    looking: AtomicBool,
    /// When somebody last looked, in nanoseconds since the epoch, as sysmon's clock says.
    #[doc(alias = "lastpoll")]
    looked_at: AtomicU64,
}

impl Polling {
    /// The poller, if it was ever asked for.
    #[inline]
    pub(crate) fn poller(&self) -> Option<&Arc<dyn Poller>> {
        self.poller.get()
    }

    /// The poller, which is made when somebody first asks for it.
    pub(crate) fn open(&self, make: MakePoller) -> io::Result<Arc<dyn Poller>> {
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let poller = match self.poller.get() {
            Some(poller) => poller,
            None => {
                let made = make()?;
                self.poller.get_or_init(|| made)
            }
        };
        Ok(Arc::clone(poller))
    }

    /// Whether a future's task waits for a descriptor.
    pub(crate) fn has_tasks(&self) -> bool {
        self.tasks.load(Ordering::Relaxed) != 0
    }

    /// By the watcher, under the scheduler's lock.
    pub(crate) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// Whether nobody looks at this moment, nor waits.
    pub(crate) fn is_unattended(&self) -> bool {
        !self.watched.load(Ordering::Relaxed) && !self.looking.load(Ordering::Relaxed)
    }

    /// The caller looks. `false`: somebody else does.
    pub(crate) fn begin_look(&self) -> bool {
        // Relaxed: it keeps others from a useless call, and guards nothing.
        self.is_unattended() && !self.looking.swap(true, Ordering::Relaxed)
    }

    /// The caller has looked.
    pub(crate) fn end_look(&self, now: u64) {
        self.looked_at.store(now, Ordering::Relaxed);
        self.looking.store(false, Ordering::Relaxed);
    }

    /// Whether nobody has looked for as long as this.
    pub(crate) fn is_late(&self, now: u64, after: u64) -> bool {
        self.is_unattended() && now.saturating_sub(self.looked_at.load(Ordering::Relaxed)) >= after
    }
}
