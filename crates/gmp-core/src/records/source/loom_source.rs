//! loom models of a source: who waits for a descriptor, who tells of it, and who ends it, on the real types.
//!
//! Modelled: tries and sleeps against edges, by one sleeper and by two; an edge against a close; a deadline against an
//! edge; stale news against the source's next use; a future's task against an edge, and against its end. The descriptor
//! is an atomic that says whether a try would succeed; sleepers are threads with alarms. Threads: two or three.
//! Preemptions: unbounded with two, 1 with three. Time: under a minute.
//!
//! Caught when broken: a relaxed ticket, a relaxed edge; a lock that is taken or given back relaxed; a count that does
//! not fall; a task that is not taken off; a source that is renewed and not closed, or that takes any generation's
//! edges; a sleeper that does not compare its ticket; an edge that wakes only the first; a close that marks without
//! the lock; a generation that changes without the locks.

use super::task::{Task, Tasks};
use super::{Half, ListOutcome, Sleeper, Source};
use crate::contract::{Alarm, Side};
use crate::ground::sync::{Arc, AtomicBool};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::task::Waker;
use loom::sync::{Condvar, Mutex};
use loom::thread;

#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().unwrap();
        while !*rung {
            rung = self.heard.wait(rung).unwrap();
        }
        *rung = false;
    }
}

impl std::task::Wake for Bell {
    fn wake(self: std::sync::Arc<Self>) {
        self.ring();
    }
}

impl Alarm for Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }
}

fn ring(sleeper: Sleeper) {
    match sleeper {
        Sleeper::Thread(alarm) => alarm.ring(),
        Sleeper::Task(task) => task.into_waker().wake(),
        Sleeper::Goroutine(_) => unreachable!("there are no goroutines here"),
    }
}

/// Tries until the descriptor is ready or `over` says that the end has come, and sleeps in between.
fn wait_until(half: &Half, ready: &AtomicBool, over: &AtomicBool) {
    let bell = std::sync::Arc::new(Bell::default());
    loop {
        let ticket = half.ticket();
        if ready.load(Acquire) || over.load(Acquire) {
            return;
        }
        match half.list(ticket, Sleeper::Thread(bell.clone())) {
            ListOutcome::Listed => bell.wait(),
            ListOutcome::Edge(_) => {}
            ListOutcome::NoRoom(_) => half.make_room(),
        }
    }
}

struct World {
    half: Half,
    ready: AtomicBool,
    over: AtomicBool,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self { half: Half::new(), ready: AtomicBool::new(false), over: AtomicBool::new(false) })
    }

    fn becomes_ready(&self) {
        self.ready.store(true, Release);
        self.half.edge(false, || true).for_each(ring);
    }

    fn closes(&self) {
        self.over.store(true, Release);
        self.half.close().for_each(ring);
    }
}

fn bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    // Three who wait for a lock let each other run many times.
    builder.max_branches = 20_000;
    builder.check(model);
}

#[test]
fn no_edge_is_slept_over() {
    loom::model(|| {
        let world = World::new();
        let teller = {
            let world = world.clone();
            thread::spawn(move || world.becomes_ready())
        };
        wait_until(&world.half, &world.ready, &world.over);
        teller.join().unwrap();
    });
}

#[test]
fn an_edge_wakes_all_who_sleep() {
    bounded(1, || {
        let world = World::new();
        world.half.make_room();
        let other = {
            let world = world.clone();
            thread::spawn(move || wait_until(&world.half, &world.ready, &world.over))
        };
        let teller = {
            let world = world.clone();
            thread::spawn(move || world.becomes_ready())
        };
        wait_until(&world.half, &world.ready, &world.over);
        other.join().unwrap();
        teller.join().unwrap();
    });
}

#[test]
fn nobody_sleeps_beyond_the_end() {
    loom::model(|| {
        let world = World::new();
        let closer = {
            let world = world.clone();
            thread::spawn(move || world.closes())
        };
        wait_until(&world.half, &world.ready, &world.over);
        closer.join().unwrap();
        assert!(matches!(
            world.half.list(world.half.ticket(), Sleeper::Thread(std::sync::Arc::new(Bell::default()))),
            ListOutcome::Edge(_)
        ));
    });
}

/// One whose deadline has passed is off the list, or was taken off it by an edge: never both, never neither.
#[test]
fn a_deadline_meets_an_edge() {
    loom::model(|| {
        let world = World::new();
        let bell: std::sync::Arc<dyn Alarm> = std::sync::Arc::new(Bell::default());
        let listed = world.half.list(world.half.ticket(), Sleeper::Thread(bell.clone()));
        assert!(matches!(listed, ListOutcome::Listed));
        let teller = {
            let world = world.clone();
            thread::spawn(move || {
                let mut woken = 0;
                world.half.edge(false, || true).for_each(|_| woken += 1);
                woken
            })
        };
        world.half.unlist_thread(&bell);
        let woken = teller.join().unwrap();
        assert!(woken <= 1);
        world.half.edge(false, || true).for_each(|_| unreachable!("somebody is still listed"));
    });
}

