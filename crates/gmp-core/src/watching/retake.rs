//! Retake: sysmon takes the P of a goroutine that has blocked its thread without a word, or computes for longer than its
//! time slice (`overrun.rs`). Go: `retake` (proc.go, Go 1.27).
//!
//! ```text
//!   P Running ── its M's CPU clock stands still between two looks ──► asleep? ──► the door: outside? ──► taken, handed off
//!                                                                     no: it waits for a CPU; nobody takes its P for that
//! ```
//!
//! Whatever the goroutine does there (a file, a socket, a lock of std's, a page that is missing), its thread sleeps in the
//! kernel. Not every clock that stands still means that: on a busy machine a thread may wait for a CPU as long. So the
//! system is asked for the thread's state. Whoever sleeps now, and has not run since the last look, has slept since then.
//!
//! From then on the goroutine is as if it had stepped aside (`slice.rs`): it runs on without a P when it wakes, and comes
//! back by the queue's rules at its next call that suspends, or at its end. Until then it stays on its thread, so nothing
//! that its code knows of the thread changes.
//!
//! **Habits.** Two looks are 20 us apart at best, which is much of a short call. While a P is taken again and again, sysmon
//! asks for the state at each look, and where the goroutine was started at a place that is known for blocking
//! (`shared/blockers.rs`) it takes the P at once: a thread that sleeps, and has used no CPU time since it was asked, is
//! not waiting for a CPU.
//!
//! How sysmon and the goroutine agree is told in `records/m/door.rs`. **Not taken**: the P of an M that is inside, of
//! the reserve at the limit of threads while no other thread is idle, and any P where there is no heavy fence or no state
//! to ask for, as where goroutines are threads. Then a blocked goroutine keeps its P until it comes back, as it does
//! under `Builder::retake(false)`.

use crate::contract::{Config, Switch, ThreadSlice};
use crate::ground::clock::nanos;
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::G;
use crate::records::m::M;
use crate::records::p::{OwnedP, P};
use crate::shared::lists::Lists;
use crate::shared::sched::Sched;
use core::ptr;
use core::sync::atomic::Ordering;
use std::sync::Arc;
use std::time::Duration;

/// What sysmon saw of a P's M at its last look: the M's clock, and what it said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    clock: i32,
    used: Option<u64>,
    /// When this P was last taken from one who slept.
    taken_at: u64,
}

/// For so long after a P was taken it is looked at more closely: goroutines that block in turns do it within this time,
/// and to ask for a state costs some microseconds.
const CLOSE_LOOKS: Duration = Duration::from_micros(200);

/// What became of a look.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    /// Nothing to do.
    Nothing,
    /// The thread sleeps, but it may have begun a moment ago: sysmon is to look again soon.
    Asleep,
    /// The P was taken, and handed off.
    Taken,
}

impl Look {
    pub(super) const NOTHING: Look = Look { clock: 0, used: None, taken_at: 0 };

    /// Looks at `p`, and takes it if its goroutine has slept since the last look and somebody could use the P. A `slow`
    /// sysmon, which would not look again for long, asks for the state at the first look, too.
    pub(super) fn again<C: Config>(&mut self, sched: &Sched<C>, p: &P<C>, now: u64, slow: bool) -> Found {
        let clock = p.core.cpu_clock.load(Ordering::Relaxed);
        let used = cpu_time::<C>(clock);
        let before = core::mem::replace(self, Look { clock, used, ..*self });
        if used.is_none() || is_unwanted(sched, p, now) {
            return Found::Nothing;
        }
        let stands_still = (before.clock, before.used) == (clock, used);
        let closely = now.saturating_sub(self.taken_at) < nanos(CLOSE_LOOKS);
        if stands_still || (closely && sched.is_known_for_blocking(p)) {
            let found = sched.take_p_if(p, Why::Sleeps, |m| is_asleep::<C>(m, clock, used));
            if found == Found::Taken {
                self.taken_at = now;
            }
            return found;
        }
        if (slow || closely) && C::Switch::sleeps(clock) == Some(true) {
            Found::Asleep
        } else {
            Found::Nothing
        }
    }
}

