//! The soak itself: rounds of random work in one runtime after another, with the books balanced after each.

use crate::account::{ACCOUNT, Ticket, watchdog};
use crate::closing;
use crate::growth::Growth;
use crate::looks::{self, Looks, Seen};
use crate::options::{Mode, Options, PolicyName};
use crate::refusals::spared;
use crate::weather::{self, Refused, Weather};
use crate::work::{Errand, World, start};
use fastrand::Rng;
use gmp::contract::Policy;
use gmp::{Builder, Handle};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Workers that a round begins with.
const WORKERS: usize = 48;
/// How long each runtime lives.
const LIFE: Duration = Duration::from_secs(4);
/// How long the books may take to balance once the last goroutine has said that it is done.
const SETTLING: Duration = Duration::from_secs(10);
/// Records that Ps and the registry keep beside those in use: 64 for each P, and batches on their way.
const KEPT_BY_A_P: usize = 64;
const KEPT: usize = 2048;
/// No limit that is ever reached.
const MANY_THREADS: usize = 10_000;

pub(crate) fn run(options: &Options) -> Result<String, String> {
    let dog = watchdog();
    let weather = options.faults.then(|| Weather::begin(options.seed));
    let result = match options.policy {
        PolicyName::Go => generations::<gmp::policy::Go>(options),
        PolicyName::Random => generations::<gmp::policy::Random>(options),
    };
    drop(weather);
    ACCOUNT.over.store(true, Relaxed);
    // It catches nothing and ends by itself.
    let _ = dog.join();
    result
}

pub(crate) fn builder<P: Policy>(mode: Mode) -> Builder<P> {
    let builder = Builder::new().policy::<P>().deadlock(gmp::DeadlockRule::Auto);
    match mode {
        // SAFETY: no goroutine here holds a borrow of a thread-local, or an identity of its thread, over a call that
        // suspends, but for those that are locked to their threads.
        Mode::Migrating => unsafe { builder.share_thread_locals() },
        Mode::Own => builder.own_thread_locals(),
        // SAFETY: nor does any goroutine here hold exclusive access to a thread-local over one.
        Mode::Pinned => unsafe { builder.pinned() },
        Mode::OneThreadEach => builder.one_thread_each(),
    }
}

fn generations<P: Policy>(options: &Options) -> Result<String, String> {
    let mut rng = Rng::with_seed(options.seed);
    let (mut runtimes, mut rounds, mut closings) = (0, 0, closing::Closings::default());
    let mut totals = gmp::Stats::default();
    let mut growth = {
        // To look at the process it opens files.
        let _fair = weather::fair();
        if options.looks {
            looks::read_symbols()?;
        }
        Growth::of(options.seconds, options.looks)
    };
    let began = Instant::now();
    let deadline = began + Duration::from_secs(options.seconds);
    while Instant::now() < deadline {
        let until = deadline.min(Instant::now() + LIFE);
        let (done, stats) = generation::<P>(options, &mut rng, until)?;
        runtimes += 1;
        rounds += done;
        totals.steals += stats.steals;
        totals.wakeups += stats.wakeups;
        totals.handoffs += stats.handoffs;
        totals.records = stats.records;
        closings.some::<P>(options, &mut rng)?;
        let _fair = weather::fair();
        growth.look(closings.leaks() + ACCOUNT.refused_runs.load(Relaxed))?;
    }
    if options.looks && !Seen.is_something() {
        return Err(format!("nothing was seen: {Seen}"));
    }
    // Where each goroutine is a thread, nobody knows what is on its stack.
    #[cfg(feature = "profile")]
    if options.mode != Mode::OneThreadEach && crate::leaks::are_hidden() {
        return Err(format!("what leaks is not told: {Seen}"));
    }
    let looks = if options.looks { format!(", {Seen}") } else { String::new() };
    let faults = if options.faults { format!(", {Refused}") } else { String::new() };
    Ok(format!(
        "soak ok: {:.1} s, {:?}, {:?}, seed {}: {} goroutines, {} steps, {} parcels, {} crashes, {rounds} rounds, {runtimes} runtimes, \
         {closings}, {} resizes, {} steals, {} wake-ups, {} hand-offs, peak {}, {} records, {growth}{looks}{faults}",
        began.elapsed().as_secs_f64(),
        options.mode,
        options.policy,
        options.seed,
        ACCOUNT.ended.load(Relaxed),
        ACCOUNT.steps.load(Relaxed),
        ACCOUNT.parcels_ever.load(Relaxed),
        ACCOUNT.crashes.load(Relaxed),
        ACCOUNT.resizes.load(Relaxed),
        totals.steals,
        totals.wakeups,
        totals.handoffs,
        ACCOUNT.peak.load(Relaxed),
        totals.records,
    ))
}

