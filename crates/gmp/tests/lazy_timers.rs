//! Timers with channels lie in a P's heap only while somebody waits: whoever that is, and whatever becomes of the timer
//! meanwhile.

mod told;

use gmp::channel::{RecvTimeoutError, TryRecvError};
use gmp::time::{Ticker, Timer, after};
use gmp::{Builder, Receiver};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    told::moving(Builder::new()).procs(procs).build().unwrap().run(main).unwrap().value
}

/// Who waits is no goroutine: the alarm is set in the timer's own runtime.
#[test]
fn a_plain_thread_waits() {
    for procs in [1, 2] {
        run(procs, || {
            let start = Instant::now();
            let ticker = Arc::new(Ticker::new(2 * MS));
            let theirs = Arc::clone(&ticker);
            let thread = std::thread::spawn(move || {
                (0..3).for_each(|_| _ = theirs.tick());
                let once = theirs.channel().clone();
                (gmp::block_on(once.recv_async()).is_ok(), start.elapsed())
            });
            // Its runtime sleeps meanwhile, or is asked for nothing by the thread that waits here.
            let (all, took) = gmp::blocking(|| thread.join()).unwrap();
            assert!(all && took >= 7 * MS, "{took:?}");
        });
    }
}

/// A goroutine of another runtime waits, also while that of the timer has only one P, which computes.
#[test]
fn a_goroutine_of_another_runtime_waits() {
    run(1, || {
        let start = Instant::now();
        let timer = Arc::new(Timer::new(5 * MS));
        let theirs = Arc::clone(&timer);
        let there = std::thread::spawn(move || {
            run(1, move || {
                theirs.channel().recv().unwrap();
                // From now on it is that runtime's.
                assert!(!theirs.reset(MS));
                theirs.channel().recv().unwrap();
                theirs.reset(HOUR);
                start.elapsed()
            })
        });
        let took = gmp::blocking(|| there.join()).unwrap();
        assert!(took >= 5 * MS, "{took:?}");
        assert!(timer.stop());
        timer.reset(MS);
        timer.channel().recv().unwrap();
    });
}

/// Waits in vain for times that were set by so much: `false` if one was there. On a busy machine it may have come before
/// anybody waits, and then it can be had at once; so what is later and later is tried.
fn in_vain(wait: impl Fn(Duration) -> bool) {
    assert!([50, 1000, 20_000].into_iter().any(|ms| wait(Duration::from_millis(ms))));
}

/// A runtime that has closed tells nobody that it is time. What was due can be had all the same.
#[test]
fn a_timer_of_a_closed_runtime_wakes_nobody() {
    in_vain(|by| {
        let soon = run(1, move || after(by));
        if soon.try_recv().is_ok() || soon.recv_timeout(by + by / 2).is_ok() {
            return false;
        }
        soon.try_recv().unwrap();
        true
    });
    in_vain(|by| {
        let ticker = run(1, move || Ticker::new(by));
        std::thread::sleep(by);
        run(1, move || {
            assert!(ticker.channel().try_recv().is_ok());
            let waited_in_vain =
                ticker.channel().recv_timeout(by + by / 2) == Err(RecvTimeoutError::TimedOut);
            // Whoever sets it anew keeps it.
            ticker.reset(MS);
            ticker.tick();
            ticker.tick();
            waited_in_vain
        })
    });
}

/// Whoever waits is told of a reset to an earlier time, of one to a later one and of a stop.
#[test]
fn who_waits_sees_a_reset() {
    for procs in [1, 2] {
        run(procs, || {
            let timer = Arc::new(Timer::new(HOUR));
            for _ in 0..100 {
                let theirs = Arc::clone(&timer);
                let waiter = gmp::go(move || theirs.channel().recv());
                gmp::yield_now();
                timer.stop();
                timer.reset(HOUR);
                let set = Instant::now();
                timer.reset(Duration::from_micros(100));
                let at = waiter.join().unwrap().unwrap();
                assert!(at >= set);
                assert!(!timer.reset(HOUR));
            }
        });
    }
}

/// All that wait at one ticker are told in their turn, by whatever means they wait.
#[test]
fn many_wait_at_one_ticker() {
    for procs in [1, 2] {
        run(procs, || {
            let ticker = Arc::new(Ticker::new(Duration::from_micros(50)));
            let wait = |by: usize| {
                let ticks: Receiver<Instant> = ticker.channel().clone();
                gmp::go(move || {
                    let mut last = None;
                    for _ in 0..50 {
                        let at = match by % 4 {
                            0 => ticks.recv().unwrap(),
                            1 => gmp::block_on(ticks.recv_async()).unwrap(),
                            2 => loop {
                                if let Ok(at) = ticks.recv_timeout(Duration::from_micros(20)) {
                                    break at;
                                }
                            },
                            _ => gmp::select! {
                                recv(ticks) -> at => at.unwrap(),
                                recv(after(HOUR)) -> _ => panic!("an hour is over"),
                            },
                        };
                        assert!(Some(at) > last, "a tick came twice");
                        last = Some(at);
                    }
                })
            };
            let all: Vec<_> = (0..12).map(wait).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        });
    }
}

