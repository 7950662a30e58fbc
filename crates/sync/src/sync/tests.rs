//! Go's tests of the semaphore, and histories of locks and semaphores against models.
//!
//! `sema_handoff*` are ported from sema_test.go of Go 1.27; see LICENSE-THIRD-PARTY.

use super::rw_lock::RawRwLock;
use super::sema::{Grant, Sema};
use super::{RwLock, Semaphore};
use crate::wait::{Caller, WaitMode};
use gmp_core::WaitReason;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
    let builder = unsafe { gmp::Builder::new().share_thread_locals() };
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

/// Releases with hand-off, and yields to the new owner as Go does.
fn hand_over(sema: &Sema) {
    if sema.release(|| Some(Grant::Ticket), || ()) {
        super::mutex::yield_to_new_owner();
    }
}

/// Whether one that waits for the semaphore runs before the one that hands it over goes on. The Ps are kept busy, so
/// that no idle one comes to the waiter's help.
fn sema_handoff(procs: usize) -> bool {
    let (sema, first, done) =
        (Arc::new(Sema::new()), Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let mut all: Vec<_> = (0..procs)
        .map(|_| {
            let done = done.clone();
            gmp::go(move || {
                while !done.load(SeqCst) {
                    gmp::yield_now();
                }
            })
        })
        .collect();
    let shared = (sema.clone(), first.clone(), done);
    all.push(gmp::go(move || {
        let (sema, first, done) = shared;
        sema.acquire(&Caller::enter("sema"), false, WaitMode::new(WaitReason::Semaphore, None), || true)
            .unwrap();
        let _ = first.compare_exchange(0, 1, SeqCst, SeqCst);
        hand_over(&sema);
        done.store(true, SeqCst);
    }));
    while sema.is_idle() {
        gmp::yield_now();
    }
    hand_over(&sema);
    let _ = first.compare_exchange(0, 2, SeqCst, SeqCst);
    all.into_iter().for_each(|one| one.join().unwrap());
    first.load(SeqCst) == 1
}

/// With one P nothing but the order of queues decides: each hand-over is direct.
#[test]
fn test_sema_handoff_1() {
    assert_eq!(run(1, || (0..2000).filter(|_| sema_handoff(1)).count()), 2000);
}

#[test]
fn test_sema_handoff_2() {
    let direct = run(2, || (0..2000).filter(|_| sema_handoff(2)).count());
    assert!(direct >= 2000 * 2 / 3, "{direct} of 2000 hand-overs were direct");
}

#[test]
fn a_raw_lock_is_idle_after_use() {
    let lock = RawRwLock::new();
    assert!(lock.is_idle());
    assert!(lock.read(None));
    assert!(!lock.is_idle());
    assert!(!lock.write(Some(std::time::Instant::now())));
    // SAFETY: held since `read`.
    unsafe { lock.end_read() };
    assert!(lock.is_idle());
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    /// One thread reads, writes, gives up and lets go in any order: what it gets is what a model of the lock allows.
    #[test]
    fn rw_lock_histories(steps in proptest::collection::vec((0_u8..6, 0_usize..8), 0..60)) {
        let (lock, mut readers, mut writer) = (RwLock::new(()), Vec::new(), None);
        for (step, i) in steps {
            let (reads, writes) = (readers.len(), writer.is_some());
            match step {
                0 | 1 => {
                    let got = if step == 0 { lock.try_read() } else { lock.read_timeout(Duration::ZERO) };
                    proptest::prop_assert_eq!(got.is_some(), !writes);
                    readers.extend(got);
                }
                2 | 3 => {
                    let got = if step == 2 { lock.try_write() } else { lock.write_timeout(Duration::ZERO) };
                    proptest::prop_assert_eq!(got.is_some(), !writes && reads == 0);
                    writer = got.or(writer);
                }
                4 if reads != 0 => drop(readers.swap_remove(i % reads)),
                _ => writer = None,
            }
        }
    }

    /// Goroutines ask for permits, and some give them back: at each moment the permits are held by those to whom a
    /// queue in the order of asking gives them.
    #[test]
    fn semaphore_histories(steps in proptest::collection::vec((0_u8..2, 0_usize..5), 0..40)) {
        let (seen, expected) = run(1, move || semaphore_history(&steps));
        proptest::prop_assert_eq!(seen, expected);
    }
}

type Moments = Vec<BTreeSet<usize>>;

/// The holders of permits after each step: the real ones, and those by the model.
fn semaphore_history(steps: &[(u8, usize)]) -> (Moments, Moments) {
    const PERMITS: usize = 4;
    let semaphore = Arc::new(Semaphore::new(PERMITS));
    let holders = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let mut asked: Vec<(usize, Option<gmp::Sender<()>>)> = Vec::new();
    let (mut free, mut waits, mut holds) = (PERMITS, VecDeque::<usize>::new(), BTreeSet::<usize>::new());
    let (mut seen, mut expected) = (Vec::new(), Vec::new());
    for &(step, n) in steps {
        if step == 0 {
            let (me, n) = (asked.len(), n.min(PERMITS));
            let (semaphore, holders) = (semaphore.clone(), holders.clone());
            let (give_back, may_give_back) = gmp::chan::<()>(0);
            gmp::go(move || {
                let permits = semaphore.acquire_many(n);
                holders.lock().unwrap().insert(me);
                // Ends when the other side is dropped.
                assert!(may_give_back.recv().is_err());
                holders.lock().unwrap().remove(&me);
                drop(permits);
            });
            asked.push((n, Some(give_back)));
            waits.push_back(me);
        } else if let Some(&who) = holds.iter().nth(n) {
            asked[who].1 = None;
            holds.remove(&who);
            free += asked[who].0;
        }
        while let Some(&next) = waits.front()
            && asked[next].0 <= free
        {
            free -= asked[next].0;
            holds.insert(next);
            waits.pop_front();
        }
        // More than enough for whoever was readied to run.
        (0..asked.len() + 2).for_each(|_| gmp::yield_now());
        seen.push(holders.lock().unwrap().clone());
        expected.push(holds.clone());
    }
    (seen, expected)
}
