//! Watch: how an M without work hears of timers and of descriptors. Go: the calls of `netpoll` in `findRunnable` (proc.go).
//!
//! ```text
//!              nothing queued            nothing stolen            P given up, last look in vain
//!   M with P ───────────────► look ────────────────────► idle ──────────────────────────────────┐
//!      ▲                       │ found: run                                                       ▼
//!      │                       └──────►                       is a P idle yet, and who watches?
//!      │                                                        no P is: sleep in the note until given one
//!      │                                                        one who knows all there is to watch: the same
//!      │                                                        one who knows too little: rouse it, and sleep
//!      │ idle P: take it                                        nobody, and there is something to watch: be it
//!      └──────────── woken ◄── sleep until the earliest timer: in the poller if a goroutine waits for a descriptor,
//!                              in the note otherwise
//! ```
//!
//! **Invariant.** While all Ps are idle and a timer is pending or a goroutine waits for a descriptor, there is a
//! watcher, and it knows of that. For whoever gives up a P comes here afterwards (`give_up_p`) or sees to it in another
//! way (`hand_off`), and a goroutine begins to wait on a P that somebody gives up later. While a P is in use, its M
//! looks whenever its queues are empty, and sysmon looks if no M did for 10 ms. A P that goes idle because no thread can
//! be made for it is given up by nobody: sysmon, before it sleeps deeply, wakes an M that watches (`deep_sleep`).
//!
//! **The danger** is a wake that goes to the note while the M sleeps in the poller, or the other way round. The note's
//! word says where its owner sleeps (`records/m/note.rs`), and everybody wakes the watcher by way of its note.
//!
//! **Another danger** is an M that goes into the poller for a wait that is over. Whoever went to sleep meanwhile has seen
//! it awake, and would find no deadlock; so what there is to watch for is asked for once more under the lock. One that is
//! in there already is roused (`rouse_idle_watcher`).
//!
//! **With all Ps in use nobody watches.** A watcher that hears of something then has no P to run it on, and would only wake
//! for it, queue it and sleep again, while the holders of the Ps look by themselves as soon as they have nothing else to
//! do. So the last idle P goes to the watcher itself (`start_m`), and whoever has given up a P that is in
//! use again by the time it would become the watcher does not. On two Ps a server's work is then done by two threads that
//! take turns at watching, not by three.
//!
//! **Who goes on watching.** A watcher that comes back with goroutines runs the first, and wakes another M only if
//! there are more. If timers are pending it passes the right to spin on, and with it the watch.

use super::G0;
use crate::contract::{Config, Popped, ReadyList};
use crate::records::g::runnable::Runnable;
use crate::records::p::timers::NEVER;
use crate::shared::lists::MRef;
use crate::shared::look::check;
use crate::shared::sched::AllP;
use crate::shared::watch_post::Refused;

impl<C: Config> G0<'_, C> {
    /// Looks into the poller, if there is one and a goroutine waits for a descriptor.
    #[inline]
    pub(super) fn look_into_poller(&self) -> Option<Popped<Runnable>> {
        if self.sched.polling.poller().is_none() { None } else { self.look_now() }
    }

    #[cold]
    fn look_now(&self) -> Option<Popped<Runnable>> {
        let shard = self.sched.polling.choose_shard(self.m.p_core().map_or(0, |p| p.id));
        if !self.sched.polling.is_unattended(shard) || !self.somebody_waits() {
            return None;
        }
        self.sched.inject_here(self.m, self.sched.look(Some(self.m), shard)?)
    }

    fn somebody_waits(&self) -> bool {
        self.sched.polling.poller().is_some()
            && self.sched.with_all_p(&self.epoch, |all| self.sched.waits_at_descriptors(all))
    }

    /// Sleeps until there is news, if there is something to watch for and no other M watches. Returns the goroutine
    /// that is to run then, if there was a P for it; otherwise the caller starts over.
    pub(super) fn watch(&self) -> Option<Popped<Runnable>> {
        let until = self.sched.with_all_p(&self.epoch, earliest_timer);
        let polls = self.somebody_waits();
        if until == NEVER && !polls {
            return None;
        }
        let mut lists = self.sched.lock();
        // Whoever fills our inbox looks for us, under the lock, on the idle list and here, and so far we have been on
        // neither.
        if self.is_wanted() || !self.m.inbox.is_empty() {
            return None;
        }
        // Whoever waited for a descriptor may have gone on since, and those that ran it may be asleep by now. They have
        // seen us awake and no watcher, and have left it to us to see that all are asleep.
        if polls && until == NEVER && !self.sched.somebody_waits_outside(&lists) {
            return None;
        }
        // Our P is somebody else's by now, or the world stops: there would be no P for what a watcher brings.
        if lists.idle_ps.is_empty() {
            return None;
        }
        if let Err(refused) = lists.post.enter(MRef::new(self.m), until, polls) {
            if refused == Refused::KnowsTooLittle {
                lists.rouse_watcher();
            }
            return None;
        }
        self.sched.polling.set_watched(polls);
        drop(lists);
        let told = self.sleep_as_watcher(until, polls);
        let mut lists = self.sched.lock();
        self.sched.polling.set_watched(false);
        lists.post.leave(MRef::new(self.m), polls);
        self.m.note.clear();
        // One that was taken off its post was given a P. The others take one before they deal with the news, which calls
        // wakers: while an M is at the post it sleeps, and can be given a P.
        let given = self.take_next_p();
        let idle = if given { None } else { self.sched.take_idle_p(&mut lists) };
        drop(lists);
        if let Some(p) = idle {
            self.acquire(p);
        }
        let ready = self.sched.collect(Some(self.m), &told);
        if !self.m.has_p() {
            self.sched.inject_outside(ready);
            return None;
        }
        if !given && (ready.is_empty() || until != NEVER) {
            self.sched.idle.spin();
            self.m.spinning.set(true);
        }
        self.sched.inject_here(self.m, ready)
    }

    fn sleep_as_watcher(&self, until: u64, polls: bool) -> ReadyList {
        let deadline = (until != NEVER).then(|| self.sched.header.instant(until));
        let mut told = ReadyList::new();
        match (self.sched.polling.poller().filter(|_| polls), deadline) {
            (Some(poller), _) => check(self.m.note.sleep_in(poller, deadline, &mut told)),
            (None, Some(deadline)) => _ = self.m.note.sleep_until(deadline),
            (None, None) => {}
        }
        told
    }
}

fn earliest_timer<C: Config>(all: &AllP<C>) -> u64 {
    all.ps.iter().map(|p| p.core.timers.next_live()).min().unwrap_or(NEVER)
}
