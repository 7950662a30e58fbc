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
//! A poller may be divided into shards, so that Ms that look at the same time are not in each other's way
//! (`Settings::poller_shards`; one, as in Go, if nobody asks for more). An M looks into the shard of its P, and every
//! eighth time into one of the others, which may have no P of their own, or one whose goroutine computes. The watcher
//! waits for all of them at once.
//!
//! The marks in here only keep threads from useless looks: a shard may be looked into by any number of threads.

use crate::contract::Poller;
use crate::records::rt::MakePoller;
use crate::records::source::task::Tasks;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use crossbeam_utils::CachePadded;
use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The place of a runtime's poller.
#[derive(Default)]
pub(crate) struct Polling {
    open: OnceLock<Open>,
    opening: Mutex<()>,
    /// Those who wait for descriptors and are no goroutines.
    pub(crate) tasks: Tasks,
    /// The watcher waits in it. Changes under the scheduler's lock.
    watched: AtomicBool,
}

/// A poller, and what is known of its shards.
struct Open {
    poller: Arc<dyn Poller>,
    shards: Box<[CachePadded<Shard>]>,
}

/// The marks of a shard.
#[derive(Default)]
struct Shard {
    /// Somebody looks.
    #[doc(alias = "pollingNet")]
    looking: AtomicBool,
    /// When somebody last looked, in nanoseconds since the epoch, as sysmon's clock says.
    #[doc(alias = "lastpoll")]
    looked_at: AtomicU64,
    /// How often those whose shard it is have chosen one to look into. Counts that get lost do no harm.
    choices: AtomicU32,
}

/// Each so many looks of a P go to a shard that is not its own.
const OTHERS: u32 = 8;

impl Polling {
    /// The poller, if it was ever asked for.
    #[inline]
    pub(crate) fn poller(&self) -> Option<&Arc<dyn Poller>> {
        Some(&self.open.get()?.poller)
    }

    /// The poller, which is made when somebody first asks for it.
    pub(crate) fn open(&self, make: MakePoller, shards: usize) -> io::Result<Arc<dyn Poller>> {
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match self.open.get() {
            Some(open) => open,
            None => {
                let poller = make(shards)?;
                let shards = (0..poller.shards().max(1)).map(|_| CachePadded::default()).collect();
                self.open.get_or_init(|| Open { poller, shards })
            }
        };
        Ok(Arc::clone(&open.poller))
    }

    fn shards(&self) -> &[CachePadded<Shard>] {
        self.open.get().map_or(&[], |open| &open.shards)
    }

    /// The shard that the M with this P is to look into now.
    pub(crate) fn choose_shard(&self, p: u32) -> usize {
        let shards = self.shards();
        if shards.len() < 2 {
            return 0;
        }
        let own = p as usize % shards.len();
        let choices = shards[own].choices.load(Ordering::Relaxed);
        shards[own].choices.store(choices.wrapping_add(1), Ordering::Relaxed);
        if choices % OTHERS != OTHERS - 1 {
            return own;
        }
        let others = shards.len() - 1;
        (own + 1 + (choices / OTHERS) as usize % others) % shards.len()
    }

    /// Whether a future's task waits for a descriptor.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.is_none()
    }

    /// By the watcher, under the scheduler's lock.
    pub(crate) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    /// Whether nobody looks into the shard at this moment, nor waits.
    pub(crate) fn is_unattended(&self, shard: usize) -> bool {
        let is_looking = |shard: &CachePadded<Shard>| shard.looking.load(Ordering::Relaxed);
        !self.watched.load(Ordering::Relaxed)
            && self.shards().get(shard).is_some_and(|shard| !is_looking(shard))
    }

    /// The caller looks into the shard. `false`: somebody else does.
    pub(crate) fn begin_look(&self, shard: usize) -> bool {
        // Relaxed: it keeps others from a useless call, and guards nothing.
        self.is_unattended(shard) && !self.shards()[shard].looking.swap(true, Ordering::Relaxed)
    }

    /// The caller has looked.
    pub(crate) fn end_look(&self, shard: usize, now: u64) {
        let shard = &self.shards()[shard];
        shard.looked_at.store(now, Ordering::Relaxed);
        shard.looking.store(false, Ordering::Relaxed);
    }

    /// The shards into which nobody has looked for as long as this.
    pub(crate) fn late_shards(&self, now: u64, after: u64) -> impl Iterator<Item = usize> + '_ {
        let age = move |shard: &Shard| now.saturating_sub(shard.looked_at.load(Ordering::Relaxed));
        let shards = self.shards().iter().enumerate();
        shards.filter(move |(n, shard)| self.is_unattended(*n) && age(shard) >= after).map(|(n, _)| n)
    }
}
