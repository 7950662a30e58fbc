//! Go's own tests of package time, ported: `tick_test.go` (Go 1.27.3). Each is named after Go's. Covered by
//! LICENSE-THIRD-PARTY. The others are in `go_time.rs`.

mod told;

use gmp::time::{Ticker, Timer, after, after_func, tick};
use gmp::{Builder, Receiver, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(60);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

#[test]
fn test_ticker() {
    run(2, || {
        let (count, delta) = (10, 20 * MS);
        let ticker = Ticker::new(delta);
        let start = Instant::now();
        (0..count / 2).for_each(|_| _ = ticker.tick());
        assert!(start.elapsed() >= delta * (count / 2) - delta);
        ticker.reset(2 * delta);
        let start = Instant::now();
        (0..count / 2).for_each(|_| _ = ticker.tick());
        assert!(start.elapsed() >= delta * count - 2 * delta);
        ticker.stop();
        gmp::sleep(4 * delta);
        assert!(ticker.channel().try_recv().is_err(), "the ticker did not stop");
    });
}

#[test]
fn test_teardown() {
    run(2, || {
        for _ in 0..3 {
            let ticker = Ticker::new(20 * MS);
            ticker.channel().recv().unwrap();
            ticker.stop();
        }
    });
}

#[test]
fn test_tick() {
    run(2, || {
        assert!(tick(Duration::ZERO).try_recv().is_err());
        let ticks = tick(MS);
        let first = ticks.recv().unwrap();
        assert!(ticks.recv().unwrap() > first);
    });
}

/// Go: TestNewTickerLtZeroDuration, TestTickerResetLtZeroDuration.
#[test]
fn a_ticker_needs_a_period() {
    run(1, || {
        let failed = gmp::go(|| drop(Ticker::new(Duration::ZERO))).join();
        assert!(matches!(failed, Err(gmp::JoinError::Panicked(_))));
        let failed = gmp::go(|| Ticker::new(HOUR).reset(Duration::ZERO)).join();
        assert!(matches!(failed, Err(gmp::JoinError::Panicked(_))));
    });
}

#[test]
fn test_long_adjust_timers() {
    run(2, || {
        let sleepers: Vec<_> = (0..5000).map(|_| gmp::go(|| gmp::sleep(MS / 100))).collect();
        (0..5000).for_each(|_| gmp::sleep(MS / 1000));
        let (work, from_work) = chan::<u32>(0);
        let (to_done, done) = chan::<u32>(0);
        let queue = gmp::go(move || {
            let mut queue = std::collections::VecDeque::new();
            loop {
                let Some(&first) = queue.front() else {
                    match from_work.recv() {
                        Ok(item) => queue.push_back(item),
                        Err(_) => return,
                    }
                    continue;
                };
                gmp::select! {
                    send(to_done, first) -> _ => _ = queue.pop_front(),
                    recv(from_work) -> item => match item {
                        Ok(item) => queue.push_back(item),
                        Err(_) => return,
                    },
                }
            }
        });
        for round in 0..1000 {
            (0..20).for_each(|i| work.send(i).unwrap());
            for _ in 0..20 {
                gmp::select! {
                    recv(done) -> item => assert!(item.is_ok()),
                    recv(after(PATIENCE)) -> _ => panic!("no work came back in round {round}"),
                }
            }
        }
        drop(work);
        queue.join().unwrap();
        sleepers.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// Timer and ticker behind one interface.
trait TimeSource {
    const REPEATS: bool;
    fn c(&self) -> &Receiver<Instant>;
    fn stop(&self) -> Option<bool>;
    fn reset(&self, d: Duration) -> Option<bool>;
}

impl TimeSource for Timer {
    const REPEATS: bool = false;
    fn c(&self) -> &Receiver<Instant> {
        self.channel()
    }
    fn stop(&self) -> Option<bool> {
        Some(Timer::stop(self))
    }
    fn reset(&self, d: Duration) -> Option<bool> {
        Some(Timer::reset(self, d))
    }
}

impl TimeSource for Ticker {
    const REPEATS: bool = true;
    fn c(&self) -> &Receiver<Instant> {
        self.channel()
    }
    fn stop(&self) -> Option<bool> {
        Ticker::stop(self);
        None
    }
    fn reset(&self, d: Duration) -> Option<bool> {
        Ticker::reset(self, d);
        None
    }
}

fn no_tick(c: &Receiver<Instant>) {
    assert!(c.try_recv().is_err(), "one tick too many");
}

fn a_tick(c: &Receiver<Instant>) {
    c.recv_timeout(PATIENCE).expect("a tick comes");
}

/// Waits until whatever can run has run, and whatever is due has come.
fn settle() {
    gmp::sleep(10 * MS);
}

fn timer_chan<S: TimeSource>(source: &S) {
    let c = source.c();
    source.stop();
    no_tick(c);
    source.reset(HOUR);
    no_tick(c);
    source.reset(NS);
    settle();
    assert_eq!((c.len(), c.capacity()), (0, 0));
    a_tick(c);
    settle();
    source.reset(HOUR);
    no_tick(c);

    // While somebody waits.
    let (done, told) = chan::<()>(1);
    let waiter = {
        let (c, done) = (c.clone(), done.clone());
        gmp::go(move || (c.recv().unwrap(), done.send(()).unwrap()).1)
    };
    settle();
    source.reset(2 * HOUR);
    settle();
    assert!(told.try_recv().is_err());
    source.reset(NS);
    told.recv_timeout(PATIENCE).unwrap();
    waiter.join().unwrap();
    if S::REPEATS {
        a_tick(c)
    } else {
        no_tick(c)
    }
    source.stop();
    no_tick(c);

    // Two wait in a select.
    source.reset(HOUR);
    let (stop, stopped) = chan::<()>(0);
    let woken = Arc::new(AtomicUsize::new(0));
    let two: Vec<_> = (0..2)
        .map(|_| {
            let (c, stopped, woken) = (c.clone(), stopped.clone(), Arc::clone(&woken));
            gmp::go(move || {
                gmp::select! {
                    recv(c) -> at => _ = (at.unwrap(), woken.fetch_add(1, Relaxed)),
                    recv(stopped) -> _ => {}
                }
            })
        })
        .collect();
    settle();
    assert_eq!(woken.load(Relaxed), 0);
    source.reset(5 * MS);
    while woken.load(Relaxed) == 0 {
        settle();
    }
    source.stop();
    stop.close();
    two.into_iter().for_each(|one| one.join().unwrap());
    assert!(S::REPEATS || woken.load(Relaxed) == 1);

    // Two wait for a timer that is stopped.
    no_tick(c);
    let (stop, stopped) = chan::<()>(0);
    let two: Vec<_> = (0..2)
        .map(|_| {
            let (c, stopped) = (c.clone(), stopped.clone());
            gmp::go(move || {
                gmp::select! {
                    recv(c) -> _ => panic!("a stopped timer sent"),
                    recv(stopped) -> _ => {}
                }
            })
        })
        .collect();
    settle();
    stop.close();
    two.into_iter().for_each(|one| one.join().unwrap());

    // Neither stop nor reset lets an old value through. Go: issue 37196.
    source.reset(NS);
    settle();
    assert_ne!(source.stop(), Some(false));
    no_tick(c);
    source.reset(HOUR);
    no_tick(c);
    assert_ne!(source.reset(NS), Some(false));
    a_tick(c);
    settle();
    if S::REPEATS {
        a_tick(c)
    } else {
        no_tick(c)
    }
    settle();
    assert_ne!(source.reset(HOUR), Some(true));
    no_tick(c);
}

#[test]
fn test_chan() {
    for procs in [1, 2] {
        run(procs, || {
            timer_chan(&Timer::new(HOUR));
            timer_chan(&Ticker::new(HOUR));
        });
    }
}

/// A value that is looked at late has the time at which it was due. Go: TestAfterTimes, TestTickTimes.
#[test]
fn times_are_those_of_the_expiry() {
    run(2, || {
        let start = Instant::now();
        let (once, ticks) = (after(10 * MS), tick(10 * MS));
        gmp::sleep(500 * MS);
        for c in [once, ticks] {
            let at = c.recv().unwrap() - start;
            assert!(at >= 10 * MS && at < 400 * MS, "{at:?}");
        }
    });
}

/// Nobody receives, so nothing is kept: Go's TestTimerGC, as far as it goes without a collector.
#[test]
fn channels_that_nobody_has_are_stopped() {
    run(1, || {
        struct Count(Arc<AtomicUsize>);
        impl Drop for Count {
            fn drop(&mut self) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        for _ in 0..10_000 {
            drop((after(HOUR), tick(HOUR), Timer::new(HOUR), Ticker::new(HOUR)));
            let count = Count(Arc::clone(&dropped));
            after_func(HOUR, move || _ = &count).stop();
        }
        gmp::yield_now();
        gmp::sleep(MS);
        let kept = 10_000 - dropped.load(Relaxed);
        assert!(kept < 1000, "{kept} functions of stopped timers are still there");
    });
}

/// Go has no such test: there a channel that only receives cannot be closed.
#[test]
fn a_closed_channel_ends_its_ticker() {
    run(2, || {
        let ticks = tick(MS);
        ticks.recv().unwrap();
        assert!(ticks.close());
        ticks.iter().for_each(drop);
        assert!(ticks.is_closed());
    });
}

/// A timer that is over does not close its channel: in a select it just never comes up again.
#[test]
fn an_expired_channel_stays_silent() {
    run(2, || {
        let once = after(MS);
        once.recv().unwrap();
        settle();
        assert_eq!(once.try_recv(), Err(gmp::channel::TryRecvError::Empty));
    });
}
