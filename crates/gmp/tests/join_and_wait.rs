//! Programs that deadlock or overflow their stacks where a thread that waits in a `join` takes up foreign work on the stack
//! on which it waits, as rayon's issues 592 and 854 have them: with locks of std, and with a borrow of a thread-local.
//! `join_both.rs` has the one with a lock of gmp's.

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

mod modes;
mod told;

fn me() -> u64 {
    gmp::current().unwrap().number
}

/// Notes which goroutines are in a piece of work, and that none begins another one meanwhile.
#[derive(Default)]
struct Busy(std::sync::Mutex<HashSet<u64>>);

impl Busy {
    fn during<R>(&self, work: impl FnOnce() -> R) -> R {
        let me = me();
        assert!(self.0.lock().unwrap().insert(me), "foreign work on the stack of one that waits");
        let result = work();
        self.0.lock().unwrap().remove(&me);
        result
    }
}

/// Halves the range until its pieces are small, as a parallel iterator does.
fn for_each(range: Range<u64>, call: &(impl Fn(u64) + Sync)) {
    if range.end - range.start <= 8 {
        return range.for_each(call);
    }
    let middle = range.start.midpoint(range.end);
    gmp::join(|| for_each(range.start..middle, call), || for_each(middle..range.end, call));
}

fn blocks_that_join_inside() {
    let (busy, sum) = (Busy::default(), AtomicU64::new(0));
    gmp::scope(|s| {
        for block in 0..400 {
            let (busy, sum) = (&busy, &sum);
            s.go(move || {
                busy.during(|| {
                    for_each(0..block, &|at| {
                        if at % 64 == 63 {
                            gmp::yield_now();
                        }
                        sum.fetch_add(at, SeqCst);
                    });
                });
            });
        }
    });
    assert_eq!(sum.into_inner(), (0..400).flat_map(|block| 0..block).sum::<u64>());
}

/// rayon#854: a scope spawns thousands of blocks, each of which is divided by joins. A thread of rayon's that waits for
/// half a block takes up another block on the same stack, and in that one waits again, until the stack is used up. Here
/// whoever waits takes up nothing.
#[test]
fn blocks_that_are_divided_by_joins_do_not_pile_up_on_one_stack() {
    modes::everywhere(1, blocks_that_join_inside);
    modes::everywhere(2, blocks_that_join_inside);
}

fn std_locks_across_joins() {
    let (busy, done, sums) = (Busy::default(), std::sync::Mutex::new(0), std::sync::RwLock::new(0));
    gmp::scope(|s| {
        for _ in 0..12 {
            s.go(|| {
                busy.during(|| {
                    let mut done = done.lock().unwrap();
                    let calls = AtomicU64::new(0);
                    for_each(0..64, &|at| {
                        if at % 16 == 0 {
                            gmp::yield_now();
                        }
                        calls.fetch_add(1, SeqCst);
                    });
                    *done += calls.into_inner();
                });
            });
            s.go(|| {
                let mut sums = sums.write().unwrap();
                let (a, b) = gmp::join(
                    || (0..4).inspect(|_| gmp::yield_now()).sum::<u64>(),
                    || (4..8).inspect(|_| gmp::yield_now()).sum::<u64>(),
                );
                *sums += a + b;
            });
            s.go(|| {
                let sums = sums.read().unwrap();
                let ((), half) = gmp::join(gmp::yield_now, || *sums / 2);
                assert_eq!(half % 14, 0);
            });
        }
    });
    assert_eq!((done.into_inner().unwrap(), sums.into_inner().unwrap()), (12 * 64, 12 * 28));
}

/// rayon#592 with std's locks, which block the thread of whoever waits for them: the holder goes on on another one. (Not
/// where goroutines are threads: a P is not taken there.)
#[test]
fn a_lock_of_std_held_across_join_is_no_deadlock() {
    modes::moving(1, std_locks_across_joins);
    modes::moving(2, std_locks_across_joins);
}

/// rayon#592 with a `RefCell` in a thread-local, borrowed across a join. Only where a goroutine has thread-locals of its
/// own: where it shares its thread's, others that run on that thread find the borrow.
#[test]
fn a_borrow_of_a_thread_local_outlasts_a_join() {
    thread_local! {
        static BORROWED: RefCell<u64> = const { RefCell::new(0) };
    }
    for procs in [1, 2] {
        let runtime = gmp::Builder::new().own_thread_locals().procs(procs).build().unwrap();
        let total = runtime.run(|| {
            gmp::scope(|s| {
                let borrowers: Vec<_> = (0..40)
                    .map(|_| {
                        s.go(|| {
                            BORROWED.with_borrow_mut(|mine| {
                                let (a, b) = gmp::join(
                                    || (0..20).inspect(|_| gmp::yield_now()).sum::<u64>(),
                                    || (20..40).inspect(|_| gmp::yield_now()).sum::<u64>(),
                                );
                                *mine += a + b;
                                *mine
                            })
                        })
                    })
                    .collect();
                borrowers.into_iter().map(|borrower| borrower.join().unwrap()).sum::<u64>()
            })
        });
        assert_eq!(total.unwrap().value, 40 * 780);
    }
}
