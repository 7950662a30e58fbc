//! Stopping the world and changing the number of Ps. Go: `stopTheWorld`, `startTheWorld`, `procresize` (proc.go, 1.27).
//!
//! The stopper is a goroutine's M, on g0, with its P. It asks (attention STOP), takes the idle Ps and those lent to
//! blocking calls, and waits for the others: each M gives its P up when its goroutine next comes to g0. It ends their time
//! slices, so that a goroutine comes with its next call, even one that need not wait: until it comes, no dispatch would end
//! its slice otherwise. Goroutines are not interrupted: one that computes without ever calling the runtime delays the stop
//! until sysmon takes its P or, where sysmon may not, until it calls.

use crate::contract::{Config, List, Policy, RunQueue, Thief};
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::registry;
use crate::records::m::M;
use crate::records::p::word::PStatus;
use crate::records::p::{OwnedP, P};
use crate::shared::lists::{Lists, MRef};
use crate::shared::sched::Sched;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the stopper waits before it asks again. Go: 100 us.
const ASK_AGAIN: Duration = Duration::from_micros(100);

impl<C: Config> Sched<C> {
    /// Stops the world, sets the number of Ps, and starts it again. On g0 of `m`, which holds a P. `false`: somebody
    /// else is stopping the world; the caller yields and tries again.
    #[doc(alias = "procresize")]
    pub(crate) fn try_resize_here(&self, m: &M, procs: usize) -> bool {
        if !self.stop_the_world(m) {
            return false;
        }
        let mut lists = self.lock();
        self.resize(&mut lists, m, procs);
        self.start_the_world(&mut lists, m);
        drop(lists);
        self.emit_proc(EventKind::ProcsChange, Some(m), m.p_id(), procs as u64);
        self.wake_from_outside();
        true
    }

    #[doc(alias = "stopTheWorld")]
    fn stop_the_world(&self, m: &M) -> bool {
        let mut lists = self.lock();
        if self.attention() & (attention::STOP | attention::CLOSING) != 0 {
            return false;
        }
        self.emit_proc(EventKind::StwBegin, Some(m), m.p_id(), 0);
        m.note.clear();
        lists.stop_wait = self.procs();
        lists.stopper = Some(MRef::new(m));
        self.call_attention(attention::STOP);
        if let Some(p) = m.p_core() {
            p.word.stop();
            lists.stop_wait -= 1;
        }
        while let Some(p) = lists.idle_ps.pop() {
            self.note_p_busy(&lists);
            p.core.word.stop();
            // The table of Ps still knows it.
            let _ = p.into_core();
            lists.stop_wait -= 1;
        }
        // A P that waits for a thread to be made need not be waited for.
        while let Some((p, spinning)) = lists.ms_to_make.pop() {
            if spinning {
                self.idle.give_up();
            }
            self.stop_p(&mut lists, p);
        }
        loop {
            self.stop_blocked_ps(&mut lists);
            if lists.stop_wait == 0 {
                break;
            }
            self.preempt_all(&lists);
            if self.attention() & attention::CLOSING != 0 {
                // Goroutines in user code may keep their Ps for ever now.
                self.give_up_stopping(&mut lists, m);
                return false;
            }
            drop(lists);
            m.note.sleep_until(Instant::now() + ASK_AGAIN);
            m.note.clear();
            lists = self.lock();
        }
        lists.stopper = None;
        // The last P may have stopped, and woken us, between our last sleep and the lock: a note left set would end our
        // next sleep, and an M that wakes without a P believes that the runtime closes.
        m.note.clear();
        true
    }

    fn give_up_stopping(&self, lists: &mut Lists<C>, m: &M) {
        lists.stopper = None;
        self.clear_attention(attention::STOP);
        let ps = lists.every_p[..self.procs()].to_vec();
        for p in ps {
            if core::ptr::eq(&raw const p.core, m.p()) {
                p.core.word.acquire();
            } else if p.core.word.status() == PStatus::Stopped {
                p.core.word.release();
                // SAFETY: it had stopped, so the right to it is the stopper's, which gives it back.
                self.park_p(lists, unsafe { OwnedP::new(&p) });
            }
        }
    }

    /// Ends the time slices of all Ps that are in use. An M that was on its way to the next goroutine begins another
    /// one, so this is done again and again until all have come. Go: `preemptall`.
    #[doc(alias = "preemptall")]
    pub(crate) fn preempt_all(&self, lists: &Lists<C>) {
        let running = |p: &&Arc<P<C>>| p.core.word.status() == PStatus::Running;
        lists.every_p.iter().filter(running).for_each(|p| p.core.slice.end());
    }

    fn stop_blocked_ps(&self, lists: &mut Lists<C>) {
        let Lists { every_p, stop_wait, .. } = lists;
        for p in every_p.iter() {
            if p.core.word.call().is_some_and(|call| M::take_lent(&p.core, call, PStatus::Stopped)) {
                self.emit_proc(EventKind::ProcSteal, None, Some(p.core.id), 0);
                *stop_wait -= 1;
            }
        }
    }

