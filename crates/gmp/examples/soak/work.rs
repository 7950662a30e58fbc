//! Random work: what one goroutine does, and those that it starts.

use crate::account::{ACCOUNT, Ticket};
use crate::options::Mode;
use crate::{answers, broken, looks, outside, scopes, sockets, timers, traffic};
use fastrand::Rng;
use gmp::{JoinError, JoinHandle, Unparker};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// No more goroutines at once than this, and in the mode of one thread each.
const MOST_ALIVE: usize = 10_000;
const MOST_THREADS: usize = 100;

/// What all goroutines of a round know.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) mode: Mode,
    pub(crate) procs_max: usize,
    /// Whether things break and are refused meanwhile.
    pub(crate) faults: bool,
    /// Whether somebody looks at all that.
    pub(crate) looks: bool,
    /// Whether there is a thread for each goroutine that keeps one.
    pub(crate) enough_threads: bool,
    /// Whether goroutines may block their threads until others have run: not where every thread may be blocked so.
    pub(crate) may_block: bool,
    /// A plain thread that unparks whomever it is told to.
    pub(crate) outside: mpsc::Sender<Errand>,
    pub(crate) started: Instant,
}

/// What the plain thread is asked to do.
pub(crate) enum Errand {
    Unpark(Unparker, Arc<AtomicBool>),
    Spawn(u64, Unparker, Arc<AtomicBool>),
    Call(Box<dyn FnOnce() + Send>),
}

/// What a worker of this seed returns: so a result that comes back to the wrong joiner is seen.
pub(crate) fn answer(seed: u64) -> u64 {
    seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1
}

/// Starts a worker in one of the ways there are.
pub(crate) fn start(world: &World, rng: &mut Rng, depth: u32) -> (JoinHandle<Answer>, u64) {
    let seed = rng.u64(..);
    let world = world.clone();
    let ticket = Ticket::new();
    let body = move || {
        let _ticket = ticket;
        worker(&world, seed, depth)
    };
    let way = rng.u32(..12);
    let handle = match way {
        0 => gmp::spawn().name(format!("w{}", seed % 1000)).go(body).ok().unwrap(),
        1 => gmp::spawn().label("depth", depth.to_string()).go(body).ok().unwrap(),
        2 => gmp::spawn().stack_size(32 << 10).go(body).ok().unwrap(),
        3 => gmp::spawn().stack_size(256 << 10).name("large").go(body).ok().unwrap(),
        4 => gmp::go_pinned(body),
        5 => gmp::try_go(body).ok().unwrap(),
        _ => gmp::go(body),
    };
    (handle, seed)
}

/// A result whose destructor is somebody's code.
pub(crate) struct Answer(u64, #[expect(dead_code, reason = "held for its destructor")] Option<Box<u64>>);

fn worker(world: &World, seed: u64, depth: u32) -> Answer {
    let mut rng = Rng::with_seed(seed);
    for _ in 0..rng.u32(..6) {
        step(world, &mut rng, depth);
        ACCOUNT.step();
    }
    Answer(answer(seed), rng.bool().then(|| Box::new(seed)))
}

/// Whether one more level of goroutines may be started.
fn may_start(world: &World, depth: u32) -> bool {
    let most = if world.mode == Mode::OneThreadEach { MOST_THREADS } else { MOST_ALIVE };
    depth > 0 && ACCOUNT.live() < most
}

pub(crate) fn step(world: &World, rng: &mut Rng, depth: u32) {
    let may_start = may_start(world, depth);
    match rng.u32(..49) {
        0..=5 => gmp::yield_now(),
        6..=10 if may_start => join(start(world, rng, depth - 1)),
        11..=13 if may_start => drop(start(world, rng, depth - 1)),
        14 if may_start => burst(world, rng, depth),
        15..=17 if may_start => park_for_a_child(rng),
        18 => park_for_a_thread(world, rng),
        19..=20 => {
            gmp::park_timeout(micros(rng, 300));
        }
        21..=22 => gmp::sleep(micros(rng, 500)),
        23..=24 => blocking(rng),
        25..=26 => locked(world, rng, depth),
        27 if may_start => ends_early(rng),
        28 => panics_inside(rng),
        29 if rng.u32(..20) == 0 => resize(world, rng),
        30 => compute(rng),
        31 => {
            // It may lose its P there.
            let (word, pause) = (rng.u64(..), rng.bool().then(|| micros(rng, 300)));
            let call = move || {
                let _region = gmp::trace::region(looks::REGIONS[1]);
                gmp::trace::log(looks::KIND, looks::MESSAGES[0]);
                pause.into_iter().for_each(|pause| {
                    let _inner = gmp::trace::region(looks::REGIONS[2]);
                    std::thread::sleep(pause);
                });
                gmp::trace::log(looks::KIND, looks::MESSAGES[1]);
                black_box(word)
            };
            let _region = word.is_multiple_of(2).then(|| gmp::trace::region(looks::REGIONS[0]));
            assert_eq!(gmp::on_system_stack(call), word);
        }
        32 if may_start => race_a_timeout(rng),
        33 => deep(rng),
        34 if may_start => scopes::borrow(world, rng, depth),
        35 if may_start => scopes::both(world, rng, depth),
        36 if may_start => traffic::traffic(world, rng),
        37..=38 if may_start => outside::without_a_p(rng),
        39 if may_start && rng.u32(..20) == 0 => outside::never_runs(rng, world.faults),
        40 => timers::leave_some(rng),
        41 => timers::calls_beside_one(world, rng),
        42 if may_start => sockets::read_and_end(rng),
        43 => lose_the_p(world, rng),
        44..=45 if may_start => answers::step(rng),
        46..=47 if may_start && world.faults => broken::step(world, rng),
        48 if may_start => timers::given_up(world, rng),
        _ => {
            black_box(gmp::current().unwrap().number);
        }
    }
}

pub(crate) fn micros(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(..most))
}

