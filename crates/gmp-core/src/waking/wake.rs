//! Waking and making Ms. Go: `wakep`, `startm`, `newm`, `allocm`, `handoffp` (proc.go, Go 1.27).

use crate::contract::{Config, IdleView, RunQueue};
use crate::entering::caller::{Caller, caller};
use crate::entering::gate::{in_own_frame, on_g0};
use crate::ground::event::EventKind;
use crate::ground::sync::full_fence;
use crate::ground::tell::tell;
use crate::ground::threads;
use crate::records::attention;
use crate::records::m::{AnyRuntime, M};
use crate::records::p::timers::NEVER;
use crate::records::p::{OwnedP, PCore};
use crate::records::recorder::kind;
use crate::shared::lists::{Lists, MRef};
use crate::shared::sched::{IdleOf, Sched};
use core::ptr;
use core::sync::atomic::Ordering;
use std::io;
use std::sync::Arc;

impl<C: Config> Sched<C> {
    /// Starts one spinner if a P is idle, and the policy agrees or all Ps are.
    #[doc(alias = "wakep")]
    #[cold]
    #[inline(never)]
    pub(crate) fn wake_spinner(&self, agree: impl Fn(&IdleOf<C>, IdleView) -> bool) {
        let agree =
            |view: IdleView| view.idle > 0 && (view.busy() == 0 || self.opinion(|idle| agree(idle, view)));
        if self.idle.try_spin(self.procs(), agree) {
            self.start_spinner();
        }
    }

    /// Starts an M for an idle P; the right to spin has been taken for it. Without an idle P it asks for a spinner and
    /// gives the right up.
    fn start_spinner(&self) {
        let mut lists = self.lock();
        match self.take_idle_p(&mut lists) {
            Some(p) => self.start_m(&mut lists, p, true),
            None => {
                self.idle.want_spinner();
                self.idle.give_up();
            }
        }
    }

    /// Wakes an M for work that has waited too long, whatever the policy thinks: the bounded law.
    pub(crate) fn wake_for_old_work(&self) {
        if self.idle.try_spin(self.procs(), |view| view.idle > 0 && view.spinning == 0) {
            self.start_spinner();
        }
    }

    /// Wakes sysmon out of its deep sleep. Under the lock.
    pub(crate) fn rouse_sysmon(&self, lists: &mut Lists<C>) {
        lists.awakenings = lists.awakenings.wrapping_add(1);
        if core::mem::replace(&mut lists.sysmon_asleep, false) {
            // It has not published the time since it went to sleep.
            self.header.coarse.store(self.header.now(), Ordering::Relaxed);
            self.sysmon.note.wake();
        }
    }

    /// Takes the P that went idle last.
    #[doc(alias = "pidleget")]
    pub(crate) fn take_idle_p(&self, lists: &mut Lists<C>) -> Option<OwnedP<C>> {
        let p = lists.idle_ps.pop()?;
        self.note_p_busy(lists);
        self.rouse_sysmon(lists);
        Some(p)
    }

    /// Notes that a P has left the list of idle ones.
    pub(crate) fn note_p_busy(&self, lists: &Lists<C>) {
        self.idle.p_busy();
        if lists.idle_ps.is_empty() {
            self.header.some_p_idle.store(false, Ordering::Relaxed);
        }
    }

    /// Takes a certain P, if it is idle.
    pub(crate) fn take_idle_p_at(&self, lists: &mut Lists<C>, wanted: *const PCore) -> Option<OwnedP<C>> {
        let at = lists.idle_ps.iter().position(|p| ptr::eq(&p.core, wanted))?;
        let p = lists.idle_ps.remove(at);
        self.note_p_busy(lists);
        self.rouse_sysmon(lists);
        Some(p)
    }

