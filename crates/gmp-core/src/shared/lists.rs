//! What the scheduler's lock guards: the idle lists, the list of all Ms and Ps, and who waits for what.

use crate::contract::{Config, List};
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::m::jobs::Jobs;
use crate::records::m::note::WakeTarget;
use crate::records::p::{OwnedP, P};
use crate::shared::blockers::Blockers;
use crate::shared::idle_ms::IdleMs;
use crate::shared::refusals::Refusals;
use crate::shared::reports::{DeadlockReport, Leftover};
use crate::shared::watch_post::WatchPost;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;
use std::sync::{Arc, MutexGuard};

/// An M by address: Ms live in [`Lists::all_m`] until their threads have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MRef(NonNull<M>);

// SAFETY: an M is shared between threads by design; the list of all Ms keeps it alive.
unsafe impl Send for MRef {}

impl MRef {
    pub(crate) fn new(m: &M) -> Self {
        Self(NonNull::from(m))
    }

    /// # Safety
    /// Under the scheduler's lock, or while the M is known to live on: it sleeps, or it is the caller's.
    pub(crate) unsafe fn get<'a>(self) -> &'a M {
        // SAFETY: the caller says that it lives.
        unsafe { self.0.as_ref() }
    }
}

/// The lock, held.
pub(crate) struct Locked<'a, C: Config>(ManuallyDrop<MutexGuard<'a, Lists<C>>>);

impl<'a, C: Config> Locked<'a, C> {
    pub(crate) fn new(guard: MutexGuard<'a, Lists<C>>) -> Self {
        Self(ManuallyDrop::new(guard))
    }
}

impl<C: Config> Deref for Locked<'_, C> {
    type Target = Lists<C>;
    fn deref(&self) -> &Lists<C> {
        &self.0
    }
}

impl<C: Config> DerefMut for Locked<'_, C> {
    fn deref_mut(&mut self) -> &mut Lists<C> {
        &mut self.0
    }
}

impl<C: Config> Drop for Locked<'_, C> {
    fn drop(&mut self) {
        let target = self.0.to_rouse.take();
        // SAFETY: the guard is used no more.
        unsafe { ManuallyDrop::drop(&mut self.0) };
        if let Some(target) = target {
            target.rouse();
        }
    }
}

/// What the lock guards.
pub(crate) struct Lists<C: Config> {
    /// Last in, first out.
    #[doc(alias = "pidle")]
    pub(crate) idle_ps: Vec<OwnedP<C>>,
    pub(crate) idle_ms: IdleMs<MRef>,
    /// Ms whose threads are about to end, since they were idle for long: still on the list of all Ms.
    pub(crate) leaving: Vec<MRef>,
    /// How many threads have ended for that reason.
    pub(crate) retired: u64,
    /// Every P there ever was, Dead ones too: a blocked M may still point at one.
    pub(crate) every_p: Vec<Arc<P<C>>>,
    #[doc(alias = "allm")]
    pub(crate) all_m: Vec<Arc<M>>,
    /// Ms whose threads have ended in a closing runtime.
    pub(crate) ended_ms: Vec<Arc<M>>,
    pub(crate) next_m: u64,
    /// The jobs of every M there ever was, since thieves look without a lock; and those that no M has any more.
    all_jobs: Vec<Arc<Jobs>>,
    spare_jobs: Vec<Arc<Jobs>>,
    /// Ms asleep that no submission wakes: their locked goroutine waits, or they are an unlocked main's m0.
    /// Whoever ends such a sleep counts it down *before* the wake, perhaps before the sleeper has counted it up.
    #[doc(alias = "nmidlelocked")]
    pub(crate) locked_idle: isize,
    /// Ms whose inbox has work and that wait for a P, first come, first served.
    pub(crate) ms_wanting_p: Vec<MRef>,
    /// The M that sleeps until the next timer, or until a descriptor is ready.
    pub(crate) post: WatchPost<MRef>,
    /// Threads to be made by sysmon, because the asker's thread is locked and its state must not be inherited.
    #[doc(alias = "newmHandoff")]
    pub(crate) ms_to_make: Vec<(OwnedP<C>, bool)>,
    pub(crate) sysmon_asleep: bool,
    /// Goroutines whose P sysmon has taken and that have not come back.
    pub(crate) taken: usize,
    /// Those among them that overran their slices.
    pub(crate) overrunning: usize,
    /// Where the others were started.
    pub(crate) blockers: Blockers,
    /// sysmon has timers in its hands that are in no heap.
    pub(crate) sysmon_fires: bool,
    /// How often sysmon would have been woken, had it been asleep.
    pub(crate) awakenings: u64,
    /// When the number of Ps last changed, and the P time (nanoseconds times Ps) used up by then.
    #[doc(alias = "procresizetime")]
    pub(crate) resized_at: u64,
    #[doc(alias = "totaltime")]
    pub(crate) p_time: u64,
    /// Ps that have yet to stop.
    pub(crate) stop_wait: usize,
    /// The M that stops the world, until the world has stopped.
    pub(crate) stopper: Option<MRef>,
    pub(crate) without_stack: List<Runnable>,
    pub(crate) deadlock: Option<DeadlockReport>,
    /// What was abandoned so far, in a closing runtime.
    pub(crate) left: Leftover,
    /// The M of the thread that called `run`.
    pub(crate) m0: Option<MRef>,
    /// Main has ended, or a deadlock was found: `run` is to return.
    pub(crate) finished: bool,
    pub(crate) thread_limit_hit: bool,
    /// m0 rests: at the limit of threads it may be given a P.
    pub(crate) m0_rests: bool,
    /// Goroutines that want to block and wait for a thread that is no reserve.
    pub(crate) without_thread: List<Runnable>,
    /// The M that was made beyond the limit of threads, since m0 cannot be had (`waking/limit.rs`).
    pub(crate) second_reserve: Option<MRef>,
    /// Why the operating system gave no thread when one was last asked for.
    pub(crate) refused: Option<std::io::Error>,
    /// When threads were refused; stuck is a runtime of which no M can run anything.
    pub(crate) refused_threads: Refusals,
    /// When all were asleep while goroutines waited for stacks.
    pub(crate) refused_stacks: Refusals,
    /// Whether such a refusal was told.
    pub(crate) refusal_told: bool,
    /// A refusal after which no M is left to run anything: `run` is to return with it.
    pub(crate) failure: Option<std::io::Error>,
    /// All goroutines sleep, but another thread could wake one: sysmon looks again.
    pub(crate) deadlock_suspected: bool,
    /// When a look for a deadlock last found threads that are not ours, in nanoseconds since the epoch.
    pub(crate) others_found_at: Option<u64>,
    /// Where an M sleeps that was given a P. It is roused when the lock is free again: if it came up earlier, it would
    /// only wait for the lock.
    pub(crate) to_rouse: Option<WakeTarget>,
    /// Threads to join when the runtime closes, with the number of their M.
    pub(crate) threads: Vec<(u64, std::thread::JoinHandle<()>)>,
}