/// The source's next descriptor counts no edge that was told of the last one.
#[test]
fn stale_news_are_no_edge() {
    loom::model(|| {
        let source = Arc::new(Source::new(3));
        let old = source.tag();
        let teller = {
            let source = source.clone();
            thread::spawn(move || {
                source.edge(old, Side::Read, true).for_each(ring);
            })
        };
        source.renew();
        let half = source.half(Side::Read);
        let ticket = half.ticket();
        let bell = std::sync::Arc::new(Bell::default());
        assert!(matches!(half.list(ticket, Sleeper::Thread(bell)), ListOutcome::Listed));
        teller.join().unwrap();
        assert_eq!(half.ticket(), ticket);
        let mut woken = 0;
        source.edge(source.tag(), Side::Read, false).for_each(|_| woken += 1);
        assert_eq!(woken, 1);
    });
}

const KEY: u64 = 7;

/// Polls until the descriptor is ready, as an executor does with a future that waits for it: the task is listed anew
/// each time, and what is left of it is taken off at the end.
fn poll_until_ready(world: &World, tasks: &Tasks) {
    let bell = std::sync::Arc::new(Bell::default());
    let waker = Waker::from(bell.clone());
    loop {
        world.half.unlist_task(KEY);
        let ticket = world.half.ticket();
        if world.ready.load(Relaxed) {
            return;
        }
        match world.half.list(ticket, Sleeper::Task(Task::new(KEY, &waker, tasks.count(0)))) {
            ListOutcome::Listed => bell.wait(),
            ListOutcome::Edge(_) => {}
            ListOutcome::NoRoom(_) => unreachable!("the first has room"),
        }
    }
}

/// A future's task that is listed sees every edge; and it is counted while it is listed, and no longer. The descriptor
/// is read without an ordering of its own: what makes a try come after the edges that it counts is the ticket.
#[test]
fn no_edge_is_slept_over_by_a_task() {
    loom::model(|| {
        let world = World::new();
        let tasks = Tasks::default();
        let teller = {
            let world = world.clone();
            thread::spawn(move || {
                world.ready.store(true, Relaxed);
                world.half.edge(false, || true).for_each(ring);
            })
        };
        poll_until_ready(&world, &tasks);
        teller.join().unwrap();
        assert!(tasks.is_none());
    });
}

/// A future that is dropped takes its task off, while an edge takes it off to wake it: one of the two has it, and it is
/// not counted any more.
#[test]
fn a_dropped_task_meets_an_edge() {
    loom::model(|| {
        let world = World::new();
        let tasks = Tasks::default();
        let bell = std::sync::Arc::new(Bell::default());
        let task = Task::new(KEY, &Waker::from(bell.clone()), tasks.count(0));
        assert!(!tasks.is_none());
        let listed = world.half.list(world.half.ticket(), Sleeper::Task(task));
        assert!(matches!(listed, ListOutcome::Listed));
        let teller = {
            let world = world.clone();
            thread::spawn(move || {
                let mut woken = 0;
                world.half.edge(false, || true).for_each(|sleeper| {
                    ring(sleeper);
                    woken += 1;
                });
                woken
            })
        };
        world.half.unlist_task(KEY);
        let woken = teller.join().unwrap();
        assert_eq!(woken, u32::from(*bell.rung.lock().unwrap()));
        assert!(tasks.is_none());
        world.half.edge(false, || true).for_each(|_| unreachable!("somebody is still listed"));
    });
}

/// The source's next use: the last one's tasks are not woken, and not counted, and its news are no edge to the next one's.
#[test]
fn tasks_of_the_last_use_are_forgotten() {
    loom::model(|| {
        let source = Arc::new(Source::new(3));
        let tasks = Tasks::default();
        let old = source.tag();
        let half = source.half(Side::Read);
        let bell = std::sync::Arc::new(Bell::default());
        let task = |key| Sleeper::Task(Task::new(key, &Waker::from(bell.clone()), tasks.count(0)));
        assert!(matches!(half.list(half.ticket(), task(KEY)), ListOutcome::Listed));
        let teller = {
            let source = source.clone();
            thread::spawn(move || source.edge(old, Side::Read, true).for_each(ring))
        };
        source.renew();
        assert!(matches!(half.list(half.ticket(), task(KEY + 1)), ListOutcome::Listed));
        teller.join().unwrap();
        assert!(!tasks.is_none());
        half.unlist_task(KEY + 1);
        assert!(tasks.is_none());
    });
}