    /// Gives a P that is about to go idle to an M that waits for one with an inbox full of its own, or to an idle one for
    /// the goroutines that wait for a thread. `None`: given.
    pub(crate) fn give_p_if_wanted(&self, lists: &mut Lists<C>, p: OwnedP<C>) -> Option<OwnedP<C>> {
        if lists.ms_wanting_p.is_empty() {
            return self.give_p_to_thread_for_waiters(lists, p);
        }
        let m = lists.ms_wanting_p.remove(0);
        if lists.ms_wanting_p.is_empty() {
            self.clear_attention(attention::WANTS_P);
        }
        self.give_p(lists, m, p);
        None
    }

    /// Takes a P with an empty queue out of use, and is the only way to do so. Under the lock, the P goes to the first
    /// that wants it: to a stop of the world, to an M that wants a P, or onto the idle list. `true`: it is on the idle
    /// list, and the caller looks at the queues again afterwards.
    ///
    /// **Invariant**: no P is on the idle list while the world is being stopped. The stopper has emptied the list, and
    /// counts every other P as one that has yet to stop. Its holder may have got it long before and not looked at the
    /// attention word since: a P that waited for a thread that could not be made, for instance.
    #[doc(alias = "pidleput")]
    pub(crate) fn retire_p(&self, lists: &mut Lists<C>, p: OwnedP<C>) -> bool {
        if self.attention() & attention::STOP != 0 {
            self.stop_p(lists, p);
            return false;
        }
        let Some(mut p) = self.give_p_if_wanted(lists, p) else { return false };
        if !self.policy_from_anywhere(|| p.owner().queue.is_empty()) {
            crate::fatal!("an idle P has an empty queue", "P {} of policy {}", p.core.id, self.header.policy);
        }
        p.core.slice.forget();
        lists.idle_ps.push(p);
        self.idle.p_idle();
        self.header.some_p_idle.store(true, Ordering::Relaxed);
        true
    }

    /// Gives a P to an M: the last idle one to the watcher, others to an idle M, or to a new thread.
    #[doc(alias = "startm")]
    pub(crate) fn start_m(&self, lists: &mut Lists<C>, p: OwnedP<C>, spinning: bool) {
        if self.attention() & attention::CLOSING != 0 {
            // Every M is on its way out, and what this P holds is abandoned with the rest.
            if spinning {
                self.idle.give_up();
            }
            return self.park_p(lists, p);
        }
        if lists.idle_ms.is_empty() && caller_is_locked() {
            return self.ask_for_m(lists, p, spinning);
        }
        self.wakeups.fetch_add(1, Ordering::Relaxed);
        let watcher = if lists.idle_ps.is_empty() { self.take_watcher(lists) } else { None };
        if let Some(m) = watcher.or_else(|| lists.idle_ms.pop()) {
            // SAFETY: it sleeps, and under the lock nobody else wakes it.
            unsafe { m.get() }.spinning.set(spinning);
            self.give_p(lists, m, p);
        } else {
            self.new_m(lists, p, spinning);
        }
    }

    /// Takes the watcher off its post, to give it a P. From here on others look into the poller again.
    pub(crate) fn take_watcher(&self, lists: &mut Lists<C>) -> Option<MRef> {
        let m = lists.post.take()?;
        self.polling.set_watched(false);
        Some(m)
    }

    /// Has sysmon start an M for a P: an idle one, if there is one by then. Under the lock.
    pub(crate) fn ask_for_m(&self, lists: &mut Lists<C>, p: OwnedP<C>, spinning: bool) {
        lists.ms_to_make.push((p, spinning));
        lists.sysmon_asleep = true;
        self.rouse_sysmon(lists);
    }

    /// Hands a P to a sleeping M, whose thread comes up when the lock is free: `startm` (Go 1.27) wakes it after it has
    /// unlocked, too.
    pub(crate) fn give_p(&self, lists: &mut Lists<C>, m: MRef, p: OwnedP<C>) {
        // SAFETY: it sleeps until we wake it.
        let m = unsafe { m.get() };
        debug_assert!(m.next_p.get().is_null(), "M {} was given one P already", m.id);
        self.emit_decision_about(kind::WAKE, Some(p.core.id), m.id);
        m.next_p.set(p.into_core());
        lists.rouse_soon(m.note.set());
    }