/// Resets, stops and receives of one timer at once: each setting ends once, by a value or by who undid it.
#[test]
fn each_setting_ends_once() {
    run(3, || {
        let timer = Arc::new(Timer::new(HOUR));
        let (ended, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let receivers: Vec<_> = (0..2)
            .map(|by| {
                let (timer, ended, over) = (timer.clone(), ended.clone(), over.clone());
                gmp::go(move || {
                    while !over.load(Relaxed) {
                        let came = match by {
                            0 => timer.channel().recv_timeout(MS).is_ok(),
                            _ => timer.channel().try_recv().is_ok(),
                        };
                        ended.fetch_add(usize::from(came), Relaxed);
                        gmp::yield_now();
                    }
                })
            })
            .collect();
        let setters: Vec<_> = (0..2)
            .map(|by| {
                let (timer, ended) = (timer.clone(), ended.clone());
                gmp::go(move || {
                    for round in 0..5000_u64 {
                        let delay = Duration::from_nanos((round * 7919 + by) % 3000);
                        ended.fetch_add(usize::from(timer.reset(delay)), Relaxed);
                        if round % 16 == 0 {
                            gmp::yield_now();
                        }
                    }
                })
            })
            .collect();
        setters.into_iter().for_each(|one| one.join().unwrap());
        over.store(true, Relaxed);
        receivers.into_iter().for_each(|one| one.join().unwrap());
        ended.fetch_add(usize::from(timer.stop()), Relaxed);
        assert_eq!(ended.load(Relaxed), 10_001);
    });
}

struct Count(AtomicUsize);
impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A task that is polled by hand is woken once, and no earlier than it is time.
#[test]
fn a_task_is_woken_in_time() {
    run(1, || {
        let timer = Timer::new(HOUR);
        let woken = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Waker::from(woken.clone());
        let mut context = Context::from_waker(&waker);
        let mut receive = pin!(timer.channel().recv_async());
        assert!(receive.as_mut().poll(&mut context).is_pending());
        gmp::sleep(2 * MS);
        assert_eq!(woken.0.load(Relaxed), 0);
        assert!(timer.reset(MS));
        gmp::sleep(20 * MS);
        assert_eq!(woken.0.load(Relaxed), 1);
        assert!(matches!(receive.as_mut().poll(&mut context), Poll::Ready(Ok(_))));
        assert!(!timer.stop());
    });
}

/// A task that is dropped between its wake and its next poll leaves the time for the next one. It was once lost, and a loop
/// over such a race waited for ever.
#[test]
fn a_time_that_no_task_saw_can_be_had() {
    for procs in [1, 2] {
        run(procs, || {
            let timer = Timer::new(HOUR);
            let woken = Arc::new(Count(AtomicUsize::new(0)));
            let waker = Waker::from(woken.clone());
            let come = || {
                let mut receive = Box::pin(timer.channel().recv_async());
                let before = woken.0.load(Relaxed);
                timer.reset(HOUR);
                assert!(receive.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
                timer.reset(MS);
                while woken.0.load(Relaxed) == before {
                    gmp::sleep(MS);
                }
                receive
            };
            drop(come());
            assert!(timer.channel().try_recv().is_ok());
            assert!(timer.channel().try_recv().is_err());
            // Somebody else waits already.
            let first = come();
            let ticks = timer.channel().clone();
            let waiter = gmp::go(move || ticks.recv().is_ok());
            gmp::sleep(MS);
            drop(first);
            assert!(waiter.join().unwrap());
            // After a stop or a reset nothing old may come.
            drop(come());
            assert!(timer.stop() && timer.channel().try_recv().is_err());
            let receive = come();
            assert!(!timer.stop());
            drop(receive);
            assert!(timer.channel().try_recv().is_err());
            let receive = come();
            assert!(!timer.reset(HOUR));
            drop(receive);
            assert!(timer.channel().try_recv().is_err() && timer.stop());
            // What came before a close can be had after it, as from any channel.
            let receive = come();
            timer.channel().close();
            drop(receive);
            assert!(timer.channel().try_recv().is_ok());
            assert_eq!(timer.channel().try_recv(), Err(TryRecvError::Closed));
        });
    }
}

/// A closed runtime has left a select of its behind, which still lies in the channel's queue. What was due once belonged to
/// it for ever.
#[test]
fn a_select_that_was_left_behind_takes_no_time() {
    in_vain(|by| {
        let soon = run(1, move || {
            let soon = after(by);
            let theirs = soon.clone();
            gmp::go(move || {
                let (_sender, other) = gmp::chan::<()>(0);
                gmp::select! {
                    recv(theirs) -> _ => {},
                    recv(other) -> _ => {},
                }
            });
            gmp::yield_now();
            soon
        });
        // If its runtime took long to close, the select itself has got the time.
        soon.recv_timeout(by * 2).is_err() && soon.try_recv().is_ok()
    });
}

/// What is due when its channel is closed can be had, and nothing after that.
#[test]
fn a_close_leaves_what_is_due() {
    run(1, || {
        let (due, later) = (Ticker::new(MS), Ticker::new(HOUR));
        gmp::sleep(5 * MS);
        assert!(due.channel().close() && later.channel().close());
        assert!(due.channel().recv().is_ok());
        for ticker in [due, later] {
            assert!(ticker.channel().recv().is_err());
            ticker.reset(MS);
            gmp::sleep(2 * MS);
            assert!(ticker.channel().try_recv().is_err());
        }
    });
}

/// Nobody waits for the timer, so nothing will ever happen. Go says so, too, since its 1.23.
#[test]
fn a_timer_that_nobody_waits_for_keeps_no_program_alive() {
    let builder = told::moving(Builder::new()).procs(1);
    let runtime = builder.deadlock(gmp::DeadlockRule::Always).build().unwrap();
    let start = Instant::now();
    let ended = runtime.run(|| {
        let _timer = Timer::new(HOUR);
        gmp::block_forever();
    });
    assert!(matches!(ended, Err(gmp::RunError::Deadlock(_))));
    assert!(start.elapsed() < HOUR);
}
