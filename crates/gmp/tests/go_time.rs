//! Go's own tests of package time, ported: `sleep_test.go` (Go 1.27.3). Each is named after Go's. Covered by
//! LICENSE-THIRD-PARTY. Those of `tick_test.go` are in `go_tick.rs`.
//!
//! Left out: tests of zero values of `Timer` and of null pointers (there are none here), and `TestTimerGC` (there is no
//! collector). Channels of capacity 1 that Go's tests fill by `AfterFunc` are filled in the same way here. How long
//! something takes is only checked from below; limits on what has to end within a time are generous.

mod told;

use gmp::time::{Ticker, Timer, after, after_func};
use gmp::{Builder, Receiver, chan};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering::Relaxed};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const NS: Duration = Duration::from_nanos(1);
const HOUR: Duration = Duration::from_secs(3600);
const PATIENCE: Duration = Duration::from_secs(60);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    let builder = told::moving(Builder::new());
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

/// A timer of either kind, and where it sends.
struct Either {
    timer: Timer,
    sent: Option<Receiver<Instant>>,
}

impl Either {
    fn chan(d: Duration) -> Self {
        Self { timer: Timer::new(d), sent: None }
    }

    /// Go's `newTimerFunc`.
    fn func(d: Duration) -> Self {
        let (send, sent) = chan(1);
        let timer = after_func(d, move || send.send(Instant::now()).unwrap_or(()));
        Self { timer, sent: Some(sent) }
    }

    fn c(&self) -> &Receiver<Instant> {
        self.sent.as_ref().unwrap_or(self.timer.channel())
    }
}

#[test]
fn test_sleep() {
    for procs in [1, 2] {
        run(procs, || {
            for delay in [MS / 100, MS / 2, MS, 100 * MS] {
                let start = Instant::now();
                gmp::time::sleep(delay);
                assert!(start.elapsed() >= delay);
                let at = Instant::now() + delay;
                gmp::time::sleep_until(at);
                assert!(Instant::now() >= at);
            }
        });
    }
}

#[test]
fn test_after_func() {
    fn again(left: Arc<AtomicI32>, done: gmp::Sender<()>) {
        after_func(Duration::ZERO, move || {
            if left.fetch_sub(1, Relaxed) > 0 {
                again(Arc::clone(&left), done.clone());
                gmp::sleep(MS * 100);
            } else {
                done.send(()).unwrap();
            }
        });
    }
    for procs in [1, 2, 4] {
        run(procs, || {
            let (done, told) = chan(0);
            again(Arc::new(AtomicI32::new(10)), done);
            told.recv().unwrap();
        });
    }
}

/// Runs `main` beside a goroutine that sleeps as shortly as it can.
fn beside_a_short_sleeper(procs: usize, main: impl FnOnce() + Send + 'static) {
    run(procs, || {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let sleeper = gmp::go(move || {
            while !told.load(Relaxed) {
                gmp::sleep(NS);
            }
        });
        main();
        stop.store(true, Relaxed);
        sleeper.join().unwrap();
    });
}

#[test]
fn test_ticker_stress() {
    for procs in [1, 2] {
        beside_a_short_sleeper(procs, || {
            let ticker = Ticker::new(NS);
            (0..100).for_each(|_| _ = ticker.tick());
            ticker.stop();
        });
    }
}

#[test]
fn test_ticker_concurrent_stress() {
    for procs in [1, 4] {
        beside_a_short_sleeper(procs, || {
            let ticker = Ticker::new(NS);
            let listen = |c: Receiver<Instant>| move || (0..100).for_each(|_| _ = c.recv().unwrap());
            let all: Vec<_> = (0..10).map(|_| gmp::go(listen(ticker.channel().clone()))).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
            ticker.stop();
        });
    }
}

/// A sender and a receiver of which one can always run do not keep a timer's function from its turn.
#[test]
fn test_after_func_starvation() {
    for _ in 0..200 {
        run(1, || {
            let stop = Arc::new(AtomicBool::new(false));
            let (send, received) = chan(1);
            let told = Arc::clone(&stop);
            let sender = gmp::go(move || {
                while !told.load(Relaxed) {
                    send.send(true).unwrap();
                }
            });
            let receiver = gmp::go(move || received.iter().for_each(drop));
            after_func(MS / 1000, move || stop.store(true, Relaxed));
            sender.join().unwrap();
            receiver.join().unwrap();
        });
    }
}