    /// Makes a thread that starts with a P. If none can be had, the P goes idle: the next M that comes back from a
    /// blocking call, or sysmon, sees to its work.
    #[doc(alias = "newm")]
    #[doc(alias = "allocm")]
    pub(crate) fn new_m(&self, lists: &mut Lists<C>, mut p: OwnedP<C>, spinning: bool) {
        let mut as_reserve = false;
        if !self.may_make_thread(lists) {
            self.tell_of_limit(lists);
            let Some(refused) = self.give_to_sleeper(lists, p, spinning) else { return };
            p = refused;
            // With every M asleep for its locked goroutine, one more than allowed keeps the others going.
            let stuck = lists.busy_ms() <= 0;
            as_reserve = !stuck && self.needs_second_reserve(lists);
            if !stuck && !as_reserve {
                return self.out_of_use(lists, p, spinning);
            }
        }
        let m = self.register_m(lists);
        if as_reserve {
            self.make_second_reserve(lists, &m);
        }
        m.spinning.set(spinning);
        m.next_p.set(p.into_core());
        let name = format!("{}-{}", self.settings.thread_name, m.id);
        let (sched, machine) = (self.arc(), self.machine);
        let thread = Arc::clone(&m);
        let spawn = move || threads::spawn(name, move || machine(sched, thread));
        match on_big_stack(spawn) {
            Ok(handle) => {
                lists.refused = None;
                lists.threads.push((m.id, handle));
            }
            Err(error) => self.thread_refused(lists, &m, refusal("a thread for goroutines", &error)),
        }
    }

    /// Called under the lock when there is work, or a timer to wait for, and every M sleeps: at the limit of threads,
    /// all of them for their locked goroutines. sysmon makes the thread, since ours is about to sleep, perhaps locked.
    pub(crate) fn rescue(&self, lists: &mut Lists<C>) {
        if !lists.thread_limit_hit {
            return;
        }
        if let Some(p) = self.take_idle_p(lists) {
            self.ask_for_m(lists, p, false);
        }
    }

    /// Gives a P for which no thread can be made to an M that sleeps elsewhere, or takes it out of use.
    pub(super) fn no_thread(&self, lists: &mut Lists<C>, p: OwnedP<C>, spinning: bool) {
        if let Some(p) = self.give_to_sleeper(lists, p, spinning) {
            self.out_of_use(lists, p, spinning);
        }
    }

    /// Lets a P go idle for which nobody can be had; what it holds goes to the shared queue.
    fn out_of_use(&self, lists: &mut Lists<C>, p: OwnedP<C>, spinning: bool) {
        if spinning {
            self.idle.give_up();
        }
        self.park_p(lists, p);
        // sysmon sees to the timers of idle Ps while nobody else can be had for them.
        self.rouse_sysmon(lists);
    }

    fn tell_of_limit(&self, lists: &mut Lists<C>) {
        if !core::mem::replace(&mut lists.thread_limit_hit, true) {
            let max = self.settings.max_threads;
            tell(&format!(
                "runtime: program exceeds {max}-thread limit\nwarning: thread exhaustion: no more than {} threads \
                 by the limit of Builder::max_threads; goroutines wait for one that comes back (see \
                 Builder::max_threads){}\n",
                lists.all_m.len() + 1,
                self.holders(lists)
            ));
        }
    }

    /// Takes a P that may still have work out of use: what it holds goes to the shared queue.
    pub(crate) fn park_p(&self, lists: &mut Lists<C>, mut p: OwnedP<C>) {
        while let Some(popped) = self.policy_from_anywhere(|| p.owner().queue.pop()) {
            p.core.counters.book(-1);
            self.push_shared(popped.token);
        }
        // SAFETY: the right to the P is ours until it is on the list.
        let queues = unsafe { self.queues() };
        self.policy_from_anywhere(|| queues.settle());
        self.retire_p(lists, p);
    }

