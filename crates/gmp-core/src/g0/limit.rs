//! g0 at the limit of threads: the reserve, and goroutines that wait for a thread. `waking/limit.rs` explains both.

use super::G0;
use crate::contract::{Config, Slot};
use crate::ground::event::EventKind;
use crate::records::attention;
use crate::records::g::{G, WaitReason};

impl<C: Config> G0<'_, C> {
    /// Attends to the limit of threads. `true`: this M was a reserve, and has given its P away. It keeps a P that it
    /// was just given if a goroutine is pinned to it: that one runs nowhere else, so the P would come back for it, and
    /// go again.
    #[cold]
    pub(super) fn mind_the_limit(&self, just_given: bool) -> bool {
        let mut lists = self.sched.lock();
        if self.m.reserve.get() {
            if just_given && !self.m.inbox.is_empty() {
                return false;
            }
            let Some(m) = lists.idle_ms.pop() else {
                // A thread that has ended may have left room for another one.
                if lists.without_thread.is_empty() || !self.sched.may_make_thread(&lists) {
                    return false;
                }
                let p = self.release();
                self.sched.start_m(&mut lists, p, self.m.spinning.replace(false));
                return true;
            };
            // SAFETY: it sleeps, and under the lock nobody else wakes it.
            unsafe { m.get() }.spinning.set(self.m.spinning.replace(false));
            let p = self.release();
            self.sched.give_p(&mut lists, m, p);
            return true;
        }
        let token = self.sched.take_without_thread(&mut lists);
        drop(lists);
        if let Some(token) = token {
            token.g().reason.set(WaitReason::Park);
            self.sched.push_local(self.m, token, Slot::Next);
        }
        false
    }

    /// Queues a goroutine that wants to block and is on a reserve.
    #[cold]
    pub(super) fn wants_thread(&self, g: &'static G) {
        g.reason.set(WaitReason::Thread);
        let token = self.to_runnable(g, EventKind::GoStop);
        let mut lists = self.sched.lock();
        lists.without_thread.push_back(token);
        self.sched.call_attention(attention::LIMIT);
        // If an M and a P are both idle, they meet on the P's way back to the list.
        if !lists.idle_ms.is_empty()
            && let Some(p) = self.sched.take_idle_p(&mut lists)
        {
            self.sched.retire_p(&mut lists, p);
        }
    }

    /// m0 was given a P: it runs goroutines until another M can, there is nothing to do, or `run` is to return.
    pub(super) fn serve_as_reserve(&self) {
        while let Some(popped) = self.next() {
            if !self.execute(popped.token, popped.inherits) {
                break;
            }
        }
        let lists = self.sched.lock();
        self.m.reserve.set(false);
        self.sched.clear_limit(&lists);
    }

    /// Whether this M is a reserve and nothing binds it, so that it may rest (if it is m0) or end.
    pub(super) fn may_rest(&self) -> bool {
        self.m.reserve.get() && self.m.pinned.get() == 0 && self.m.locked_g.get().is_null()
    }
}