#[test]
fn test_after() {
    run(2, || {
        let start = Instant::now();
        let end = after(100 * MS).recv().unwrap();
        assert!(start.elapsed() >= 100 * MS && end >= start + 100 * MS);
    });
}

#[test]
fn test_after_tick() {
    run(2, || {
        let start = Instant::now();
        (0..10).for_each(|_| _ = after(10 * MS).recv().unwrap());
        assert!(start.elapsed() >= 100 * MS);
    });
}

fn after_stop(new: fn(Duration) -> Either) {
    after_func(100 * MS, || ());
    let t0 = new(HOUR);
    let (ran, told) = chan(1);
    let t1 = after_func(HOUR, move || ran.send(()).unwrap());
    assert!(t0.timer.stop() && t1.stop());
    after(200 * MS).recv().unwrap();
    assert!(t0.c().try_recv().is_err() && told.try_recv().is_err());
    assert!(!t1.stop(), "stop told twice that it was in time");
}

#[test]
fn test_after_stop() {
    run(2, || {
        after_stop(Either::chan);
        after_stop(Either::func);
    });
}

/// Whether the order was that of the times. On a busy machine several are due at once.
fn after_queuing(delta: Duration, new: fn(Duration) -> Either) -> bool {
    const SLOTS: [u32; 13] = [5, 3, 6, 6, 6, 1, 1, 2, 7, 9, 4, 8, 0];
    let (result, results) = chan(SLOTS.len());
    let start = Instant::now();
    for slot in SLOTS {
        let (timer, result) = (new(slot * delta), result.clone());
        gmp::go(move || result.send((slot, timer.c().recv().unwrap())).unwrap());
    }
    let got: Vec<_> = (0..SLOTS.len()).map(|_| results.recv().unwrap()).collect();
    assert!(got.iter().all(|&(slot, at)| at >= start + slot * delta));
    got.is_sorted_by_key(|&(slot, _)| slot)
}

#[test]
fn test_after_queuing() {
    for new in [Either::chan, Either::func] {
        run(2, move || assert!((1..20).any(|i| after_queuing(i * 10 * MS, new)), "never in order"));
    }
}

