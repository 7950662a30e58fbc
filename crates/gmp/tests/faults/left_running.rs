//! `run` waited for ever for goroutines that block again and again, since some were always runnable, and for one whose
//! scope's goroutine never waits. Those that it left behind went on, since nobody ended their slices any more. One that
//! blocks in a destructor was not waited for. One that came back while the rest was counted was taken for one that a policy
//! keeps, and ended twice. The kind: what goes on without a wait while a runtime closes.

use crate::harness::{child, named};
use gmp::contract::queue::List;
use gmp::contract::{Policy, Rules, SharedQueue, Token};
use gmp::policy::Go;
use gmp::{AtMainReturn, Builder, JoinError, go};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        run_returns_beside_what_never_waits,
        what_is_left_behind_runs_no_more,
        a_destructor_that_blocks_is_waited_for,
        what_comes_back_meanwhile_ends_once,
    ],
    named![
        polite_left,
        spawner_left,
        blockers_left,
        scope_left,
        blocked_scope_left,
        left_behind,
        blocks_in_destructor,
        come_back,
    ],
);

const MS: Duration = Duration::from_millis(1);

fn builder(procs: usize, at_return: AtMainReturn) -> Builder<gmp::policy::Go> {
    crate::told::moving(Builder::new().policy::<gmp::policy::Go>()).procs(procs).at_main_return(at_return)
}

/// Main leaves what `start` has started, and one that sleeps and has something to unwind.
fn unwinds_beside(procs: usize, start: impl FnOnce() + Send + 'static) {
    static UNWOUND: AtomicUsize = AtomicUsize::new(0);
    struct Unwound;
    impl Drop for Unwound {
        fn drop(&mut self) {
            UNWOUND.fetch_add(1, SeqCst);
        }
    }
    let finished = builder(procs, AtMainReturn::Unwind).build().unwrap().run(move || {
        go(|| {
            let _unwound = Unwound;
            gmp::park();
        });
        gmp::yield_now();
        start();
    });
    finished.unwrap();
    println!("{}", UNWOUND.load(SeqCst));
}

/// They give way, to each other.
fn polite_left() {
    unwinds_beside(1, || {
        (0..3).for_each(|_| {
            go(|| {
                let mutex = gmp::sync::Mutex::new(0);
                loop {
                    *mutex.lock() += 1;
                }
            });
        });
        gmp::sleep(50 * MS);
    });
}

/// There is always one that has not started yet.
fn spawner_left() {
    unwinds_beside(2, || {
        go(|| {
            loop {
                drop(go(|| ()));
            }
        });
        gmp::sleep(50 * MS);
    });
}

/// There is always one that has come back and has no P.
fn blockers_left() {
    unwinds_beside(1, || {
        (0..30).for_each(|_| {
            go(|| {
                loop {
                    gmp::blocking(|| std::thread::sleep(MS));
                }
            });
        });
        gmp::sleep(50 * MS);
    });
}

/// The goroutine at the end of the scope waits for one that never waits.
fn scope_left() {
    unwinds_beside(1, || {
        go(|| {
            gmp::scope(|s| {
                s.go(|| {
                    loop {
                        gmp::yield_now();
                    }
                });
            });
        });
        gmp::sleep(50 * MS);
    });
}

/// The goroutine at the end of the scope waits for one that is in the kernel.
fn blocked_scope_left() {
    unwinds_beside(1, || {
        go(|| {
            gmp::scope(|s| {
                s.go(|| {
                    gmp::blocking(|| {
                        loop {
                            std::thread::sleep(1000 * MS);
                        }
                    })
                });
            });
        });
        gmp::sleep(50 * MS);
    });
}

fn run_returns_beside_what_never_waits() {
    for name in ["polite_left", "spawner_left", "blockers_left", "scope_left", "blocked_scope_left"] {
        child(name).run().code(0).prints("1\n");
    }
}

/// Both Ps are kept by loops of calls that need not wait.
fn left_behind() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let finished = builder(2, AtMainReturn::Leak).build().unwrap().run(|| {
        (0..2).for_each(|_| {
            go(|| {
                let (send, receive) = gmp::chan(1);
                loop {
                    send.send(COUNT.fetch_add(1, SeqCst)).unwrap();
                    receive.recv().unwrap();
                }
            });
        });
        gmp::sleep(20 * MS);
    });
    finished.unwrap();
    loop {
        let before = COUNT.load(SeqCst);
        std::thread::sleep(20 * MS);
        if COUNT.load(SeqCst) == before {
            return;
        }
    }
}

fn what_is_left_behind_runs_no_more() {
    child("left_behind").run().code(0);
}

/// Its P is taken while it is in its destructor.
fn blocks_in_destructor() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    struct Blocks;
    impl Drop for Blocks {
        fn drop(&mut self) {
            gmp::blocking(|| std::thread::sleep(30 * MS));
            DROPPED.fetch_add(1, SeqCst);
        }
    }
    let finished = builder(1, AtMainReturn::Unwind).build().unwrap().run(|| {
        go(|| {
            let _blocks = Blocks;
            gmp::park();
        });
        gmp::yield_now();
    });
    println!("{} {}", finished.unwrap().left.is_clean(), DROPPED.load(SeqCst));
}

fn a_destructor_that_blocks_is_waited_for() {
    child("blocks_in_destructor").run().code(0).prints("true 1\n");
}

/// A shared queue that takes its time, so that a goroutine is runnable for a while before it is found anywhere.
#[derive(Default)]
struct Slow<Q>(Q);

impl<T: Token, Q: SharedQueue<T>> SharedQueue<T> for Slow<Q> {
    fn push(&self, token: T) {
        std::thread::sleep(MS);
        self.0.push(token);
    }
    fn push_batch(&self, batch: List<T>) {
        self.0.push_batch(batch);
    }
    fn push_front(&self, batch: List<T>) {
        self.0.push_front(batch);
    }
    fn pop(&self) -> Option<T> {
        self.0.pop()
    }
    fn pop_batch(&self, procs: usize, most: usize) -> List<T> {
        self.0.pop_batch(procs, most)
    }
    fn len(&self) -> usize {
        self.0.len()
    }
}

struct Slowly;

impl Policy for Slowly {
    const NAME: &'static str = "slowly";
    const RULES: Rules = Rules::GO;
    type Queue<T: Token> = <Go as Policy>::Queue<T>;
    type Shared<T: Token> = Slow<<Go as Policy>::Shared<T>>;
    type Idle = <Go as Policy>::Idle;
    type Order = <Go as Policy>::Order;
}

/// They come back at any moment of the closing. Free records without number, which lie before theirs, make each look at all
/// records long.
fn come_back() {
    builder(1, AtMainReturn::Leak)
        .build()
        .unwrap()
        .run(|| (0..50_000).for_each(|_| drop(go(|| ()))))
        .unwrap();
    for round in 0..100 {
        let builder = Builder::new().policy::<Slowly>().procs(1).at_main_return(AtMainReturn::Leak);
        let runtime = builder.build().unwrap();
        let comes_back = move || {
            gmp::blocking(|| std::thread::sleep(2 * MS + MS / 10 * round));
            gmp::yield_now();
        };
        let goroutine = runtime.handle().go(comes_back).unwrap();
        runtime.run(|| gmp::sleep(3 * MS)).unwrap();
        let end = goroutine.join();
        assert!(matches!(end, Ok(()) | Err(JoinError::Abandoned)), "{end:?}");
    }
    println!("done");
}

fn what_comes_back_meanwhile_ends_once() {
    child("come_back").run().code(0).prints("done\n");
}
