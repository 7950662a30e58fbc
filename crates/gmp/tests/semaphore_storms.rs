//! Storms at a semaphore: goroutines of several runtimes, plain threads and futures ask for permits in every way there is,
//! and give them back from anywhere. At no moment are there more permits than were made; in the end all are there; and
//! nobody waits for ever, which the test says by hanging.

mod told;

use gmp::sync::{Permit, Semaphore};
use gmp::{AtMainReturn, Builder, Sender, chan};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Waker};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    told::moving(Builder::new()).procs(procs).build().unwrap().run(main).unwrap().value
}

/// A semaphore, and how many of its permits are in somebody's hands by their own account.
struct Seats {
    semaphore: Semaphore,
    made: usize,
    taken: AtomicUsize,
}

impl Seats {
    fn new(made: usize) -> Arc<Self> {
        Arc::new(Self { semaphore: Semaphore::new(made), made, taken: AtomicUsize::new(0) })
    }

    fn hold<'a>(&'a self, permit: Permit<'a>) -> Held<'a> {
        let taken = self.taken.fetch_add(permit.count(), SeqCst) + permit.count();
        assert!(taken <= self.made, "{taken} permits are taken, and {} were made", self.made);
        Held { seats: self, permit: Some(permit) }
    }

    /// Nobody holds anything: all permits are there, and nobody is thought to wait.
    fn check_rest(&self) {
        assert_eq!((self.taken.load(SeqCst), self.semaphore.available()), (0, self.made));
        let all = self.semaphore.try_acquire_many(self.made).expect("nobody waits");
        assert!(self.semaphore.try_acquire().is_none());
        drop(all);
    }
}

/// Permits that are counted.
struct Held<'a> {
    seats: &'a Seats,
    permit: Option<Permit<'a>>,
}

impl Held<'_> {
    /// Uses the permits up. Whoever gets the number is to make as many.
    fn use_up(mut self) -> usize {
        let permit = self.permit.take().unwrap();
        let n = permit.count();
        permit.forget();
        n
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(permit) = &self.permit {
            self.seats.taken.fetch_sub(permit.count(), SeqCst);
        }
    }
}

impl Seats {
    /// Makes what somebody has used up.
    fn make_good(&self, n: usize) {
        self.taken.fetch_sub(n, SeqCst);
        self.semaphore.add_permits(n);
    }
}

/// One turn of somebody, in one of the ways there are. `debts` is read by those who make permits.
fn turn(seats: &Seats, rng: &mut fastrand::Rng, debts: &Sender<usize>, pause: fn()) {
    let semaphore = &seats.semaphore;
    let many = rng.usize(0..=seats.made);
    let soon = Duration::from_micros(rng.u64(..60));
    let permit = match rng.u32(..16) {
        0..=3 => Some(semaphore.acquire()),
        4..=5 => Some(semaphore.acquire_many(many)),
        6 => Some(semaphore.acquire_many(seats.made)),
        7..=8 => semaphore.try_acquire(),
        9 => semaphore.try_acquire_many(many),
        10 => semaphore.acquire_timeout(soon),
        11 => semaphore.acquire_many_deadline(many, Instant::now() + soon),
        12 => semaphore.acquire_many_timeout(many, Duration::ZERO),
        13 => Some(semaphore.acquire_many_timeout(many, HOUR).expect("an hour is over")),
        // More than there will ever be.
        _ => {
            assert!(semaphore.acquire_many_timeout(seats.made + 1, soon).is_none());
            None
        }
    };
    let Some(permit) = permit else { return };
    let held = seats.hold(permit);
    if rng.bool() {
        pause();
    }
    match rng.u32(..8) {
        0 => seats.make_good(held.use_up()),
        1 => _ = debts.send(held.use_up()).map_err(|back| seats.make_good(back.into_inner())),
        2 => {
            let crash = catch_unwind(AssertUnwindSafe(move || {
                let _held = held;
                std::panic::resume_unwind(Box::new("with permits in hand"));
            }));
            assert!(crash.is_err());
        }
        3 => dropped_half_way(held),
        _ => drop(held),
    }
}

