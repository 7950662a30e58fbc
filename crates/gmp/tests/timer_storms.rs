//! Storms at the channels of timers: goroutines of two runtimes and plain threads wait for one timer in every way there is,
//! futures that are polled and dropped again and again among them, while it is set, stopped and closed from everywhere. No
//! time is lost or seen twice, and nobody waits for ever, which the test says by hanging.

mod told;

use gmp::channel::RecvTimeoutError;
use gmp::time::{Ticker, Timer, after};
use gmp::{AtMainReturn, Builder, Receiver, Select};
use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    told::moving(Builder::new()).procs(procs).build().unwrap().run(main).unwrap().value
}

/// How a time was sought.
#[derive(Debug)]
enum End {
    Came(Instant),
    Nothing,
    Closed,
}

fn micros(rng: &mut fastrand::Rng, most: u64) -> Duration {
    Duration::from_micros(rng.u64(..most))
}

/// Lets others run, on whatever thread.
fn let_others() {
    if gmp::current().is_some() { gmp::yield_now() } else { thread::yield_now() }
}

/// The ways to seek a time. Those from [`DROPPED`] on drop what has come to them unseen, now and then.
const DROPPED: usize = 7;

/// Seeks a time in one of the ways.
fn seek(ticks: &Receiver<Instant>, way: usize, rng: &mut fastrand::Rng) -> End {
    let soon = micros(rng, 80);
    let got = match way {
        0 => return ticks.recv().map_or(End::Closed, End::Came),
        1 => match ticks.recv_timeout(soon) {
            Ok(at) => return End::Came(at),
            Err(RecvTimeoutError::TimedOut) => return End::Nothing,
            Err(_) => return End::Closed,
        },
        2 => match ticks.try_recv() {
            Ok(at) => return End::Came(at),
            Err(gmp::channel::TryRecvError::Empty) => {
                let_others();
                return End::Nothing;
            }
            Err(_) => return End::Closed,
        },
        3 => gmp::select! {
            recv(ticks) -> at => Some(at.ok()),
            recv(ticks) -> at => Some(at.ok()),
            default(soon) => None,
        },
        4 => Some(gmp::block_on(ticks.recv_async()).ok()),
        5 => {
            let mut set = Select::new();
            set.recv(ticks);
            let ready = set.ready_timeout(soon).and_then(|_| set.try_select());
            ready.map(|selected| selected.recv(ticks).ok())
        }
        6 if gmp::current().is_some() => {
            let other = after(soon);
            gmp::select! {
                recv(ticks) -> at => Some(at.ok()),
                recv(other) -> _ => None,
            }
        }
        // An arm that awaits it, and is dropped if the other one comes up.
        7 => {
            let other = gmp::chan::<()>(1);
            if rng.bool() {
                other.0.send(()).unwrap();
            }
            let other = other.1;
            gmp::select! {
                await(ticks.recv_async()) -> at => Some(at.ok()),
                recv(other) -> _ => None,
                default(soon) => None,
            }
        }
        _ => polled(ticks, rng),
    };
    match got {
        Some(Some(at)) => End::Came(at),
        Some(None) => End::Closed,
        None => End::Nothing,
    }
}

/// Whether somebody was told.
#[derive(Default)]
struct Told(AtomicBool);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A receive that is polled a few times and then dropped, mostly about when the time comes: `None` if it has seen nothing.
fn polled(ticks: &Receiver<Instant>, rng: &mut fastrand::Rng) -> Option<Option<Instant>> {
    let told = Arc::new(Told::default());
    let wakers = [Waker::from(told.clone()), Waker::from(Arc::new(Told::default()))];
    let mut receive = pin!(ticks.recv_async());
    for _ in 0..rng.u32(1..4) {
        // Now and then another task has it from here on.
        let waker = &wakers[usize::from(rng.u32(..4) == 0)];
        if let Poll::Ready(got) = receive.as_mut().poll(&mut Context::from_waker(waker)) {
            return Some(got.ok());
        }
        let patience = rng.u32(..20);
        for _ in 0..patience {
            if told.0.load(SeqCst) {
                break;
            }
            let_others();
        }
    }
    // Half of them are dropped just when they have been told.
    None
}

/// Those who seek, until the channel is closed: goroutines of a runtime, and plain threads, by these ways.
fn seekers(
    ticks: &Receiver<Instant>,
    ways: &[usize],
    came: impl Fn(Instant) + Clone + Send + 'static,
) -> Box<dyn FnOnce()> {
    let all: Vec<_> = ways
        .iter()
        .enumerate()
        .map(|(by, &way)| {
            let (ticks, came) = (ticks.clone(), came.clone());
            let mut rng = fastrand::Rng::new();
            let seeks = move || {
                loop {
                    match seek(&ticks, way, &mut rng) {
                        End::Came(at) => came(at),
                        End::Nothing => {}
                        End::Closed => break,
                    }
                }
            };
            if by % 3 == 2 { Err(thread::spawn(seeks)) } else { Ok(gmp::go(seeks)) }
        })
        .collect();
    Box::new(|| {
        for one in all {
            match one {
                Ok(goroutine) => goroutine.join().unwrap(),
                Err(thread) => gmp::blocking(|| thread.join()).unwrap(),
            }
        }
    })
}