    /// Makes a new M, and puts it on the list of all Ms. Go: `mcommoninit`, `mReserveID`.
    #[doc(alias = "mcommoninit")]
    pub(crate) fn register_m(&self, lists: &mut Lists<C>) -> Arc<M> {
        let id = lists.next_m;
        lists.next_m += 1;
        let erased: &AnyRuntime = self;
        let erased = erased as *const AnyRuntime as *const _;
        let m = Arc::new(M::new(id, erased, self.settings.seed, lists.jobs_for_m()));
        lists.all_m.push(Arc::clone(&m));
        m
    }

    /// Finds a new M for a P whose own is about to block, or lets it go idle if there is nothing to do.
    #[doc(alias = "handoffp")]
    pub(crate) fn hand_off(&self, mut p: OwnedP<C>) {
        self.emit_decision_about(kind::HAND_OFF, Some(p.core.id), 0);
        let busy = !self.policy_from_anywhere(|| p.owner().queue.is_empty()) || !self.shared_is_empty();
        let nobody_looks = || self.idle.try_spin(self.procs(), |view| view.idle == 0 && view.spinning == 0);
        let spinner = !busy && nobody_looks();
        let mut lists = self.lock();
        if self.attention() & attention::STOP != 0 {
            if spinner {
                self.idle.give_up();
            }
            return self.stop_p(&mut lists, p);
        }
        if busy || spinner || !self.shared_is_empty() {
            return self.start_m(&mut lists, p, spinner);
        }
        let next_timer = p.core.timers.next();
        if !self.retire_p(&mut lists, p) {
            return;
        }
        let unwatched = self.wants_watcher(&lists);
        if unwatched {
            lists.rouse_watcher();
        }
        drop(lists);
        if unwatched {
            self.wake_for_old_work();
        }
        if next_timer != NEVER {
            self.timer_added(next_timer);
        }
        full_fence();
        if !self.shared_is_empty() || self.some_p_has_work() {
            self.wake_for_old_work();
        }
    }

    /// Whether any P's queue has work, by a thread without an epoch handle. Under no lock.
    pub(crate) fn some_p_has_work(&self) -> bool {
        self.any_has_work(&self.lock().every_p)
    }

    /// Called when an earlier timer was added: the M that sleeps until the next timer must not sleep longer.
    #[doc(alias = "wakeNetPoller")]
    pub(crate) fn timer_added(&self, when: u64) {
        let mut lists = self.lock();
        match lists.post.watcher() {
            Some(watcher) if watcher.until > when => lists.rouse_watcher(),
            Some(_) => {}
            None => {
                drop(lists);
                self.wake_from_outside();
            }
        }
    }

    /// Puts a stopped P aside. Under the lock, with a stop of the world under way.
    pub(crate) fn stop_p(&self, lists: &mut Lists<C>, p: OwnedP<C>) {
        self.emit_proc(EventKind::ProcStop, None, Some(p.core.id), 0);
        p.core.word.stop();
        // The stopper takes all Ps by their table.
        let _ = p.into_core();
        lists.stop_wait -= 1;
        if lists.stop_wait == 0
            && let Some(stopper) = lists.stopper
        {
            // SAFETY: the stopper's M waits for this very wake.
            unsafe { stopper.get() }.note.wake();
        }
    }

    /// The runtime as an `Arc`, from a borrow of what only ever lives in one.
    pub(crate) fn arc(&self) -> Arc<Self> {
        let this = ptr::from_ref(self);
        // SAFETY: `Sched::new` alone makes one, in an Arc, and the borrow keeps a count.
        unsafe {
            Arc::increment_strong_count(this);
            Arc::from_raw(this)
        }
    }
}

/// The operating system's refusal, with the name of what it refused.
pub(crate) fn refusal(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// Calls `f` on a thread's own stack: making a thread takes more than a goroutine may have left.
fn on_big_stack<R>(f: impl FnOnce() -> R) -> R {
    match caller() {
        Caller::G(here) => on_g0(here.g(), |_| f()),
        _ => in_own_frame(f),
    }
}

/// Whether the calling thread is locked to a goroutine, so that its state must not be inherited by a new thread.
fn caller_is_locked() -> bool {
    caller().m().is_some_and(|m| !m.locked_g.get().is_null())
}
