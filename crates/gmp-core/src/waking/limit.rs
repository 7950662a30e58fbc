//! The limit of threads: what goes on when no thread can be made.
//!
//! A P that needs an M goes to one on the idle list, else to a new thread; if it is the last idle P, it goes to the watcher
//! before either (`g0/watch.rs`). If no thread can be made, it goes to an M that sleeps elsewhere: every sleep of an M
//! but a locked one's is in the lists, so that the M can be taken out of it.
//!
//! ```text
//!   start_m ──► an idle M ──► a new thread ──► the watcher ──► m0, which rests ──► a second reserve ──► none: the P is
//!      └─the last idle P─► the watcher                                   │                              out of use
//!   m0:  rests ──given a P──► reserve ──another M is idle: gives it the P, or has nothing to do──► rests
//!   second reserve: is made ──────────► reserve ──the same──► its thread ends
//! ```
//!
//! **m0 is the reserve.** It rests so that `run` can return as soon as main has; at the limit it runs goroutines instead,
//! so that all that needs no thread of its own goes on (timers, main, new goroutines, channels) while every other thread
//! sits in a blocking call or is locked. **Invariant**: `blocking` does not take the reserve. A goroutine that comes there
//! on the reserve waits in `Lists::without_thread`, until an M that is not the reserve looks for work; before that M
//! sleeps, the reserve gives it the P. If that M's thread ends instead, since its goroutine has ended locked, another
//! thread is made: by sysmon if a P is idle, else for the reserve's P when the reserve next comes to g0. Goroutines
//! that lock the thread, or suspend while they unwind, take the reserve like any other: neither may wait. In the mode
//! `pinned` nor may those that first ran on it.
//!
//! **The second reserve** is made where m0 cannot be had, because it sleeps for its locked goroutine or sits in a blocking
//! call itself, and no other M runs goroutines: every P but this one is idle. It is one thread more than the limit, and
//! there is one at a time; if a goroutine locks it, the next one is made, as for every locked goroutine beyond the limit.
//! Without it whatever the blocked threads wait for would never run.
//!
//! **Invariant**: while a goroutine waits for a thread, no P and no M but a reserve are idle at the same time. The three
//! that could break it see to it under the lock: the goroutine that begins to wait (`wants_thread`), the M that goes idle
//! (`stop_m`), and whoever takes a P out of use (`retire_p`): a reserve without work, sysmon, the start of a stopped world.
//!
//! **Idle Ms end.** One that goes to sleep beside as many others as are kept ([`Sched::kept_idle`]) sleeps for
//! `Settings::thread_keep_alive` at most, and ends if still so many others sleep (`shared/idle_ms.rs`). **Invariant**: it
//! leaves the list of idle Ms under the lock under which it finds its note clear, so nobody has given it a P or will.
//! Until its thread has ended it is on the list of all Ms, but counts neither as busy nor towards the limit.
//!
//! Attention's `LIMIT` is set, under the lock, while the reserve has a P or somebody waits for a thread, so that every M
//! looks here before it looks for work.

use crate::contract::Config;
use crate::records::attention;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::OwnedP;
use crate::shared::lists::{Lists, MRef};
use crate::shared::sched::Sched;

impl<C: Config> Sched<C> {
    /// Gives a P, for which no thread can be made, to the M that sleeps until the next timer or in the poller, or to
    /// m0. `None`: given.
    pub(crate) fn give_to_sleeper(
        &self,
        lists: &mut Lists<C>,
        p: OwnedP<C>,
        spinning: bool,
    ) -> Option<OwnedP<C>> {
        let Some(m) = self.take_sleeper(lists) else { return Some(p) };
        // SAFETY: it sleeps, and under the lock nobody else wakes it: it is off the list by which others would find it.
        unsafe { m.get() }.spinning.set(spinning);
        self.give_p(lists, m, p);
        None
    }

    fn take_sleeper(&self, lists: &mut Lists<C>) -> Option<MRef> {
        if let Some(m) = self.take_watcher(lists) {
            return Some(m);
        }
        let m0 = lists.m0.filter(|_| lists.m0_rests && !lists.finished)?;
        lists.m0_rests = false;
        lists.locked_idle -= 1;
        // Whatever the system refused, there is somebody to go on with.
        lists.refused = None;
        // SAFETY: as above.
        unsafe { m0.get() }.reserve.set(true);
        self.call_attention(attention::LIMIT);
        Some(m0)
    }

