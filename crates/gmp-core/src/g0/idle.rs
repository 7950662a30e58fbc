//! Going idle: give up the P, look once more, sleep. Go: the second half of `findRunnable`, `stopm`, `gcstopm`.
//!
#![doc = include_str!("idle/README.md")]

use super::G0;
use crate::contract::{Config, Popped};
use crate::ground::sync::full_fence;
use crate::records::attention;
use crate::records::g::runnable::Runnable;
use crate::shared::lists::MRef;
use std::time::Instant;

impl<C: Config> G0<'_, C> {
    /// Gives up the P, unless something turns up on the way. `None`: the caller starts over, with a P or without.
    #[cold]
    #[inline(never)]
    pub(super) fn give_up_p(&self) -> Option<Popped<Runnable>> {
        let mut lists = self.sched.lock();
        if self.is_wanted() || !self.sched.shared_is_empty_on(self.m) || !self.m.inbox.is_empty() {
            return None;
        }
        if !self.m.spinning.get() && self.sched.idle.take_wanted() {
            self.m.spinning.set(true);
            return None;
        }
        if !self.local_is_empty() || (!lists.without_thread.is_empty() && !self.m.reserve.get()) {
            return None;
        }
        let p = self.release();
        // `false` if the P went straight to another M, for a goroutine that waits for a thread.
        let idle = self.sched.retire_p(&mut lists, p);
        drop(lists);
        self.drop_spinning();
        // From here on a submitter sees the idle P and nobody spinning. What it pushed before it could see them, we see
        // now.
        full_fence();
        if self.last_look() || !idle { None } else { self.watch() }
    }

    /// Looks at every source once more after the P is gone. `true`: there is work, and a P for it is in hand.
    fn last_look(&self) -> bool {
        let work = !self.sched.shared_is_empty_on(self.m)
            || self.sched.with_all_p(&self.epoch, |all| self.sched.any_has_work(&all.ps));
        if !work {
            return false;
        }
        let mut lists = self.sched.lock();
        match self.sched.take_idle_p(&mut lists) {
            Some(p) => {
                drop(lists);
                self.sched.idle.spin();
                self.m.spinning.set(true);
                self.acquire(p);
                true
            }
            None => {
                self.sched.idle.want_spinner();
                false
            }
        }
    }

    /// Sleeps until somebody gives this M a P. `false`: m0 is to rest, and any other M's thread is to end, because the
    /// runtime closes, because the M was a reserve, or because there are enough idle Ms without it.
    #[must_use]
    #[doc(alias = "stopm")]
    pub(super) fn stop_m(&self) -> bool {
        self.drop_spinning();
        if self.may_rest() {
            return false;
        }
        let mut lists = self.sched.lock();
        // We look under the lock: whoever ends the runtime wakes us under it, and we may have taken that wake for
        // another.
        if self.is_over() {
            return false;
        }
        let wanted = !self.m.inbox.is_empty() || (!lists.without_thread.is_empty() && !self.m.reserve.get());
        if wanted && let Some(p) = self.sched.take_idle_p(&mut lists) {
            drop(lists);
            self.acquire(p);
            return true;
        }
        let mut surplus = false;
        if self.m.inbox.is_empty() {
            surplus = lists.idle_ms.push(MRef::new(self.m), self.sched.kept_idle());
            self.sched.check_dead(&mut lists);
        } else {
            lists.ms_wanting_p.push(MRef::new(self.m));
            self.sched.call_attention(attention::WANTS_P);
        }
        drop(lists);
        let given = !surplus || self.sleep_as_surplus();
        (given || !self.may_leave()) && self.sleep_for_p()
    }

    /// Sleeps as an idle M beyond the number that is kept. `false`: nobody has given it a P for as long as such an M
    /// may stay.
    fn sleep_as_surplus(&self) -> bool {
        let deadline = Instant::now().checked_add(self.sched.settings.thread_keep_alive);
        deadline.is_none_or(|deadline| self.m.note.sleep_until(deadline))
    }

    /// Whether the M's thread is to end after a long sleep as an idle M. If so, the M is on no list any more by which
    /// somebody could give it something: whoever gives an idle M a P sets its note under the same lock.
    fn may_leave(&self) -> bool {
        let mut lists = self.sched.lock();
        let me = MRef::new(self.m);
        let bound = self.m.pinned.get() != 0 || lists.m0 == Some(me);
        if self.m.note.is_set() || bound || !lists.idle_ms.dismiss(me, self.sched.kept_idle()) {
            return false;
        }
        lists.leaving.push(me);
        lists.retired += 1;
        true
    }

    /// Sleeps until a waker has left a P. `false`: it left none, so the runtime closes.
    fn sleep_for_p(&self) -> bool {
        self.m.note.sleep();
        self.m.note.clear();
        self.m.just_given_p.set(true);
        self.take_next_p()
    }

    /// Sleeps until the locked goroutine has been found runnable. `false`: the runtime closes.
    pub(super) fn sleep_locked(&self) -> bool {
        let mut lists = self.sched.lock();
        if self.sched.attention() & attention::CLOSING != 0 && self.m.next_p.get().is_null() {
            return false;
        }
        lists.locked_idle += 1;
        self.sched.check_dead(&mut lists);
        drop(lists);
        // Whoever wakes us has counted us as busy already (`hand_to_home`); a closing runtime does not count any more.
        self.sleep_for_p()
    }

    /// The world stops: gives the P up and sleeps until it goes on. Go: `gcstopm`.
    #[doc(alias = "gcstopm")]
    #[cold]
    pub(super) fn stop_for_world(&self) {
        self.drop_spinning();
        let mut lists = self.sched.lock();
        if self.sched.attention() & attention::STOP == 0 {
            return;
        }
        let p = self.release();
        self.sched.stop_p(&mut lists, p);
    }

    /// The runtime closes, or this is m0 and `run` is to return: gives the P up for good.
    #[cold]
    pub(super) fn leave_for_good(&self) {
        self.drop_spinning();
        let p = self.release();
        if self.sched.attention() & attention::CLOSING == 0 {
            return self.sched.hand_off(p);
        }
        self.sched.park_p(&mut self.sched.lock(), p);
    }

    /// m0 was woken by the end of `run` where it waited for a P: from now on nobody is to give it one.
    fn leave_the_lists(&self) {
        let mut lists = self.sched.lock();
        let me = MRef::new(self.m);
        lists.idle_ms.remove(me);
        lists.ms_wanting_p.retain(|&m| m != me);
        drop(lists);
        if !self.m.has_p() {
            self.take_next_p();
        }
    }

    /// m0 has done its part: it hands its P on and rests until `run` is to return, except while it is the reserve.
    pub(crate) fn rest_until_finished(&self) {
        self.leave_the_lists();
        loop {
            if self.m.has_p() {
                let p = self.release();
                self.sched.hand_off(p);
            }
            if !self.rest() {
                break;
            }
            self.serve_as_reserve();
        }
        debug_assert!(!self.m.has_p());
    }

    /// Rests. `true`: it was given a P; `false`: `run` is to return.
    fn rest(&self) -> bool {
        let alone = !self.sched.ask_for_first_thread();
        let mut lists = self.sched.lock();
        lists.locked_idle += 1;
        if alone {
            self.sched.give_up_if_refused(&mut lists);
        }
        lists.m0_rests = true;
        self.sched.mind_ended_reserve(&mut lists);
        self.sched.check_dead(&mut lists);
        loop {
            // Whoever gave it has counted us as busy.
            if self.take_next_p() {
                return true;
            }
            if lists.finished {
                break;
            }
            drop(lists);
            self.m.note.sleep();
            self.m.note.clear();
            lists = self.sched.lock();
        }
        lists.m0_rests = false;
        lists.locked_idle -= 1;
        false
    }
}