fn join((handle, seed): (JoinHandle<Answer>, u64)) {
    match handle.join() {
        Ok(Answer(value, _)) if value == answer(seed) => {}
        Ok(Answer(value, _)) => ACCOUNT.complain(format!("seed {seed} came back as {value}")),
        Err(error) => ACCOUNT.complain(format!("seed {seed} ended as {error:?}")),
    }
}

/// More goroutines than a P's queue holds, joined in another order, or not at all.
fn burst(world: &World, rng: &mut Rng, depth: u32) {
    let many = if world.mode == Mode::OneThreadEach { 8 } else { rng.usize(1..400) };
    let children: Vec<_> = (0..many)
        .map(|i| {
            let ticket = Ticket::new();
            gmp::go(move || {
                let _ticket = ticket;
                if i % 3 == 0 {
                    gmp::yield_now();
                }
                i
            })
        })
        .collect();
    if rng.bool() {
        join(start(world, rng, depth - 1));
    }
    for (i, child) in children.into_iter().enumerate().rev() {
        if i % 5 == 0 {
            drop(child);
        } else if child.join().ok() != Some(i) {
            ACCOUNT.complain(format!("child {i} of a burst came back as another"));
        }
    }
}

/// Parks until a child has said that it is done, which it says before it unparks.
fn park_for_a_child(rng: &mut Rng) {
    let me = gmp::current().unwrap().unparker();
    let done = Arc::new(AtomicBool::new(false));
    let (said, ticket, pause) = (done.clone(), Ticket::new(), rng.u32(..4));
    let child = gmp::go(move || {
        let _ticket = ticket;
        match pause {
            0 => gmp::yield_now(),
            1 => gmp::sleep(Duration::from_micros(50)),
            2 => gmp::blocking(|| std::thread::sleep(Duration::from_micros(50))),
            _ => {}
        }
        said.store(true, Ordering::Release);
        me.unpark();
        me.unpark();
    });
    while !done.load(Ordering::Acquire) {
        gmp::park();
    }
    if rng.bool() {
        child.join().unwrap();
    }
}

/// The same, with a plain thread to unpark us.
fn park_for_a_thread(world: &World, rng: &mut Rng) {
    let me = gmp::current().unwrap().unparker();
    let done = Arc::new(AtomicBool::new(false));
    let errand = if rng.bool() {
        Errand::Unpark(me, done.clone())
    } else {
        Errand::Spawn(rng.u64(..), me, done.clone())
    };
    world.outside.send(errand).expect("the thread listens until the end");
    while !done.load(Ordering::Acquire) {
        if rng.bool() {
            gmp::park();
        } else {
            gmp::park_timeout(micros(rng, 200));
        }
    }
}

/// A time-out and an unpark at about the same moment.
fn race_a_timeout(rng: &mut Rng) {
    let me = gmp::current().unwrap().unparker();
    let (ticket, pause) = (Ticket::new(), micros(rng, 100));
    let child = gmp::go(move || {
        let _ticket = ticket;
        gmp::sleep(pause);
        me.unpark();
    });
    gmp::park_timeout(micros(rng, 100));
    child.join().unwrap();
}

fn blocking(rng: &mut Rng) {
    let (pause, nested) = (micros(rng, 200), rng.u32(..4));
    let panics = rng.u32(..16) == 0;
    let result = catch_unwind(AssertUnwindSafe(|| {
        gmp::blocking(|| {
            std::thread::sleep(pause);
            match nested {
                0 => gmp::yield_now(),
                1 => gmp::blocking(|| std::thread::sleep(pause)),
                2 => drop(gmp::current()),
                _ => {}
            }
            if panics {
                std::panic::resume_unwind(Box::new("in a blocking call"));
            }
        })
    }));
    assert_eq!(result.is_err(), panics);
}