/// A limit of threads: now and then one at which goroutines in blocking calls and locked ones wait for each other's
/// threads.
pub(crate) fn max_threads(rng: &mut Rng) -> usize {
    if rng.u32(..4) == 0 { rng.usize(3..20) } else { MANY_THREADS }
}

/// One runtime, for some seconds.
fn generation<P: Policy>(
    options: &Options,
    rng: &mut Rng,
    until: Instant,
) -> Result<(u64, gmp::Stats), String> {
    let seed = rng.u64(..);
    let threads = max_threads(rng);
    // A refused thread ends a runtime that has no other.
    let fair = weather::fair();
    let builder = builder::<P>(options.mode);
    let builder = if options.looks { builder.flight_recorder(looks::WINDOW) } else { builder };
    let runtime = builder
        .procs(rng.usize(1..=options.procs_max))
        .poller_shards(rng.usize(1..=3))
        .max_threads(threads)
        .thread_keep_alive(Duration::from_millis([0, 1, 20, 10_000][rng.usize(..4)]))
        .seed(seed)
        .lock_main(rng.bool())
        .build()
        .map_err(|error| error.to_string())?;
    let handle = runtime.handle();
    *ACCOUNT.handle.lock().unwrap() = Some(handle.clone());
    let looks = options.looks.then(|| Looks::begin(handle.clone(), seed));
    let (outside, errands) = mpsc::channel();
    let helper = spared(|| std::thread::spawn(move || run_errands(&handle, &errands)));
    let enough_threads = threads == MANY_THREADS;
    let world = World {
        mode: options.mode,
        procs_max: options.procs_max,
        faults: options.faults,
        looks: options.looks,
        enough_threads,
        // Where goroutines are threads, one that blocks without a word keeps its P.
        may_block: enough_threads && options.mode != Mode::OneThreadEach,
        outside,
        started: Instant::now(),
    };
    let finished = runtime
        .run(move || {
            gmp::sleep(Duration::from_micros(1));
            drop(fair);
            rounds(&world, seed, until)
        })
        .map_err(|error| error.to_string())?;
    drop(looks);
    // A goroutine that was left behind has kept its end of the channel, so the plain thread would wait for ever.
    if finished.value.is_err() {
        return finished.value;
    }
    helper.join().map_err(|_| String::from("the plain thread panicked"))?;
    *ACCOUNT.handle.lock().unwrap() = None;
    if finished.left != gmp::Leftover::default() {
        return Err(format!("goroutines were left behind: {:?}", finished.left));
    }
    finished.value
}

/// The plain thread: readies and spawns from outside. It waits for nobody: what waits has a thread of its own. Otherwise
/// a call could wait for a goroutine that is pinned to a thread, which waits itself for one locked to that thread, which
/// waits for the next errand.
fn run_errands(handle: &Handle, errands: &mpsc::Receiver<Errand>) {
    let mut waiting = Vec::new();
    let mut wait = |call: Box<dyn FnOnce() + Send>| {
        waiting.retain(|thread: &std::thread::JoinHandle<()>| !thread.is_finished());
        waiting.push(spared(|| std::thread::spawn(call)));
    };
    for errand in errands {
        match errand {
            Errand::Call(call) => wait(call),
            Errand::Unpark(sleeper, done) => {
                done.store(true, Release);
                sleeper.unpark();
            }
            Errand::Spawn(seed, sleeper, done) => {
                let ticket = Ticket::new();
                let spawned = handle.go(move || {
                    let _ticket = ticket;
                    gmp::yield_now();
                    done.store(true, Release);
                    sleeper.unpark();
                    seed
                });
                wait(Box::new(move || {
                    if spawned.ok().and_then(|handle| handle.join().ok()) != Some(seed) {
                        ACCOUNT.complain(String::from("a goroutine spawned from outside came back wrong"));
                    }
                }));
            }
        }
    }
    waiting.into_iter().for_each(|thread| thread.join().expect("what it runs does not panic"));
}