/// A future that has permits is polled once, and dropped where it waits.
fn dropped_half_way(held: Held<'_>) {
    let (_silent, silence) = chan::<()>(0);
    let waits = pin!(async move {
        let _held = held;
        let _ = silence.recv_async().await;
    });
    assert!(waits.poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Lets others run, on whatever thread.
fn let_others() {
    if gmp::current().is_some() { gmp::yield_now() } else { thread::yield_now() }
}

fn nap() {
    gmp::sleep(Duration::from_micros(20));
}

/// What goroutines do in the middle of it.
const PAUSES: [fn(); 5] = [
    gmp::yield_now,
    nap,
    || gmp::blocking(thread::yield_now),
    || thread::sleep(Duration::from_micros(20)),
    || gmp::block_on(async { gmp::time::sleep_async(Duration::from_micros(20)).await }),
];

/// Goroutines of a runtime with so many Ps at the semaphore, and as many turns each.
fn goroutines(seats: &Arc<Seats>, seed: u64, procs: usize, debts: &Sender<usize>) {
    let (seats, debts) = (seats.clone(), debts.clone());
    run(procs, move || {
        let all: Vec<_> = (0..6)
            .map(|by| {
                let (seats, debts) = (seats.clone(), debts.clone());
                gmp::go(move || {
                    let mut rng = fastrand::Rng::with_seed(seed * 100 + by);
                    for _ in 0..500 {
                        let pause = PAUSES[rng.usize(..PAUSES.len())];
                        turn(&seats, &mut rng, &debts, pause);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

fn storm(seed: u64, made: usize, procs: &[usize]) {
    let seats = Seats::new(made);
    let (debts, owed) = chan(2);
    thread::scope(|scope| {
        for (by, &procs) in (0..).zip(procs) {
            let (seats, debts) = (seats.clone(), debts.clone());
            scope.spawn(move || goroutines(&seats, seed * 10 + by, procs, &debts));
        }
        for by in 0..2 {
            let (seats, debts) = (seats.clone(), debts.clone());
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed * 10 + 7 + by);
                (0..1000).for_each(|_| turn(&seats, &mut rng, &debts, thread::yield_now));
            });
        }
        drop(debts);
        // Permits are made by one who never asks for any.
        owed.iter().for_each(|n| seats.make_good(n));
    });
    seats.check_rest();
}

#[test]
fn a_storm_from_one_p() {
    storm(fastrand::u64(..1 << 40), 3, &[1]);
}

#[test]
fn a_storm_from_many_ps() {
    storm(fastrand::u64(..1 << 40), 5, &[8]);
}

#[test]
fn a_storm_from_three_runtimes() {
    storm(fastrand::u64(..1 << 40), 4, &[1, 2, 8]);
}

/// A lock: whoever gets the one permit sees what the one before has written.
#[test]
fn a_storm_for_a_single_permit() {
    storm(fastrand::u64(..1 << 40), 1, &[2, 2]);
}

/// One that asks for all permits waits first. Whoever comes after it, in whatever way, gets none before it has had its own,
/// though permits come back one by one, and from everywhere.
#[test]
fn nobody_passes_the_first_waiter() {
    const MADE: usize = 6;
    for round in 0..40 {
        run([1, 2, 8][round % 3], move || {
            let (seats, first_was_served) = (Seats::new(MADE), Arc::new(AtomicBool::new(false)));
            let mut held: Vec<_> = (1..MADE).map(|_| seats.semaphore.acquire()).collect();
            let first = {
                let (seats, served) = (seats.clone(), first_was_served.clone());
                move || {
                    let held = seats.hold(seats.semaphore.acquire_many(MADE));
                    served.store(true, SeqCst);
                    drop(held);
                }
            };
            let by_a_thread = round % 2 == 0;
            let waits: Box<dyn FnOnce()> = if by_a_thread {
                let thread = thread::spawn(first);
                Box::new(move || gmp::blocking(|| thread.join()).unwrap())
            } else {
                let goroutine = gmp::go(first);
                Box::new(move || goroutine.join().unwrap())
            };
            // One is free, so only somebody who waits keeps us from it.
            while seats.semaphore.try_acquire().is_some() {
                if by_a_thread { gmp::blocking(thread::yield_now) } else { gmp::yield_now() }
            }
            let over = Arc::new(AtomicBool::new(false));
            let comers: Vec<_> = (0..6_u32)
                .map(|by| {
                    let (seats, served, over) = (seats.clone(), first_was_served.clone(), over.clone());
                    let comes = move || {
                        while !over.load(SeqCst) {
                            let permit = match by % 3 {
                                0 => Some(seats.semaphore.acquire()),
                                1 => seats.semaphore.try_acquire(),
                                _ => seats.semaphore.acquire_timeout(Duration::from_micros(10)),
                            };
                            let early = permit.is_some() && !served.load(SeqCst);
                            assert!(!early, "a newcomer of kind {by} has passed the first waiter");
                            drop(permit);
                            let_others();
                        }
                    };
                    let handle = (by < 4).then(|| gmp::go(comes.clone()));
                    (handle, (by >= 4).then(|| thread::spawn(comes)))
                })
                .collect();
            while let Some(permit) = held.pop() {
                match held.len() % 3 {
                    0 => drop(permit),
                    1 => {
                        permit.forget();
                        seats.semaphore.add_permits(1);
                    }
                    _ => {
                        permit.forget();
                        let seats = seats.clone();
                        gmp::blocking(|| thread::spawn(move || seats.semaphore.add_permits(1)).join())
                            .unwrap();
                    }
                }
                gmp::yield_now();
            }
            waits();
            over.store(true, SeqCst);
            for (goroutine, thread) in comers {
                goroutine.into_iter().for_each(|one| one.join().unwrap());
                thread.into_iter().for_each(|one| gmp::blocking(|| one.join()).unwrap());
            }
            seats.check_rest();
        });
    }
}

/// Runtimes close while their goroutines wait, or have permits in hand: a plain thread and another runtime are served all
/// the same, and no permit is lost.
#[test]
fn a_storm_through_closing_runtimes() {
    let (seats, over) = (Seats::new(3), Arc::new(AtomicBool::new(false)));
    let (debts, owed) = chan(2);
    thread::scope(|scope| {
        for by in 0..2_u64 {
            let (seats, over, debts) = (seats.clone(), over.clone(), debts.clone());
            let turns = move |pause: fn()| {
                let mut rng = fastrand::Rng::with_seed(by);
                while !over.load(SeqCst) {
                    turn(&seats, &mut rng, &debts, pause);
                }
            };
            scope.spawn(move || {
                if by == 0 { turns(thread::yield_now) } else { run(2, move || turns(gmp::yield_now)) }
            });
        }
        let their_seats = seats.clone();
        scope.spawn(move || {
            for life in 0..30 {
                let seats = their_seats.clone();
                let builder = told::moving(Builder::new()).procs(1 + life % 3);
                let runtime = builder.at_main_return(AtMainReturn::Unwind).build().unwrap();
                let out = runtime.run(move || {
                    for by in 0..6 {
                        let seats = seats.clone();
                        gmp::go(move || {
                            let mut rng = fastrand::Rng::with_seed(by);
                            loop {
                                // Only waits at the semaphore, or for a moment, are cut short here.
                                let permit = seats.semaphore.acquire_many(rng.usize(1..=seats.made));
                                let held = seats.hold(permit);
                                if rng.bool() {
                                    nap();
                                }
                                drop(held);
                                gmp::yield_now();
                            }
                        });
                    }
                    gmp::sleep(Duration::from_millis(2));
                });
                assert!(out.is_ok());
            }
            over.store(true, SeqCst);
        });
        drop(debts);
        owed.iter().for_each(|n| seats.make_good(n));
    });
    seats.check_rest();
}
