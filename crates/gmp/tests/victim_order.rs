//! What a victim order is told of the Ps, and that a runtime works under each order that there is.

mod told;

use gmp::contract::queue::{Coprime, CoprimeWalk, Weighted};
use gmp::contract::{VictimOrder, WalkStart};
use gmp::policy::{Go, Shuffled, Topology, WithOrder};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long something may take that takes a moment, unless it never happens.
const HANGS: Duration = Duration::from_secs(60);

fn run<O: VictimOrder, T: Send + 'static>(procs: usize, main: impl FnOnce() -> T + Send + 'static) -> T {
    let builder = told::moving(gmp::Builder::new());
    builder.policy::<WithOrder<Go, O>>().procs(procs).build().unwrap().run(main).unwrap().value
}

/// What a thief was told: its own P and CPU, P 0's queue, and whether any P but its own was on a CPU.
#[derive(Clone, Copy, Debug)]
struct Told {
    own: usize,
    own_cpu: Option<usize>,
    queued: usize,
    beyond: (usize, Option<usize>),
    others: bool,
}

/// Coprime, and keeps what it was told. Each test has a spy of its own.
struct Spy<const WANTS: bool>(Coprime);

static TOLD: [Mutex<Vec<Told>>; 2] = [const { Mutex::new(Vec::new()) }; 2];

/// P 0's goroutines while its M is busy.
const BUSY: usize = 10;

impl<const WANTS: bool> VictimOrder for Spy<WANTS> {
    type Walk<'a> = CoprimeWalk;
    const WANTS_CPUS: bool = WANTS;

    fn new(procs: usize) -> Self {
        Self(Coprime::new(procs))
    }

    fn walk<'a>(&'a self, from: WalkStart<'a>) -> CoprimeWalk {
        let told = Told {
            own: from.own,
            own_cpu: from.victims.cpu(from.own),
            queued: from.victims.queued(0),
            beyond: (from.victims.queued(99), from.victims.cpu(99)),
            others: (0..4).any(|p| p != from.own && from.victims.cpu(p).is_some()),
        };
        TOLD[usize::from(WANTS)].lock().unwrap().push(told);
        self.0.walk(from)
    }
}

/// Runs until a thief has been told that P 0 has goroutines. Returns everything that thieves were told.
fn told<const WANTS: bool>() -> Vec<Told> {
    run::<Spy<WANTS>, _>(4, || {
        let start = Instant::now();
        let seen = || TOLD[usize::from(WANTS)].lock().unwrap().iter().any(|told| told.queued > 0);
        while !seen() {
            assert!(start.elapsed() < HANGS, "no thief looked while goroutines were queued");
            // They stay queued until somebody steals them, since this one does not suspend.
            let all: Vec<_> = (0..BUSY).map(|_| gmp::go(|| ())).collect();
            std::thread::sleep(Duration::from_millis(1));
            all.into_iter().for_each(|handle| handle.join().unwrap());
        }
    });
    std::mem::take(&mut *TOLD[usize::from(WANTS)].lock().unwrap())
}

#[test]
fn thieves_are_told_of_queues_and_cpus() {
    let all = told::<true>();
    for told in &all {
        assert!(told.own < 4 && told.queued <= BUSY && told.beyond == (0, None), "{told:?}");
        assert!(told.own_cpu.is_some_and(|cpu| cpu < 8192), "a thief knows where it is: {told:?}");
        assert!(told.own == 0 || told.others, "P 0's M has been placed when it took the P: {told:?}");
    }
}

#[test]
fn cpus_are_noted_only_for_those_who_ask() {
    for told in told::<false>() {
        assert!(told.own_cpu.is_none() && !told.others && told.beyond == (0, None), "{told:?}");
    }
}

/// Work that every P has to get its part of by stealing.
fn tree(depth: u32) -> u64 {
    if depth == 0 {
        gmp::yield_now();
        return 1;
    }
    let (a, b) = gmp::join(|| tree(depth - 1), || tree(depth - 1));
    a + b
}

#[test]
fn every_order_does_the_work() {
    for procs in [1, 2, 3, 8, 17] {
        assert_eq!(run::<Topology, _>(procs, || tree(8)), 256, "topology, {procs} Ps");
        assert_eq!(run::<Shuffled, _>(procs, || tree(8)), 256, "shuffled, {procs} Ps");
        assert_eq!(run::<Weighted, _>(procs, || tree(8)), 256, "weighted, {procs} Ps");
    }
}

/// The order is made anew for another number of Ps.
#[test]
fn orders_follow_the_number_of_ps() {
    let sum = run::<Topology, _>(2, || {
        [5, 1, 9, 3].into_iter().map(|procs| (gmp::set_max_procs(procs), tree(6)).1).sum::<u64>()
    });
    assert_eq!(sum, 4 * 64);
}