/// Blocks the thread without declaring it, or now and then computes for longer than a slice, and goes on with calls
/// that may find the P gone: those that suspend, those that never do, and spawns, which may come back to an idle P.
fn lose_the_p(world: &World, rng: &mut Rng) {
    if rng.u32(..50) == 0 {
        let until = Instant::now() + Duration::from_millis(rng.u64(10..25));
        while Instant::now() < until {
            black_box(());
        }
    } else {
        std::thread::sleep(micros(rng, 500));
    }
    // It is a goroutine of its own only where it is spawned, or if somebody else took it.
    let caller = gmp::current().unwrap().number;
    let child = move || drop((gmp::current().unwrap().number != caller).then(Ticket::new));
    match rng.u32(..6) {
        0 => gmp::go(child).join().unwrap(),
        5 => {
            let many = if world.mode == Mode::OneThreadEach { 4 } else { rng.usize(1..200) };
            for _ in 0..many {
                let ticket = Ticket::new();
                drop(gmp::go(move || drop(ticket)));
            }
        }
        1 => _ = gmp::join(|| std::thread::sleep(micros(rng, 200)), child),
        2 => gmp::blocking(child),
        3 => gmp::checkpoint(),
        _ => drop(gmp::current()),
    }
}

/// Locked to its thread, twice over, with suspensions in between.
fn locked(world: &World, rng: &mut Rng, depth: u32) {
    let lock = gmp::lock_os_thread();
    let thread = std::thread::current().id();
    gmp::yield_now();
    if rng.bool() {
        let _inner = gmp::lock_os_thread();
        if may_start(world, depth) && rng.bool() {
            join(start(world, rng, depth - 1));
        } else {
            gmp::sleep(micros(rng, 100));
        }
    }
    blocking(rng);
    if std::thread::current().id() != thread {
        ACCOUNT.complain(String::from("a locked goroutine moved"));
    }
    drop(lock);
}

/// Goroutines that panic, exit, or end while locked.
fn ends_early(rng: &mut Rng) {
    let ticket = Ticket::new();
    let way = rng.u32(..8);
    let way = if way == 0 && !ACCOUNT.may_panic() { 1 } else { way };
    let handle: JoinHandle<u32> = gmp::go(move || {
        let _ticket = ticket;
        match way {
            0 => std::panic::resume_unwind(Box::new("soak")),
            1..=3 => gmp::exit(),
            4 => {
                core::mem::forget(gmp::lock_os_thread());
                gmp::yield_now();
                4
            }
            _ => {
                let _late = Late(Duration::from_micros(20));
                gmp::exit()
            }
        }
    });
    let end = handle.join();
    let right = match way {
        0 => {
            ACCOUNT.panics.fetch_add(1, Ordering::Relaxed);
            matches!(&end, Err(JoinError::Panicked(payload)) if payload.text().as_deref() == Some("soak"))
        }
        4 => matches!(end, Ok(4)),
        _ => matches!(end, Err(JoinError::Exited)),
    };
    if !right {
        ACCOUNT.complain(format!("an end of kind {way} came back as {end:?}"));
    }
}

/// Suspends in its destructor, in the middle of an unwind as the case may be.
struct Late(Duration);

impl Drop for Late {
    fn drop(&mut self) {
        gmp::yield_now();
        gmp::sleep(self.0);
    }
}

fn panics_inside(rng: &mut Rng) {
    let pause = micros(rng, 50);
    let caught = catch_unwind(move || {
        let _late = Late(pause);
        std::panic::resume_unwind(Box::new(7_u32));
    });
    if caught.unwrap_err().downcast_ref() != Some(&7_u32) || std::thread::panicking() {
        ACCOUNT.complain(String::from("a panic was not contained"));
    }
}

fn resize(world: &World, rng: &mut Rng) {
    ACCOUNT.resizes.fetch_add(1, Ordering::Relaxed);
    gmp::set_max_procs(rng.usize(1..=world.procs_max));
}

fn compute(rng: &mut Rng) {
    let until = Instant::now() + micros(rng, 100);
    while Instant::now() < until {
        black_box(());
    }
}

/// Some of the stack, so that one that is too small or shared shows.
fn deep(rng: &mut Rng) {
    fn down(depth: u32, mark: u64) -> u64 {
        let frame = black_box([mark; 32]);
        if depth == 0 {
            gmp::yield_now();
            return frame[31];
        }
        let below = down(depth - 1, mark + 1);
        if frame != [mark; 32] {
            ACCOUNT.complain(String::from("a stack was written by somebody else"));
        }
        below
    }
    let depth = rng.u32(..20);
    assert_eq!(down(depth, 5), 5 + u64::from(depth));
}
