//! `P`: a *processor*: the right to run goroutines, and the queue that goes with it.

pub(crate) mod plan;
pub(crate) mod slice;
mod spares;
pub(crate) mod timer;
pub(crate) mod timers;
mod turns;
pub(crate) mod word;

#[cfg(all(test, loom))]
mod loom_hand_off;

use crate::contract::{Config, Policy, QueueConfig, RunQueue, Stack, StackAllocator, Switch, Thief};
use crate::ground::ring::Ring;
use crate::records::g::registry::FreeGs;
use crate::records::g::runnable::Runnable;
use crate::records::latency::Latency;
use crate::records::m::jobs::Jobs;
use core::cell::{Cell, UnsafeCell};
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use slice::Slice;
use spares::Spares;
use std::sync::{Arc, OnceLock};
use timers::Timers;
use turns::Turns;
use word::PWord;

/// A P's local queue under a configuration's policy.
pub(crate) type QueueOf<C> = <<C as Config>::Policy as Policy>::Queue<Runnable>;
/// The thieves' half of it.
pub(crate) type ThiefOf<C> = <QueueOf<C> as RunQueue<Runnable>>::Thief;
/// The private stack cache of a P.
pub(crate) type CacheOf<C> = <<C as Config>::Stacks as StackAllocator>::Cache;

/// The part of a P that does not depend on policy or stacks. First in [`P`], so that a goroutine's calls reach it
/// without knowing the types.
#[doc(alias = "p")]
pub(crate) struct PCore {
    pub(crate) id: u32,
    pub(crate) word: PWord,
    pub(crate) slice: Slice,
    /// The owner's: whether pinned goroutines are next, or the queues.
    pub(crate) turns: Turns,
    /// The owner's: how many more blocking calls heed that one has kept this P while others waited for it
    /// (`g0/blocking.rs`).
    pub(crate) held_up: Cell<u16>,
    /// The owner's: how many blocking calls began while others waited for this P.
    pub(crate) calls_beside: Cell<u8>,
    /// The CPU clock of the M that took it last; 0: none. For sysmon.
    pub(crate) cpu_clock: AtomicI32,
    /// The M that took it last, which may be gone by now. For sysmon.
    pub(crate) holder: AtomicPtr<()>,
    /// The CPU that its M was on when it took the P or last looked for work, if the policy's order asks.
    pub(crate) cpu: CpuHint,
    pub(crate) timers: Timers,
    pub(crate) counters: Counters,
    /// The jobs of the M that took it last.
    jobs: AtomicPtr<Jobs>,
    /// The owner's: records for the next spawns.
    free: UnsafeCell<FreeGs>,
    /// The owner's: goroutine numbers not handed out yet.
    #[doc(alias = "goidcache")]
    numbers: Cell<(u64, u64)>,
    pub(crate) latency: Latency,
    /// Where its holder records events, once that was asked for.
    pub(crate) ring: OnceLock<Ring>,
}

/// A CPU's number, or none yet. A hint: relaxed, and old by the time it is read.
#[derive(Debug)]
pub(crate) struct CpuHint(AtomicU32);

impl CpuHint {
    const NONE: u32 = u32::MAX;

