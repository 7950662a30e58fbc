//! Look: ask the poller who is ready, and the scheduler whether anybody waits for that. Go: `netpoll`, `netpollready`.

use crate::contract::{Config, List, Ready, ReadyList, Side, Switch, Tag};
use crate::entering::foreign::wake_task;
use crate::records::g::Wake;
use crate::records::g::parked::Parked;
use crate::records::g::runnable::Runnable;
use crate::records::m::M;
use crate::records::p::Counters;
use crate::records::source::{Sleeper, Woken, slab};
use crate::shared::lists::Lists;
use crate::shared::sched::{AllP, Sched};
use crate::waiting::ready::{end, ready};
use core::ptr;
use core::sync::atomic::Ordering;
use std::io;

/// So many are found before the first of them is woken, so that what belongs to them is on its way meanwhile.
const TOGETHER: usize = 16;

impl<C: Config> Sched<C> {
    /// Whether a goroutine, or a future's task, waits for a descriptor, by the counts of these Ps.
    pub(crate) fn waits_at_descriptors(&self, all: &AllP<C>) -> bool {
        let count = |counters: &Counters| counters.at_descriptors.load(Ordering::Relaxed);
        self.polling.has_tasks() || all.ps.iter().map(|p| count(&p.core.counters)).sum::<i64>() > 0
    }

    /// The same, exact while all Ms sleep. Under the lock.
    pub(crate) fn somebody_waits_outside(&self, lists: &Lists<C>) -> bool {
        self.polling.poller().is_some()
            && (self.polling.has_tasks()
                || self.sum(lists, |counters| i128::from(counters.at_descriptors.load(Ordering::Relaxed)))
                    > 0)
    }

    /// Whether a goroutine waits for a descriptor and no M will hear of it. Under the lock.
    pub(crate) fn wants_watcher(&self, lists: &Lists<C>) -> bool {
        !lists.post.watcher().is_some_and(|watcher| watcher.polls) && self.somebody_waits_outside(lists)
    }

    /// Looks into a shard of the poller without waiting, and returns those who are ready. `None`: somebody else looks.
    /// `m`: the caller's M, on whose own stack it is.
    pub(crate) fn look(&self, m: Option<&M>, shard: usize) -> Option<List<Runnable>> {
        let poller = self.polling.poller()?;
        if !self.polling.begin_look(shard) {
            return None;
        }
        let mut told = ReadyList::new();
        let looked = poller.look(shard, &mut told);
        self.polling.end_look(shard, self.header.coarse_now());
        check(looked);
        Some(self.collect(m, &told))
    }

    /// The goroutines that the poller's news make runnable, for the caller to queue, those behind futures' tasks among them
    /// if the caller is an M. Others that wait for the same descriptors (pinned goroutines, those of other runtimes, plain
    /// threads) are woken at once.
    pub(crate) fn collect(&self, m: Option<&M>, told: &ReadyList) -> List<Runnable> {
        let mut others = List::new();
        if let Some(m) = m {
            m.gathered.begin();
        }
        // What has been silent for a while is in no cache: all of it is asked for before the first is looked at.
        let source = |tag: Tag| slab::get(tag.index());
        for source in told.iter().filter_map(|Ready { tag, .. }| source(tag)) {
            C::Switch::prefetch(ptr::from_ref(source).cast(), size_of_val(source));
        }
        let sides = |Ready { tag, readable, writable, restless }| {
            let sides = [(Side::Read, readable), (Side::Write, writable)];
            sides.into_iter().filter(|(_, is_ready)| *is_ready).map(move |(side, _)| (tag, side, restless))
        };
        let mut edges = told.iter().flat_map(sides);
        let mut next = || {
            edges.find_map(|(tag, side, restless)| {
                let woken = source(tag)?.edge(tag, side, restless);
                woken.ask_ahead::<C::Switch>();
                (!woken.is_nobody()).then_some(woken)
            })
        };
        loop {
            let some: [_; TOGETHER] = core::array::from_fn(|_| next());
            let more = some[TOGETHER - 1].is_some();
            some.into_iter().flatten().for_each(|woken| self.wake_all(m, woken, &mut others));
            if !more {
                return m.map_or(others, |m| m.gathered.end());
            }
        }
    }

    /// Wakes them; those that the caller is to queue are added to what `m` gathers, or to `others`.
    fn wake_all(&self, m: Option<&M>, woken: Woken, others: &mut List<Runnable>) {
        woken.for_each(|sleeper| match sleeper {
            Sleeper::Thread(alarm) => alarm.ring(),
            Sleeper::Task(task) => wake_task(task.into_waker()),
            Sleeper::Goroutine(parked) => {
                let left = self.end_wait(parked).and_then(|g| match m {
                    Some(m) => m.gathered.add(g),
                    None => Some(g),
                });
                left.into_iter().for_each(|g| others.push_back(g));
            }
        });
    }

    /// Ends the wait. `Some`: the goroutine is to be queued by the caller.
    fn end_wait(&self, parked: Parked) -> Option<Runnable> {
        let (g, wait) = parked.into_parts();
        if !g.is_of(&self.header) || g.is_inboxed() {
            ready(g, wait, Wake::Woken);
            return None;
        }
        let runnable = end(g, wait, Wake::Woken)?;
        g.ask_for_rest::<C::Switch>();
        Some(runnable)
    }
}

/// If a poller failed unnoticed, all that wait for descriptors would sleep on, so a failure is fatal.
pub(crate) fn check(looked: io::Result<()>) {
    if let Err(error) = looked {
        crate::fatal!("a poller works", "{error}");
    }
}