/// The CPU time of the M behind a clock; `None` where there is no clock.
pub(super) fn cpu_time<C: Config>(clock: i32) -> Option<u64> {
    if clock == 0 { None } else { C::Switch::cpu_time(clock) }
}

/// Whether the thread of `m` is the one behind that clock, sleeps, and has used no more CPU time than that. Then it is off
/// its CPU, which is as good as a heavy fence (`records/m/door.rs`).
pub(super) fn is_asleep<C: Config>(m: &M, clock: i32, used: Option<u64>) -> bool {
    let stands_still = || cpu_time::<C>(clock) == used;
    let is_its_clock = m.cpu_clock.load(Ordering::Relaxed) == clock && used.is_some();
    is_its_clock && stands_still() && C::Switch::sleeps(clock) == Some(true) && stands_still()
}

/// Why a P is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// The thread sleeps.
    Sleeps,
    /// The goroutine has computed since then, which is for longer than its slice.
    Overruns { since: u64 },
}

/// Whether nobody could use this P: there is nothing to run on it, and others look for work.
pub(super) fn is_unwanted<C: Config>(sched: &Sched<C>, p: &P<C>, now: u64) -> bool {
    let view = sched.view();
    !sched.somebody_waits_for(p, now) && view.spinning + view.idle > 0
}

impl<C: Config> Sched<C> {
    /// Whether this P has something to do at once: a goroutine, or a timer that is due.
    pub(crate) fn somebody_waits_for(&self, p: &P<C>, now: u64) -> bool {
        self.policy_from_anywhere(|| p.has_work()) || !self.shared_is_empty() || p.core.timers.next() <= now
    }

    /// Whether Ps are taken at all here.
    pub(super) fn retakes(&self) -> bool {
        self.settings.retake && C::Switch::heavy_fence().is_some()
    }

    /// Takes `p` from its M, and hands it off, if its goroutine's own code runs there and `outside` says so.
    pub(super) fn take_p_if(&self, p: &P<C>, why: Why, outside: impl FnOnce(&M) -> bool) -> Found {
        let Some((p, m, g)) = self.seize_p_if(p, why, outside) else { return Found::Nothing };
        self.hand_off(p);
        if let Why::Overruns { since } = why {
            self.show_overrun(&m, g, since);
        }
        Found::Taken
    }

    /// The first half of [`Sched::take_p_if`]: the caller has the P, and is told from whom. `outside` makes a heavy fence,
    /// or sees that the M's thread is off its CPU; it is called under no lock.
    pub(super) fn seize_p_if(
        &self,
        p: &P<C>,
        why: Why,
        outside: impl FnOnce(&M) -> bool,
    ) -> Option<(OwnedP<C>, Arc<M>, *const G)> {
        let lists = self.lock();
        let m = self.holder_of(&lists, p)?;
        if !self.may_be_taken(&lists, &m, why) || m.door.is_inside() {
            return None;
        }
        drop(lists);
        let mark = m.door.begin_taking()?;
        let outside = outside(&m);
        let mut lists = self.lock();
        // Between two goroutines an M is inside; that it runs one is looked at all the same, since its record is used.
        let runs = || !m.running().is_null() && ptr::eq(m.p(), &raw const p.core);
        if !outside || !self.may_be_taken(&lists, &m, why) || !m.door.may_take(mark) || !runs() {
            m.door.give_up_taking(mark);
            return None;
        }
        let g = self.take_from(&mut lists, &m, p, why);
        drop(lists);
        // What it has offered to thieves would be found by nobody: the P's next holder has jobs of its own. Whatever it
        // offered before it could see our mark we see, and what it offers from now on it sees to itself.
        while crate::life::scope::promote_from_outside(self, &m.jobs) {}
        // SAFETY: the P word made us the one owner.
        Some((unsafe { OwnedP::new(p) }, m, g))
    }

