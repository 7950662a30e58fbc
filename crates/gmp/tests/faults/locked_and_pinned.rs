//! Once, a goroutine pinned to a thread that another one had locked was taken for one that the policy had lost. The kind:
//! whatever is runnable and in no queue, and every rule of locked and pinned goroutines together: each line of the table
//! in `docs/scheduler.md` has a child here.

use crate::harness::{child, named};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread::ThreadId;
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_pinned_one_waits_for_a_locked_thread,
        who_waits_for_a_locked_thread_is_reported,
        a_leaked_lock_ends_the_thread,
        a_caught_panic_leaves_the_thread,
    ],
    named![
        waits_for_the_unlock,
        locks_its_own_thread,
        started_by_a_locked_one,
        locked_for_good,
        locked_for_good_in_mode_pinned,
        unwinds_for_good,
        leaked_lock,
        leaked_lock_beside_pinned,
        caught_panics,
    ],
);

fn builder() -> gmp::Builder<gmp::policy::Go> {
    crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).procs(1)
}

pub(crate) fn pinned() -> gmp::Builder<gmp::policy::Go> {
    // SAFETY: no test here holds a borrow of a thread-local across a suspension.
    unsafe { gmp::Builder::new().policy::<gmp::policy::Go>().pinned() }.procs(1)
}

fn thread() -> ThreadId {
    std::thread::current().id()
}

/// With one P and one M beside m0, both are on the same thread.
fn waits_for_the_unlock() {
    let same = builder().build().unwrap().run(|| {
        gmp::yield_now();
        let (wake, woken) = gmp::chan::<()>(1);
        let pinned = gmp::go_pinned(move || {
            let before = thread();
            woken.recv().unwrap();
            before == thread()
        });
        gmp::sleep(Duration::from_millis(1));
        let locked = gmp::go(move || {
            let lock = gmp::lock_os_thread();
            wake.send(()).unwrap();
            // The other one is runnable now, and would run here if this thread were not locked.
            gmp::sleep(Duration::from_millis(2));
            drop(lock);
        });
        locked.join().unwrap();
        pinned.join().unwrap()
    });
    println!("{}", same.unwrap().value);
}

/// A pinned goroutine that has locked its thread goes on there, locked and unlocked, and so do its neighbours.
fn locks_its_own_thread() {
    let all = pinned().build().unwrap().run(|| {
        let all: Vec<_> = (0..6)
            .map(|i| {
                gmp::go(move || {
                    let home = thread();
                    for _ in 0..20 {
                        let lock = (i % 2 == 0).then(gmp::lock_os_thread);
                        gmp::yield_now();
                        gmp::blocking(|| ());
                        drop(lock);
                        gmp::yield_now();
                    }
                    home == thread()
                })
            })
            .collect();
        all.into_iter().all(|one| one.join().unwrap())
    });
    println!("{}", all.unwrap().value);
}

/// A locked thread starts nobody but its own goroutine.
fn started_by_a_locked_one() {
    let apart = builder().build().unwrap().run(|| {
        let _lock = gmp::lock_os_thread();
        let mine = thread();
        (0..3).all(|_| gmp::go_pinned(thread).join().unwrap() != mine)
    });
    println!("{}", apart.unwrap().value);
}

fn a_pinned_one_waits_for_a_locked_thread() {
    for name in ["waits_for_the_unlock", "locks_its_own_thread", "started_by_a_locked_one"] {
        child(name).run().code(0).prints("true\n");
    }
}

fn reported(result: Result<gmp::Finished<()>, gmp::RunError>) {
    println!("{}", result.unwrap_err());
}

/// A pinned goroutine and a locked one, each of which waits for the other. Two Ps: with one, which thread the pinned one
/// starts on is left to chance.
fn locked_for_good() {
    reported(builder().build().unwrap().run(|| {
        let (go, told) = gmp::chan::<()>(0);
        let (answer, answered) = gmp::chan::<()>(0);
        gmp::yield_now();
        let locked = gmp::go(move || {
            // It starts on this thread, and is pinned to it.
            gmp::go_pinned(move || {
                told.recv().unwrap_err();
                drop(answer);
            });
            gmp::yield_now();
            let _lock = gmp::lock_os_thread();
            drop(go);
            answered.recv().unwrap_err();
        });
        locked.join().unwrap();
    }));
}

