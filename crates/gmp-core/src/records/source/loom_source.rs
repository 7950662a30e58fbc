//! loom models of a source: who waits for a descriptor, who tells of it, and who ends it, on the real types.
//!
//! Modelled: tries and sleeps against edges, by one sleeper and by two; an edge against a close; a deadline against an
//! edge; stale news against the source's next use. The descriptor is an atomic that says whether a try would succeed;
//! sleepers are threads with alarms. Threads: two or three. Preemptions: unbounded with two, 1 with three. Time: under
//! a minute.
//!
//! Caught when broken: a sleeper that does not compare its ticket; an edge that wakes only the first; a close that marks
//! without the lock; a generation that changes without the locks.

use super::{Half, ListOutcome, Sleeper, Source};
use crate::contract::{Alarm, Side};
use crate::ground::sync::{Arc, AtomicBool};
use core::sync::atomic::Ordering::{Acquire, Release};
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

impl Alarm for Bell {
    fn ring(&self) {
        *self.rung.lock().unwrap() = true;
        self.heard.notify_one();
    }
}

fn ring(sleeper: Sleeper) {
    let Sleeper::Thread(alarm) = sleeper else { unreachable!("only threads sleep here") };
    alarm.ring();
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
            ListOutcome::Edge(_) => thread::yield_now(),
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