/// Two runtimes in turn run `step`, until it says `false`; the second one in a thread of its own.
fn in_two_runtimes(procs: [usize; 2], body: impl Fn(usize) + Clone + Send + 'static) {
    let [here, there] = procs;
    let theirs = body.clone();
    let other = thread::spawn(move || run(there, move || theirs(1)));
    run(here, move || body(0));
    other.join().unwrap();
}

/// One timer that is set, awaited and set again by turns, from two runtimes: each setting is seen once.
fn each_time_is_seen_once(procs: [usize; 2], ways: &'static [usize], settings: usize) {
    let timer = run(1, || Arc::new(Timer::new(HOUR)));
    assert!(timer.stop());
    let (seen, turn) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    in_two_runtimes(procs, move |who| {
        let (counted, mut rng) = (seen.clone(), fastrand::Rng::new());
        let wait = seekers(timer.channel(), ways, move |_| _ = counted.fetch_add(1, SeqCst));
        loop {
            let now = turn.load(SeqCst);
            if now == settings {
                break;
            }
            if now % 2 != who {
                gmp::sleep(Duration::from_micros(20));
                continue;
            }
            // Some settings are never seen: they are undone, or moved, before.
            match rng.u32(..4) {
                0 => {
                    timer.reset(HOUR);
                    assert!(timer.stop());
                }
                1 => _ = timer.reset(HOUR),
                _ => {}
            }
            timer.reset(micros(&mut rng, 100));
            while seen.load(SeqCst) == now {
                if rng.bool() { gmp::yield_now() } else { gmp::sleep(Duration::from_micros(10)) }
            }
            assert_eq!(seen.load(SeqCst), now + 1);
            assert!(!timer.stop(), "the time was seen");
            turn.store(now + 1, SeqCst);
        }
        timer.channel().close();
        wait();
        assert_eq!(seen.load(SeqCst), settings);
    });
}

#[test]
fn each_time_is_seen_once_by_those_who_wait() {
    each_time_is_seen_once([1, 2], &[0, 1, 4, 3, 6, 0], 200);
}

#[test]
fn each_time_is_seen_once_by_whoever_comes() {
    each_time_is_seen_once([2, 1], &[0, 1, 2, 3, 4, 5, 6, 7, 8], 200);
}

/// Nobody else is there, so a time that was lost with a task that did not see it would be waited for in vain.
#[test]
fn each_time_is_seen_once_by_those_who_drop() {
    each_time_is_seen_once([1, 2], &[8, 7, 8], 60);
}

/// All ticks are seen once at most, however many seek them, and lie where the ticker's last setting has them.
fn no_tick_comes_twice(procs: [usize; 2], ways: &'static [usize], ticks: usize) {
    let period = Duration::from_micros(40);
    let ticker = run(1, move || Arc::new(Ticker::new(period)));
    let (seen, enough) = (Arc::new(Mutex::new(HashSet::new())), Arc::new(AtomicBool::new(false)));
    in_two_runtimes(procs, move |_| {
        let (noted, told) = (seen.clone(), enough.clone());
        let wait = seekers(ticker.channel(), ways, move |at| {
            let mut seen = noted.lock().unwrap();
            assert!(seen.insert(at), "a tick was seen twice");
            if seen.len() >= ticks {
                told.store(true, SeqCst);
            }
        });
        while !enough.load(SeqCst) {
            // A ticker whose runtime has closed is started anew here, too.
            ticker.reset(period);
            for _ in 0..20 {
                gmp::sleep(Duration::from_micros(100));
            }
        }
        ticker.channel().close();
        wait();
    });
}

#[test]
fn no_tick_comes_twice_to_those_who_wait() {
    no_tick_comes_twice([1, 2], &[0, 1, 4, 3, 6, 0], 1500);
}

#[test]
fn no_tick_comes_twice_to_those_who_drop() {
    no_tick_comes_twice([2, 1], &[0, 7, 8, 8, 5, 8], 1500);
}