fn locked_for_good_in_mode_pinned() {
    reported(pinned().build().unwrap().run(|| {
        let (answer, answered) = gmp::chan::<()>(0);
        gmp::go(move || {
            let _lock = gmp::lock_os_thread();
            answered.recv().unwrap_err();
        });
        gmp::sleep(Duration::from_millis(5));
        drop(answer);
    }));
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// A goroutine waits in a destructor while it unwinds, for main, which is pinned to the same thread.
fn unwinds_for_good() {
    reported(pinned().build().unwrap().run(|| {
        let (answer, answered) = gmp::chan::<()>(0);
        gmp::go(move || {
            let _waits = OnDrop(|| answered.recv().unwrap_err().to_string().clear());
            resume_unwind(Box::new(()));
        });
        gmp::sleep(Duration::from_millis(5));
        drop(answer);
    }));
}

fn who_waits_for_a_locked_thread_is_reported() {
    for name in ["locked_for_good", "locked_for_good_in_mode_pinned", "unwinds_for_good"] {
        let done = child(name).run();
        done.code(0).check(done.stdout.contains("all goroutines are asleep"), "reports a deadlock");
        done.check(done.stdout.contains("[pinned to a locked thread"), "says who waits for a thread");
    }
}

fn is_alive(thread: nix::unistd::Pid) -> bool {
    std::path::Path::new(&format!("/proc/self/task/{thread}")).exists()
}

fn leaked_lock() {
    builder()
        .build()
        .unwrap()
        .run(|| {
            gmp::yield_now();
            let ended = gmp::go(|| {
                std::mem::forget(gmp::lock_os_thread());
                nix::unistd::gettid()
            });
            let ended = ended.join().unwrap();
            while is_alive(ended) {
                gmp::sleep(Duration::from_millis(1));
            }
        })
        .unwrap();
    println!("true");
}

/// A thread to which others are pinned ends with the last of them.
fn leaked_lock_beside_pinned() {
    builder()
        .build()
        .unwrap()
        .run(|| {
            gmp::yield_now();
            let (release, wait) = gmp::chan::<()>(0);
            let starter = gmp::go(move || {
                let pinned = gmp::go_pinned(move || {
                    wait.recv().unwrap_err();
                    nix::unistd::gettid()
                });
                gmp::yield_now();
                std::mem::forget(gmp::lock_os_thread());
                (pinned, nix::unistd::gettid())
            });
            let (pinned, locked) = starter.join().unwrap();
            gmp::sleep(Duration::from_millis(1));
            drop(release);
            let home = pinned.join().unwrap();
            while home == locked && is_alive(home) {
                gmp::sleep(Duration::from_millis(1));
            }
        })
        .unwrap();
    println!("true");
}

fn a_leaked_lock_ends_the_thread() {
    child("leaked_lock").run().code(0).prints("true\n");
    child("leaked_lock_beside_pinned").run().code(0).prints("true\n");
}

/// Goroutines that suspend while they unwind have their thread to themselves until the panic is caught, and no longer.
fn caught_panics() {
    let alive = builder().build().unwrap().run(|| {
        gmp::yield_now();
        let mut homes = Vec::new();
        for catches in [true, false, true, false] {
            let crash = move || {
                let _yields = OnDrop(gmp::yield_now);
                resume_unwind(Box::new(nix::unistd::gettid()));
            };
            let crashed = gmp::go(move || {
                if catches {
                    catch_unwind(AssertUnwindSafe(crash)).map_err(resume_unwind).err()
                } else {
                    Some(crash())
                };
            });
            let Err(gmp::JoinError::Panicked(payload)) = crashed.join() else { unreachable!() };
            homes.push(*payload.into_inner().downcast::<nix::unistd::Pid>().unwrap());
        }
        homes.into_iter().all(is_alive)
    });
    println!("{}", alive.unwrap().value);
}

fn a_caught_panic_leaves_the_thread() {
    child("caught_panics").run().code(0).prints("true\n");
}