    pub(crate) fn note(&self, cpu: Option<usize>) {
        let cpu = cpu.and_then(|cpu| u32::try_from(cpu).ok()).unwrap_or(Self::NONE);
        // Idle Ms come here again and again, and mostly from the same CPU: the line stays shared then.
        if self.0.load(Ordering::Relaxed) != cpu {
            self.0.store(cpu, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> Option<usize> {
        let cpu = self.0.load(Ordering::Relaxed);
        (cpu != Self::NONE).then_some(cpu as usize)
    }
}

impl Default for CpuHint {
    fn default() -> Self {
        Self(AtomicU32::new(Self::NONE))
    }
}

/// Counts that only the owner changes, and anybody may read.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) spawned: AtomicU64,
    pub(crate) exited: AtomicU64,
    pub(crate) steals: AtomicU64,
    pub(crate) stolen: AtomicU64,
    /// How many spare stacks the P keeps: neither in use nor in the allocator's books.
    pub(crate) spare_stacks: AtomicU64,
    /// The conservation ledger: tokens given to this P's queue less tokens that came out. Summed over all Ps it says
    /// how many the policy holds.
    pub(crate) ledger: AtomicI64,
    /// Goroutines that have begun to wait for a descriptor on this P, less those that have come back from that on it.
    #[doc(alias = "netpollWaiters")]
    pub(crate) at_descriptors: AtomicI64,
}

/// Adds to a counter that only the caller writes: no locked instruction.
#[inline(always)]
pub(crate) fn add_own(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
}

impl Counters {
    /// Counts a goroutine that has ended, by the P's holder.
    #[inline(always)]
    pub(crate) fn count_exit(&self) {
        let exited = self.exited.load(Ordering::Relaxed).wrapping_add(1);
        // ORDER: exited. Release pairs with `count_goroutines`: who counts this end sees that its M is ending it.
        self.exited.store(exited, Ordering::Release);
    }

    /// Counts a goroutine that begins to wait for a descriptor, or has waited for one; by the P's holder.
    pub(crate) fn count_at_descriptors(&self, n: i64) {
        let count = self.at_descriptors.load(Ordering::Relaxed).wrapping_add(n);
        self.at_descriptors.store(count, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn book(&self, tokens: i64) {
        self.ledger.store(self.ledger.load(Ordering::Relaxed).wrapping_add(tokens), Ordering::Relaxed);
    }
}

// SAFETY: `free`, `numbers`, `held_up`, `calls_beside` and the cells of `turns` and `latency` belong to the M that holds
// the P (see `OwnedP`); all else is atomic or locked.
unsafe impl Sync for PCore {}

impl PCore {
    /// The jobs of the M that took this P last, if one did.
    #[inline]
    pub(crate) fn jobs(&self) -> Option<&Jobs> {
        // ORDER: p-jobs. Acquire pairs with the release in `set_jobs`: they are fully there.
        // SAFETY: the runtime keeps the jobs of all its Ms for as long as it lives.
        unsafe { self.jobs.load(Ordering::Acquire).as_ref() }
    }

    pub(in crate::records) fn set_jobs(&self, jobs: &Arc<Jobs>) {
        let jobs = Arc::as_ptr(jobs).cast_mut();
        if self.jobs.load(Ordering::Relaxed) != jobs {
            // ORDER: p-jobs. Release pairs with the acquire in `jobs`.
            self.jobs.store(jobs, Ordering::Release);
        }
    }

    /// The free records.
    ///
    /// # Safety
    /// The caller holds the P and lets the reference go before anyone asks again.
    #[expect(clippy::mut_from_ref, reason = "the P's holder has the only right to it")]
    #[inline]
    pub(crate) unsafe fn free(&self) -> &mut FreeGs {
        // SAFETY: the caller holds the P.
        unsafe { &mut *self.free.get() }
    }

    /// The next goroutine number; `refill` gives the first of 16 new ones.
    ///
    /// # Safety
    /// The caller holds the P.
    #[inline]
    pub(crate) unsafe fn next_number(&self, refill: impl FnOnce() -> u64) -> u64 {
        let (mut next, mut end) = self.numbers.get();
        if next == end {
            next = refill();
            end = next + NUMBER_BATCH;
        }
        self.numbers.set((next + 1, end));
        next
    }

    /// Main is to be number 1, whatever plain threads spawned before: the first batch is kept for P 0.
    pub(crate) fn reserve_first_numbers(&self) {
        self.numbers.set((1, 1 + NUMBER_BATCH));
    }
}

/// Goroutine numbers a P takes at once. Go: `_GoidCacheBatch`.
pub(crate) const NUMBER_BATCH: u64 = 16;

/// A P.
#[repr(C)]
pub(crate) struct P<C: Config> {
    pub(crate) core: PCore,
    pub(crate) thief: ManuallyDrop<ThiefOf<C>>,
    owner: UnsafeCell<Owner<C>>,
}

/// The part of a P that only its holder reaches.
pub(crate) struct Owner<C: Config> {
    pub(crate) queue: ManuallyDrop<QueueOf<C>>,
    pub(crate) stacks: CacheOf<C>,
    spares: Spares,
}

// SAFETY: `owner` is reached only through `OwnedP`, of which there is one.
unsafe impl<C: Config> Sync for P<C> {}
// SAFETY: queue and cache are `Send`.
unsafe impl<C: Config> Send for P<C> {}

impl<C: Config> P<C> {
    /// Whether a thief would find something here: a goroutine in the queue, or a job of the one that runs.
    pub(crate) fn has_work(&self) -> bool {
        !self.thief.is_empty() || self.core.jobs().is_some_and(|jobs| !jobs.is_empty())
    }

    /// Drops both halves of the queue.
    ///
    /// # Safety
    /// Neither is used after this.
    pub(crate) unsafe fn drop_queue(&mut self) {
        // SAFETY: as the caller promises.
        unsafe {
            ManuallyDrop::drop(&mut self.owner.get_mut().queue);
            ManuallyDrop::drop(&mut self.thief);
        }
    }
}

impl<C: Config> P<C> {
    pub(crate) fn new(id: u32, runtime: u64, seed: u64, stacks: &C::Stacks) -> Self {
        let config = QueueConfig { seed: (seed ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15) };
        let (queue, thief) = QueueOf::<C>::new(&config);
        Self {
            core: PCore {
                id,
                word: PWord::new(),
                slice: Slice::new(),
                turns: Turns::default(),
                held_up: Cell::new(0),
                calls_beside: Cell::new(0),
                cpu_clock: AtomicI32::new(0),
                holder: AtomicPtr::new(core::ptr::null_mut()),
                cpu: CpuHint::default(),
                timers: Timers::new(runtime),
                counters: Counters::default(),
                jobs: AtomicPtr::new(core::ptr::null_mut()),
                free: UnsafeCell::new(FreeGs::new()),
                numbers: Cell::new((0, 0)),
                latency: Latency::new(),
                ring: OnceLock::new(),
            },
            thief: ManuallyDrop::new(thief),
            owner: UnsafeCell::new(Owner {
                queue: ManuallyDrop::new(queue),
                stacks: stacks.cache(),
                spares: Spares::default(),
            }),
        }
    }
}

/// The right to use a P, and the only way to its queue. Exactly one exists for each P that is not Dead: in the M that
/// holds it, on the idle list, with the one that stopped the world, or in the blocking call that it is lent to.
pub(crate) struct OwnedP<C: Config>(NonNull<P<C>>);

// SAFETY: the right to a P may move between threads; queue and cache are `Send`.
unsafe impl<C: Config> Send for OwnedP<C> {}

impl<C: Config> OwnedP<C> {
    /// The right to `p`.
    ///
    /// # Safety
    /// Nobody else has it, and the P outlives it.
    pub(crate) unsafe fn new(p: &P<C>) -> Self {
        Self(NonNull::from(p))
    }

    /// The right to the P behind a core pointer.
    ///
    /// # Safety
    /// `core` is the first field of a `P<C>`, and as for [`OwnedP::new`].
    pub(crate) unsafe fn from_core(core: *const PCore) -> Self {
        // SAFETY: `P` is `repr(C)` with the core first, and the caller says that it is one.
        Self(unsafe { NonNull::new_unchecked(core.cast_mut().cast()) })
    }

    /// Gives the right up for the pointer to keep it by.
    pub(crate) fn into_core(self) -> *const PCore {
        self.0.as_ptr().cast_const().cast()
    }

    /// What only the holder reaches.
    #[inline]
    pub(crate) fn owner(&mut self) -> &mut Owner<C> {
        // SAFETY: this is the one right to the P, borrowed uniquely.
        unsafe { &mut *self.0.as_ref().owner.get() }
    }
}

impl<C: Config> OwnedP<C> {
    /// A spare stack, if there is one: a context of this runtime's has ended on it, and none has been made since
    /// ([`Switch::init_again`]).
    #[inline]
    pub(crate) fn take_spare(&mut self) -> Option<Stack> {
        let spares = &mut self.owner().spares;
        let (spare, left) = (spares.pop()?, spares.len());
        self.count_spares(left);
        Some(spare)
    }

    /// Whether no further spare stack has room here.
    #[inline]
    pub(crate) fn has_all_spares(&mut self) -> bool {
        self.owner().spares.is_full()
    }

    /// Keeps a stack of the default size, on which a context has ended, or gives it back if enough are kept already.
    #[inline]
    pub(crate) fn keep_spare(&mut self, stack: Stack) -> Option<Stack> {
        if C::Switch::THREAD_EACH {
            return Some(stack);
        }
        let spares = &mut self.owner().spares;
        let (rest, now) = (spares.push(stack), spares.len());
        self.count_spares(now);
        rest
    }

    #[inline]
    fn count_spares(&self, now: usize) {
        self.core.counters.spare_stacks.store(now as u64, Ordering::Relaxed);
    }

    /// Gives every stack kept here to the depots.
    pub(crate) fn flush_stacks(&mut self, stacks: &C::Stacks) {
        while let Some(spare) = self.take_spare() {
            // SAFETY: A5: it came from these stacks, and its goroutine has ended.
            unsafe { self.free_used(stacks, spare) };
        }
        C::Switch::flush();
        stacks.flush(&mut self.owner().stacks);
    }

    /// Gives a stack back on which a goroutine has run.
    ///
    /// # Safety
    /// It came from `stacks` of this runtime, a context has ended on it, and none has been made since.
    #[inline]
    pub(crate) unsafe fn free_used(&mut self, stacks: &C::Stacks, stack: Stack) {
        // SAFETY: as the caller promises.
        unsafe {
            C::Switch::release(&stack);
            stacks.free(&mut self.owner().stacks, stack);
        }
    }
}

impl<C: Config> Deref for OwnedP<C> {
    type Target = P<C>;

    #[inline]
    fn deref(&self) -> &P<C> {
        // SAFETY: Ps live as long as their runtime (`OwnedP::new`).
        unsafe { self.0.as_ref() }
    }
}