    /// Sets the number of Ps with the world stopped; the caller's M keeps its P, or gets P 0.
    fn resize(&self, lists: &mut Lists<C>, m: &M, procs: usize) {
        // SAFETY: the world is stopped, and the stopper's M holds its P.
        let queues = unsafe { self.queues() };
        self.policy(m, || queues.settle());
        lists.p_time = self.p_time(lists);
        lists.resized_at = self.header.now();
        self.grow(lists, procs);
        let keep = match m.p_id() {
            Some(id) if (id as usize) < procs => Arc::clone(&lists.every_p[id as usize]),
            _ => Arc::clone(&lists.every_p[0]),
        };
        // Before anything is moved: whatever is readied or spawned from here on is queued on a P that stays.
        if self.header.events.records() && m.p_id() != Some(keep.core.id) {
            self.move_recorded(m, &keep);
        } else {
            m.hold(&raw const keep.core);
        }
        keep.core.cpu_clock.store(m.cpu_clock.load(Ordering::Relaxed), Ordering::Relaxed);
        let removed: Vec<Arc<P<C>>> = lists.every_p[procs..self.procs().max(procs)].to_vec();
        for p in &removed {
            self.remove(p, &keep);
        }
        self.publish_all_p(lists.every_p[..procs].to_vec(), &self.collector.register());
        self.tell_only_p(lists);
    }

    /// The stopper's M takes another P in hand, and its goroutine with it, for who reads the record of events.
    #[cold]
    fn move_recorded(&self, m: &M, keep: &P<C>) {
        // SAFETY: records are never freed.
        let stopper = unsafe { m.running().as_ref() };
        if let Some(g) = stopper {
            self.emit_recorded(EventKind::GoStop, g, m);
        }
        self.emit_proc(EventKind::ProcStop, Some(m), m.p_id(), 0);
        m.hold(&raw const keep.core);
        self.emit_proc(EventKind::ProcStart, Some(m), m.p_id(), 0);
        if let Some(g) = stopper {
            self.emit_recorded(EventKind::GoStart, g, m);
        }
    }

    /// The CPU time that the Ps could have used so far, in nanoseconds.
    pub(crate) fn p_time(&self, lists: &Lists<C>) -> u64 {
        let since = self.header.now().saturating_sub(lists.resized_at);
        lists.p_time.saturating_add(since.saturating_mul(self.procs() as u64))
    }

    /// Makes those Ps that have not existed before.
    fn grow(&self, lists: &mut Lists<C>, procs: usize) {
        while lists.every_p.len() < procs {
            let id = u32::try_from(lists.every_p.len()).expect("the number of Ps fits in 32 bits");
            let made = || Arc::new(P::new(id, self.header.serial, self.settings.seed, &self.stacks));
            let p = self.policy_from_anywhere(made);
            self.header.events.equip(&p.core);
            lists.every_p.push(p);
        }
    }

    /// Empties a P that is no longer wanted. Its goroutines go to the front of the shared queue, run_next first; in
    /// rising order of Ps, so the highest ends up first. Go: `procresize`, `p.destroy`.
    fn remove(&self, p: &Arc<P<C>>, heir: &P<C>) {
        // SAFETY: the world is stopped, so the right to every P is the stopper's, and its M holds the heir by now.
        let mut owned = unsafe { OwnedP::new(p) };
        let mut left = List::new();
        while let Some(popped) = self.policy_from_anywhere(|| owned.owner().queue.pop()) {
            owned.core.counters.book(-1);
            left.push_back(popped.token);
        }
        // SAFETY: as above.
        let queues = unsafe { self.queues() };
        self.policy_from_anywhere(|| queues.push_front(left));
        p.core.timers.move_to(&heir.core.timers);
        heir.core.counters.count_at_descriptors(p.core.counters.at_descriptors.swap(0, Ordering::Relaxed));
        owned.flush_stacks(&self.stacks);
        // SAFETY: as above.
        let free = unsafe { p.core.free() };
        registry::give_back(free, registry::FreeGs::CAPACITY);
        p.core.word.remove();
        // Nobody dispatches on it any more.
        p.core.slice.forget();
        let _ = owned.into_core();
    }

    /// Hands the Ps out again: those with work get an M, in rising order; the others go idle, in rising order too, so
    /// that the highest is woken first. Go 1.27: `procresize`, `startTheWorldWithSema`.
    #[doc(alias = "startTheWorld")]
    fn start_the_world(&self, lists: &mut Lists<C>, m: &M) {
        self.clear_attention(attention::STOP);
        let mut with_work = Vec::new();
        let ps: Vec<Arc<P<C>>> = lists.every_p[..self.procs()].to_vec();
        for p in ps {
            if core::ptr::eq(&raw const p.core, m.p()) {
                p.core.word.acquire();
                continue;
            }
            p.core.word.stop();
            p.core.word.release();
            // SAFETY: the world is stopped: the right to every other P is ours to give away.
            let owned = unsafe { OwnedP::new(&p) };
            if !self.policy(m, || p.thief.is_empty()) {
                with_work.push(owned);
            } else {
                self.retire_p(lists, owned);
            }
        }
        for p in with_work {
            self.start_m(lists, p, false);
        }
        self.rouse_sysmon(lists);
        self.emit_proc(EventKind::StwEnd, Some(m), m.p_id(), 0);
    }

    /// The first Ps of a runtime: P 0 for m0, the others idle. Go: `schedinit`.
    #[doc(alias = "schedinit")]
    pub(crate) fn first_ps(&self, lists: &mut Lists<C>, procs: usize) -> OwnedP<C> {
        self.grow(lists, procs);
        lists.resized_at = self.header.now();
        self.publish_all_p(lists.every_p.clone(), &self.collector.register());
        self.tell_only_p(lists);
        for p in lists.every_p.clone().iter().skip(1) {
            p.core.word.release();
            // SAFETY: just made: the right to it is ours.
            self.retire_p(lists, unsafe { OwnedP::new(p) });
        }
        lists.every_p[0].core.reserve_first_numbers();
        // SAFETY: as above.
        unsafe { OwnedP::new(&lists.every_p[0]) }
    }

    /// The name of the policy.
    pub(crate) fn policy_name_here(&self) -> &'static str {
        C::Policy::NAME
    }
}
