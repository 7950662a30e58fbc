//! The relief's part: how an idle M sleeps until shortly after the watcher. `shared/relief.rs` describes the protocol.

use super::G0;
use crate::contract::{Config, IdlePolicy};
use crate::records::p::timers::NEVER;
use crate::shared::lists::{Lists, MRef};
use crate::shared::relief::{GRACE, Relief};
use crate::shared::sched::IdleOf;

impl<C: Config> G0<'_, C> {
    /// Called by a watcher that has come back for the timer of this time, and has a P: the relief is to look for work
    /// soon. Under the lock.
    pub(super) fn call_relief(&self, lists: &mut Lists<C>, until: u64) {
        if self.sched.header.now() < until {
            return;
        }
        match lists.relief {
            Some(relief) if relief.at <= until.saturating_add(2 * GRACE) => self.sched.idle.promise(),
            _ => lists.wants_relief = <IdleOf<C> as IdlePolicy>::STRONG,
        }
    }

    /// Makes this M, which is on the idle list, the relief, if one is wanted: when it is due. Under the lock.
    pub(super) fn become_relief(&self, lists: &mut Lists<C>) -> Option<u64> {
        if !<IdleOf<C> as IdlePolicy>::STRONG {
            return None;
        }
        let now = self.sched.header.now();
        let until = match lists.post.watcher() {
            Some(watcher) => Some(watcher.until),
            // A watcher has come back and found none. When it is idle again, there is something to be due after.
            None => lists.wants_relief.then_some(now),
        };
        lists.wants_relief = false;
        let at = until.filter(|&until| until != NEVER)?.saturating_add(GRACE);
        // One that is due later was there before an earlier timer, and is the relief no more.
        if at <= now || lists.relief.is_some_and(|relief| relief.at <= at) {
            return None;
        }
        lists.relief = Some(Relief { m: MRef::new(self.m), at });
        Some(at)
    }

    /// Sleeps as the relief that is due at this time, and again, as long as one is wanted. `true`: there is a P in hand.
    pub(super) fn sleep_as_relief(&self, mut at: u64) -> bool {
        loop {
            let deadline = self.sched.header.instant(at);
            self.m.note.sleep_until(deadline);
            let mut lists = self.sched.lock();
            let me = MRef::new(self.m);
            if lists.relief.is_none_or(|relief| relief.m != me) {
                return false;
            }
            lists.relief = None;
            if self.m.note.is_set() {
                self.bring_along_promise();
                return false;
            }
            if self.sched.idle.is_promised() {
                if !lists.idle_ps.is_empty() && lists.idle_ms.remove(me) {
                    self.m.spinning.set(self.sched.idle.keep());
                    let p = self.sched.take_idle_p(&mut lists);
                    drop(lists);
                    return p.is_some_and(|p| {
                        self.acquire(p);
                        true
                    });
                }
                self.sched.idle.want_spinner();
                self.sched.idle.call_off();
            }
            match self.become_relief(&mut lists) {
                Some(next) => at = next,
                None => return false,
            }
        }
    }

    /// Somebody has woken the relief before it was due. If it was given a P, it looks with that, whatever else it is to do.
    fn bring_along_promise(&self) {
        if self.m.next_p.get().is_null() {
            // The runtime closes, or `run` is to return and this is m0.
            self.sched.idle.want_spinner();
            return self.sched.idle.call_off();
        }
        if self.sched.idle.keep() && self.m.spinning.replace(true) {
            self.sched.idle.give_up();
        }
    }
}