    /// Whether anything speaks against taking a P from `m`.
    fn may_be_taken(&self, lists: &Lists<C>, m: &M, why: Why) -> bool {
        let closing = self.attention() & attention::CLOSING != 0;
        let too_many = matches!(why, Why::Overruns { .. }) && lists.overrunning >= self.max_overruns();
        // At the limit of threads nobody could use the P of the reserve, unless one of them has come back since.
        let needed = m.reserve.get() && lists.idle_ms.is_empty() && !self.may_make_thread(lists);
        !(closing || too_many || needed)
    }

    /// Whether the goroutine that runs on `p` was started where goroutines keep blocking.
    fn is_known_for_blocking(&self, p: &P<C>) -> bool {
        let lists = self.lock();
        self.holder_of(&lists, p).is_some_and(|m| lists.is_known_for_blocking(&m))
    }

    /// The M that took `p` last, if there still is one.
    pub(super) fn holder_of(&self, lists: &Lists<C>, p: &P<C>) -> Option<Arc<M>> {
        let holder = p.core.holder.load(Ordering::Relaxed).cast_const();
        lists.all_m.iter().find(|m| ptr::eq(Arc::as_ptr(m).cast(), holder)).cloned()
    }

    /// The goroutine of `m` is outside, and whoever comes in waits for us: the P is lent for it, and taken at once.
    fn take_from(&self, lists: &mut Lists<C>, m: &M, p: &P<C>, why: Why) -> *const G {
        // SAFETY: records are never freed, and an M whose goroutine's own code runs has one.
        let g = unsafe { &*m.running() };
        self.emit(EventKind::GoSyscallBegin, g, Some(m), 0);
        g.word.to_blocked();
        m.taken(p.core.word.take_running());
        m.lent_since.set(self.header.now());
        lists.taken += 1;
        self.tell_only_p(lists);
        match why {
            Why::Sleeps => lists.blockers.note_taken(g.created_at.get()),
            Why::Overruns { since } => {
                m.overrun.begin(since);
                C::Switch::ask_for_slice(m.thread_id.load(Ordering::Relaxed), ThreadSlice::Long);
                if g.is_inboxed() {
                    p.core.turns.pinned_slice_is_over(self.header.now());
                }
                lists.overrunning += 1;
                self.overruns.fetch_add(1, Ordering::Relaxed);
            }
        }
        m.door.end_taking();
        self.emit_proc(EventKind::ProcSteal, None, Some(p.core.id), 0);
        self.count_handoff();
        g
    }

    /// The goroutine `g` of `m`, whose P was taken, is in our code again. It is likely to block again soon, so sysmon looks
    /// often from now on.
    pub(crate) fn has_come_back(&self, g: &'static G, m: &M) {
        let overran = m.overrun.end();
        if overran.is_some() {
            C::Switch::ask_for_slice(m.thread_id.load(Ordering::Relaxed), ThreadSlice::Usual);
        }
        if let (Some(since), Some(hook)) = (overran, &self.settings.on_overrun) {
            self.tell_of_overrun(hook, g, m, since);
        }
        let lasted = self.header.now().saturating_sub(m.lent_since.get());
        let mut lists = self.lock();
        lists.taken -= 1;
        match overran {
            Some(_) => lists.overrunning -= 1,
            None => lists.blockers.note_back(g.created_at.get(), Duration::from_nanos(lasted)),
        }
        self.tell_only_p(&lists);
        if !self.sysmon.looks_often() {
            self.sysmon.set_lightly_asleep(false);
            lists.rouse_soon(self.sysmon.note.set());
        }
    }
}

impl<C: Config> Lists<C> {
    /// Whether the goroutine that runs on `m` was started where goroutines keep blocking.
    pub(super) fn is_known_for_blocking(&self, m: &M) -> bool {
        // SAFETY: records are never freed. If another goroutine runs there by now, its P is taken for it, if it sleeps.
        let g = unsafe { m.running().as_ref() };
        g.is_some_and(|g| self.blockers.know(g.created_at.get()))
    }
}