#[test]
fn test_timer_stop_stress() {
    run(4, || {
        let all: Vec<_> = (0..100)
            .map(|i| {
                gmp::go(move || {
                    let timer = after_func(HOUR, move || panic!("timer {i} was not stopped"));
                    gmp::sleep(100 * MS);
                    assert!(timer.stop());
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        gmp::sleep(100 * MS);
    });
}

#[test]
fn test_sleep_zero_deadlock() {
    run(4, || {
        for _ in 0..1000 {
            gmp::sleep(Duration::ZERO);
            let (send, receive) = chan(1);
            send.send(true).unwrap();
            receive.recv().unwrap();
        }
    });
}

fn reset(d: Duration) -> Result<(), &'static str> {
    let t0 = Timer::new(2 * d);
    gmp::sleep(d);
    if !t0.reset(3 * d) {
        return Err("resetting a pending timer returned false");
    }
    gmp::sleep(2 * d);
    if t0.channel().try_recv().is_ok() {
        return Err("the timer went off early");
    }
    gmp::sleep(2 * d);
    if t0.channel().try_recv().is_err() {
        return Err("the timer that was reset did not go off");
    }
    if t0.reset(50 * MS) { Err("resetting a timer that is over returned true") } else { Ok(()) }
}

#[test]
fn test_reset() {
    run(2, || {
        let mut d = MS;
        while let Err(what) = reset(d) {
            d *= 2;
            assert!(d < Duration::from_secs(10), "{what}");
        }
    });
}

#[test]
fn test_overflow_sleep() {
    run(2, || {
        gmp::go(|| {
            gmp::sleep(Duration::MAX);
            std::process::abort();
        });
        gmp::select! {
            recv(after(Duration::MAX)) -> _ => panic!("a very long timer went off"),
            recv(after(25 * MS)) -> at => assert!(at.is_ok()),
        }
        let ticker = Ticker::new(Duration::MAX);
        assert!(!ticker.channel().is_closed() && ticker.channel().try_recv().is_err());
    });
}

/// Go: TestIssue5745. A panic between the calls leaves no lock held.
#[test]
fn a_panic_beside_a_timer_leaves_it_usable() {
    run(2, || {
        let ticker = Ticker::new(HOUR);
        let broken = gmp::go(move || {
            struct Stop(Ticker);
            impl Drop for Stop {
                fn drop(&mut self) {
                    self.0.stop();
                }
            }
            let _stop = Stop(ticker);
            panic!("on purpose");
        });
        assert!(broken.join().is_err());
        after(MS).recv().unwrap();
    });
}

/// Zero timers are not missed. Go: issue 44868.
#[test]
fn test_zero_timer() {
    for procs in [1, 2] {
        run(procs, || {
            for new in [Either::chan, Either::func] {
                (0..5_000).for_each(|_| _ = new(Duration::ZERO).c().recv().unwrap());
            }
            let cached = Either::func(HOUR);
            for _ in 0..5_000 {
                cached.timer.reset(Duration::ZERO);
                cached.c().recv().unwrap();
            }
        });
    }
}

/// A timer moved earlier again and again is not dropped. Go: issue 47329.
#[test]
fn test_timer_modified_earlier() {
    run(2, || {
        for _ in 0..1000 {
            let either = Either::func(HOUR);
            for _ in 0..10 {
                if !either.timer.stop() {
                    either.c().recv().unwrap();
                }
                either.timer.reset(Duration::ZERO);
            }
            either.c().recv_timeout(PATIENCE).unwrap();
        }
    });
}

/// Timers moved earlier and later in turn keep their times. Go: issue 47762.
#[test]
fn test_adjust_timers() {
    run(2, || {
        let mut timers: Vec<_> = (0..100).map(|_| (Either::func(Duration::ZERO), 1)).collect();
        let mut random = 0x9e37_79b9_u32;
        while !timers.is_empty() {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = (random >> 8) as usize % timers.len();
            let (either, next_state) = &mut timers[at];
            let state = *next_state;
            *next_state += 1;
            match state {
                1 | 9 => _ = either.c().recv_timeout(PATIENCE).unwrap(),
                2 | 4 | 6 => assert!(!either.timer.reset(HOUR / state)),
                3 | 5 | 7 => assert!(either.timer.stop()),
                8 => assert!(!either.timer.reset(Duration::ZERO)),
                _ => drop(timers.swap_remove(at)),
            }
        }
    });
}

/// A stop or reset that races with the expiry says rightly whether a value can be received. Go: issue 69312.
fn stop_reset_result(undo: fn(&Timer) -> bool) {
    run(4, move || {
        let all: Vec<_> = (0..200)
            .map(|_| {
                gmp::go(move || {
                    for _ in 0..50 {
                        let (timer1, timer2) = (Timer::new(MS), Timer::new(MS));
                        let other = gmp::select! {
                            recv(timer1.channel()) -> _ => &timer2,
                            recv(timer2.channel()) -> _ => &timer1,
                        };
                        if undo(other) {
                            assert!(other.channel().try_recv().is_err(), "a value came after all");
                        } else {
                            other.channel().recv_timeout(PATIENCE).expect("a value is there");
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn test_stop_result() {
    stop_reset_result(Timer::stop);
}

#[test]
fn test_reset_result() {
    stop_reset_result(|timer| timer.reset(HOUR));
}

#[test]
fn test_multi_wakeup_ticker() {
    run(4, || {
        let ticker = Ticker::new(MS / 1000);
        let all: Vec<_> = (0..4)
            .map(|_| {
                let c = ticker.channel().clone();
                gmp::go(move || {
                    for _ in 0..10_000 {
                        gmp::select! {
                            recv(c) -> at => assert!(at.is_ok()),
                            recv(after(MS)) -> at => assert!(at.is_ok()),
                        }
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn test_multi_wakeup_timer() {
    run(4, || {
        let timer = Arc::new(Timer::new(NS));
        let all: Vec<_> = (0..4)
            .map(|_| {
                let timer = Arc::clone(&timer);
                gmp::go(move || {
                    for _ in 0..10_000 {
                        let _ = timer.channel().try_recv();
                        timer.reset(NS);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        timer.channel().recv_timeout(PATIENCE).unwrap();
    });
}