impl<C: Config> Lists<C> {
    /// Takes an M that is no more from the list of all Ms.
    pub(crate) fn forget_m(&mut self, m: &M) -> Vec<Arc<M>> {
        self.second_reserve = self.second_reserve.filter(|&reserve| reserve != MRef::new(m));
        self.leaving.retain(|&leaving| leaving != MRef::new(m));
        let gone: Vec<_> = self.all_m.extract_if(.., |known| core::ptr::eq(&**known, m)).collect();
        self.spare_jobs.extend(gone.iter().map(|m| Arc::clone(&m.jobs)));
        gone
    }

    /// A place for the jobs of a new M.
    pub(crate) fn jobs_for_m(&mut self) -> Arc<Jobs> {
        self.spare_jobs.pop().unwrap_or_else(|| {
            let jobs = Arc::new(Jobs::new());
            self.all_jobs.push(Arc::clone(&jobs));
            jobs
        })
    }

    pub(crate) fn new() -> Self {
        Self {
            idle_ps: Vec::new(),
            idle_ms: IdleMs::new(),
            leaving: Vec::new(),
            retired: 0,
            every_p: Vec::new(),
            all_m: Vec::new(),
            ended_ms: Vec::new(),
            all_jobs: Vec::new(),
            spare_jobs: Vec::new(),
            next_m: 0,
            locked_idle: 0,
            ms_wanting_p: Vec::new(),
            post: WatchPost::new(),
            ms_to_make: Vec::new(),
            sysmon_asleep: false,
            taken: 0,
            overrunning: 0,
            blockers: Blockers::default(),
            sysmon_fires: false,
            awakenings: 0,
            resized_at: 0,
            p_time: 0,
            stop_wait: 0,
            stopper: None,
            without_stack: List::new(),
            deadlock: None,
            left: Leftover::default(),
            m0: None,
            finished: false,
            thread_limit_hit: false,
            m0_rests: false,
            without_thread: List::new(),
            second_reserve: None,
            refused: None,
            refused_threads: Refusals::default(),
            refused_stacks: Refusals::default(),
            refusal_told: false,
            failure: None,
            deadlock_suspected: false,
            others_found_at: None,
            to_rouse: None,
            threads: Vec::new(),
        }
    }

    /// Has a sleeper roused when the lock is let go of.
    pub(crate) fn rouse_soon(&mut self, target: Option<&WakeTarget>) {
        if let Some(another) = target.and_then(|target| self.to_rouse.replace(target.clone())) {
            another.rouse();
        }
    }

    /// Has the watcher look anew at what there is to watch.
    pub(crate) fn rouse_watcher(&mut self) {
        if let Some(watcher) = self.post.watcher() {
            // SAFETY: under the lock, and an M stays listed while it sleeps.
            self.rouse_soon(unsafe { watcher.m.get() }.note.set());
        }
    }

    /// Whether no thread can be made, as far as is known, and no M sleeps that could be given a P instead.
    pub(crate) fn has_nobody_to_wake(&self) -> bool {
        (self.thread_limit_hit || self.refused.is_some())
            && self.idle_ms.is_empty()
            && self.post.watcher().is_none()
            && !self.m0_rests
    }

    /// Ms that are neither asleep on the idle list, nor asleep for a locked goroutine, nor about to end.
    pub(crate) fn busy_ms(&self) -> isize {
        let all = self.all_m.len() + self.ms_to_make.len();
        let asleep = self.idle_ms.len() + self.ms_wanting_p.len() + self.leaving.len();
        all as isize - asleep as isize - self.locked_idle
    }
}