    /// Whether nobody runs goroutines, or could: every other P is idle, m0 is kept by a goroutine or gone, and there is no
    /// second reserve, or a goroutine has locked it. Under the lock, with a P in hand that no M can be had for. An m0 that
    /// nobody keeps is on its way to rest, and looks then.
    pub(crate) fn needs_second_reserve(&self, lists: &Lists<C>) -> bool {
        // SAFETY: it is on the list of all Ms, or it would have been forgotten.
        let is_locked = |m: MRef| !unsafe { m.get() }.locked_g.get().is_null();
        let nobody_runs = lists.idle_ps.len() + 1 >= self.procs();
        // SAFETY: m0 lives until `run` returns, and its marks may be old, but not for long.
        let is_kept = |m0: MRef| is_locked(m0) || !unsafe { m0.get() }.running().is_null();
        let no_m0 = lists.finished || lists.m0.is_none_or(is_kept);
        // `run` is about to return, unless m0 sees to it that the rest unwinds.
        let goes_on = !lists.finished || self.unwinding();
        nobody_runs && goes_on && no_m0 && lists.second_reserve.is_none_or(is_locked)
    }

    /// Makes this new M, whose thread has not begun, the second reserve until it ends.
    pub(crate) fn make_second_reserve(&self, lists: &mut Lists<C>, m: &M) {
        m.reserve.set(true);
        lists.second_reserve = Some(MRef::new(m));
        self.call_attention(attention::LIMIT);
    }

    /// Whether the limit leaves room for one more thread. sysmon counts as one, as in Go.
    pub(crate) fn may_make_thread(&self, lists: &Lists<C>) -> bool {
        lists.all_m.len() - lists.leaving.len() + 1 < self.settings.max_threads
    }

    /// How many idle Ms are kept, however long they sleep: enough for all Ps to hand over their goroutines at once. m0 and
    /// those with pinned goroutines are kept, too.
    pub(crate) fn kept_idle(&self) -> usize {
        self.procs()
    }

    /// Has sysmon make a thread if goroutines wait for one, a P is idle, and the limit leaves room, since a thread has
    /// ended. Called under the lock when a thread has ended, and by the last M that goes to sleep: the reserve may have
    /// had the only P when the thread ended, and have looked before. `true`: sysmon makes one.
    pub(crate) fn replace_ended_thread(&self, lists: &mut Lists<C>) -> bool {
        if lists.without_thread.is_empty() || !self.may_make_thread(lists) {
            return false;
        }
        let Some(p) = self.take_idle_p(lists) else { return false };
        self.ask_for_m(lists, p, false);
        true
    }

    /// An M is no more, or m0 rests. If it was a reserve, whoever submitted something meanwhile found no M for it. Under
    /// the lock.
    pub(crate) fn mind_ended_reserve(&self, lists: &mut Lists<C>) {
        self.clear_limit(lists);
        let work = !self.shared_is_empty() || self.any_has_work(&lists.every_p);
        if lists.thread_limit_hit
            && work
            && let Some(p) = self.take_idle_p(lists)
        {
            self.ask_for_m(lists, p, false);
        }
    }

    /// Gives a P that is about to go idle to an idle M, if goroutines wait for a thread. `None`: given.
    pub(crate) fn give_p_to_thread_for_waiters(
        &self,
        lists: &mut Lists<C>,
        p: OwnedP<C>,
    ) -> Option<OwnedP<C>> {
        if lists.without_thread.is_empty() {
            return Some(p);
        }
        let Some(m) = lists.idle_ms.pop() else { return Some(p) };
        self.give_p(lists, m, p);
        None
    }

    /// Takes a goroutine that waited for a thread, to be run by the caller, if there is one. Under the lock.
    pub(crate) fn take_without_thread(&self, lists: &mut Lists<C>) -> Option<Runnable> {
        let token = lists.without_thread.pop_front();
        self.clear_limit(lists);
        token
    }

    /// Clears `LIMIT` if nothing is to be looked at any more. Under the lock.
    pub(crate) fn clear_limit(&self, lists: &Lists<C>) {
        // SAFETY: m0 lives until `run` returns, and its mark changes under the lock.
        let serves = lists.m0.is_some_and(|m0| unsafe { m0.get() }.reserve.get());
        if !serves && lists.second_reserve.is_none() && lists.without_thread.is_empty() {
            self.clear_attention(attention::LIMIT);
        }
    }
}