/// Rounds of work until the time is over; the books are balanced after each.
fn rounds(world: &World, seed: u64, until: Instant) -> Result<(u64, gmp::Stats), String> {
    let mut rng = Rng::with_seed(seed);
    let before = ACCOUNT.spawned.load(Relaxed);
    let (mut count, mut asked) = (0, Instant::now());
    loop {
        let workers: Vec<_> = (0..WORKERS).map(|_| start(world, &mut rng, 3)).collect();
        let asks = (world.looks && asked.elapsed() > looks::PERIOD).then(|| {
            asked = Instant::now();
            let ticket = Ticket::new();
            gmp::go(move || {
                let _ticket = ticket;
                #[cfg(feature = "profile")]
                crate::leaks::ask();
            })
        });
        for (handle, seed) in workers {
            // If all were asleep without a timer, those that wait for a stack would be told that none can come.
            while world.faults && !handle.is_finished() {
                gmp::sleep(Duration::from_millis(1));
            }
            if let Err(error) = handle.join() {
                return Err(format!("worker of seed {seed} ended as {error:?}"));
            }
        }
        if let Some(Err(error)) = asks.map(gmp::JoinHandle::join) {
            return Err(format!("who asks for leaks ended as {error:?}"));
        }
        count += 1;
        let stats = balance(world, before)?;
        if Instant::now() >= until {
            return Ok((count, stats));
        }
        if rng.u32(..4) == 0 {
            // All Ms go to sleep in between.
            gmp::sleep(Duration::from_millis(rng.u64(..3)));
        }
    }
}

/// At rest, main is alone and everything is back.
fn balance(world: &World, before: u64) -> Result<gmp::Stats, String> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let stats = gmp::stats();
        let complaint = ACCOUNT.complaint().or_else(|| discrepancy(world, before, &stats));
        match complaint {
            None => return Ok(stats),
            Some(complaint) if Instant::now() > deadline => {
                return Err(format!("{complaint}; {stats:#?}"));
            }
            Some(_) => gmp::sleep(Duration::from_micros(100)),
        }
    }
}

fn discrepancy(world: &World, before: u64, stats: &gmp::Stats) -> Option<String> {
    let (spawned, ended) = (ACCOUNT.spawned.load(Relaxed), ACCOUNT.ended.load(Relaxed));
    let peak = ACCOUNT.peak.load(Relaxed);
    let rules = [
        (spawned == ended, "spawned as many as have ended, by our count"),
        (stats.spawned == spawned - before + 1, "the runtime counts the same spawns"),
        (ACCOUNT.locals.load(Relaxed) == 0, "every goroutine-local was dropped"),
        (ACCOUNT.parcels.load(Relaxed) == 0, "every value on a channel was dropped"),
        (stats.goroutines == 1 && stats.running == 1, "only main is left, and runs"),
        (stats.waiting + stats.runnable + stats.blocked == 0, "nobody waits or is queued"),
        (stats.system_goroutines == 0, "no system goroutine is left"),
        (stats.stacks.in_use == 1, "only main has a stack"),
        (stats.records <= peak + world.procs_max * KEPT_BY_A_P + KEPT, "records are used again"),
        (world.started.elapsed() < Duration::from_secs(3600), "an hour is enough"),
    ];
    let broken = rules.iter().find(|(holds, _)| !holds)?;
    Some(format!("broken: {}; spawned {spawned}, ended {ended}, before {before}, peak {peak}", broken.1))
}