/// Resets from two runtimes and stops from plain threads at once, while none drops a time unseen: each setting ends once,
/// by a value or by whoever undid it.
#[test]
fn each_setting_ends_once_from_everywhere() {
    let timer = run(1, || Arc::new(Timer::new(HOUR)));
    let (ended, set, at_work) =
        (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(2)));
    let (all_ended, all_set, last) = (ended.clone(), set.clone(), timer.clone());
    in_two_runtimes([1, 2], move |_| {
        let counted = ended.clone();
        let ways: Vec<usize> = (0..DROPPED).collect();
        let wait = seekers(timer.channel(), &ways, move |_| _ = counted.fetch_add(1, SeqCst));
        let stops = {
            let (timer, ended, at_work) = (timer.clone(), ended.clone(), at_work.clone());
            thread::spawn(move || {
                while at_work.load(SeqCst) != 0 {
                    ended.fetch_add(usize::from(timer.stop()), SeqCst);
                    thread::sleep(Duration::from_micros(50));
                }
            })
        };
        let mut rng = fastrand::Rng::new();
        for _ in 0..1000 {
            set.fetch_add(1, SeqCst);
            ended.fetch_add(usize::from(timer.reset(micros(&mut rng, 30))), SeqCst);
            match rng.u32(..8) {
                0 => gmp::sleep(Duration::from_micros(20)),
                1 => gmp::yield_now(),
                _ => {}
            }
        }
        at_work.fetch_sub(1, SeqCst);
        // What is set after the close is set in vain.
        gmp::blocking(|| stops.join()).unwrap();
        ended.fetch_add(usize::from(timer.stop()), SeqCst);
        timer.channel().close();
        wait();
    });
    all_ended.fetch_add(usize::from(last.stop()), SeqCst);
    assert_eq!(all_ended.load(SeqCst), all_set.load(SeqCst));
}

/// Timers whose last receiver goes about when the alarm comes, wherever that is, and in whatever way it waits.
#[test]
fn receivers_go_when_the_time_comes() {
    in_two_runtimes([1, 3], |who| {
        let all: Vec<_> = (0..4)
            .map(|by| {
                gmp::go(move || {
                    let mut rng = fastrand::Rng::with_seed(by * 2 + who as u64);
                    for _ in 0..100 {
                        let delay = micros(&mut rng, 60);
                        let ticks = if rng.bool() {
                            after(delay)
                        } else {
                            gmp::time::tick(delay + Duration::from_nanos(1))
                        };
                        let ways = [1, 2, 3, 5, 6, 7, 8];
                        let way = ways[rng.usize(..ways.len())];
                        if rng.u32(..8) == 0 {
                            let theirs = ticks.clone();
                            let mut rng = rng.fork();
                            let thread = thread::spawn(move || seek(&theirs, way, &mut rng));
                            drop(ticks);
                            gmp::blocking(|| thread.join()).unwrap();
                        } else {
                            let _ = seek(&ticks, way, &mut rng);
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Runtimes close while others wait for their timers, who set them anew: each waits no longer than it said, and whoever
/// sets a timer gets its time.
#[test]
fn runtimes_close_under_a_timer() {
    let (timer, over) = (run(1, || Arc::new(Timer::new(HOUR))), Arc::new(AtomicBool::new(false)));
    let (theirs, until) = (timer.clone(), over.clone());
    let thread = thread::spawn(move || {
        let mut rng = fastrand::Rng::with_seed(3);
        while !until.load(SeqCst) {
            _ = seek(theirs.channel(), [1, 2, 3, 5, 7, 8][rng.usize(..6)], &mut rng);
            if rng.u32(..8) == 0 {
                theirs.stop();
            }
        }
    });
    for life in 0..40_u64 {
        let theirs = timer.clone();
        let builder = told::moving(Builder::new()).procs(1 + life as usize % 3);
        let what = if life % 4 == 0 { AtMainReturn::Leak } else { AtMainReturn::Unwind };
        let out = builder.at_main_return(what).build().unwrap().run(move || {
            let mut rng = fastrand::Rng::with_seed(life);
            for by in 0..4 {
                let (timer, mut rng) = (theirs.clone(), rng.fork());
                gmp::go(move || {
                    loop {
                        let delay = micros(&mut rng, 50);
                        if by == 3 {
                            // It may come back from there when its runtime has closed.
                            gmp::blocking(|| {
                                thread::sleep(delay);
                                timer.reset(delay);
                            });
                        } else {
                            timer.reset(delay);
                        }
                        let way = if by == 0 { 0 } else { [1, 3, 4, 6, 7][rng.usize(..5)] };
                        let _ = seek(timer.channel(), way, &mut rng);
                        gmp::yield_now();
                    }
                });
            }
            gmp::sleep(micros(&mut rng, 2000));
        });
        assert!(out.is_ok());
    }
    over.store(true, SeqCst);
    thread.join().unwrap();
    run(2, move || {
        // One of theirs that was left behind may still come, and take it over for its runtime, where it never goes off.
        loop {
            timer.reset(Duration::from_micros(100));
            if timer.channel().recv_timeout(Duration::from_secs(1)).is_ok() {
                break;
            }
        }
    });
}
