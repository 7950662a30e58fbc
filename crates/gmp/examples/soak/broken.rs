//! Broken code, and code that takes no care of the scheduler: destructors that panic, exits and panics with locks in
//! hand, leaks, runtimes beside this one, programs that are started, std's own channels and locks. All other goroutines
//! go on.

use crate::account::{ACCOUNT, Ticket};
use crate::options::Mode;
use crate::refusals::spared;
use crate::work::{World, micros};
use fastrand::Rng;
use gmp::sync::{Mutex, Semaphore};
use gmp::{JoinError, RunError};
use std::mem::forget;
use std::os::unix::process::CommandExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A leaked handle keeps its goroutine's record for ever: there are no more of them than this.
const MOST_LEAKED: usize = 64;

pub(crate) fn step(world: &World, rng: &mut Rng) {
    match rng.u32(..12) {
        0..=1 => destructor_panics(rng),
        2..=3 => exits_in_scopes(rng),
        4..=5 => ends_holding(rng),
        6 => leaks(rng),
        7..=8 if world.may_block => waits_for_std(rng),
        // The goroutine that holds the lock may be pinned to the thread of one that waits for it.
        9 if world.may_block && world.mode != Mode::Pinned => holds_a_lock_of_std(rng),
        10 if rng.u32(..20) == 0 => runtime_beside(rng),
        11 if rng.u32(..20) == 0 => program(rng),
        _ => gmp::yield_now(),
    }
}

/// A destructor that panics although nobody unwinds.
struct Breaks;

const BROKEN: &str = "a destructor";

impl Drop for Breaks {
    fn drop(&mut self) {
        resume_unwind(Box::new(BROKEN));
    }
}

/// On the stack beside a guard, in a value on its way, in a goroutine's closure.
fn destructor_panics(rng: &mut Rng) {
    let lock = Mutex::new(0);
    let way = rng.u32(..3);
    let caught = catch_unwind(AssertUnwindSafe(|| match way {
        0 => {
            let _guard = lock.lock();
            drop(Breaks);
        }
        1 => {
            let (to, from) = gmp::chan(1);
            let _ = to.send(Breaks);
            let _breaks = from.recv();
        }
        _ if ACCOUNT.may_panic() => {
            let (ticket, breaks) = (Ticket::new(), Breaks);
            match gmp::go(move || drop((ticket, breaks))).join() {
                Err(JoinError::Panicked(payload)) => {
                    ACCOUNT.panics.fetch_add(1, Relaxed);
                    resume_unwind(payload.into_inner())
                }
                other => {
                    ACCOUNT.complain(format!("a closure whose destructor panics came back as {other:?}"))
                }
            }
        }
        _ => drop(Breaks),
    }));
    if caught.is_ok_and(|()| true) || lock.try_lock().is_none() {
        ACCOUNT.complain(format!("a destructor's panic was lost, or the lock beside it, in way {way}"));
    }
}

/// It passes all scopes, each when its children have ended.
fn exits_in_scopes(rng: &mut Rng) {
    let (ended, pause) = (Arc::new(AtomicUsize::new(0)), micros(rng, 200));
    let tickets = [(); 4].map(|()| Ticket::new());
    let counts = Arc::clone(&ended);
    let exits = gmp::go(move || {
        let [own, one, two, three] = tickets;
        let (_own, ended) = (own, &*counts);
        let count = |_ticket: Ticket| _ = ended.fetch_add(1, Relaxed);
        gmp::scope(|outer| {
            outer.go(|| {
                gmp::sleep(pause);
                count(one);
            });
            gmp::scope(|middle| {
                middle.go(|| count(two));
                gmp::scope(|inner| {
                    inner.go(|| {
                        gmp::yield_now();
                        count(three);
                        gmp::exit();
                    });
                    gmp::exit();
                });
            });
        });
    });
    let end = exits.join();
    let ended = ended.load(Relaxed);
    if !matches!(end, Err(JoinError::Exited)) || ended != 3 {
        ACCOUNT.complain(format!("an exit inside scopes came back as {end:?}, with {ended} of 3 children"));
    }
}

/// A goroutine ends in the middle, with a lock, a permit and one end of a channel, while another waits for them.
fn ends_holding(rng: &mut Rng) {
    let (lock, permits) = (Arc::new(Mutex::new(0)), Arc::new(Semaphore::new(1)));
    let (to, from) = gmp::chan(1);
    let (own, others, panics) = (Ticket::new(), Ticket::new(), rng.bool());
    let waits = {
        let (lock, permits) = (lock.clone(), permits.clone());
        gmp::go(move || {
            let _others = others;
            let _permit = permits.acquire();
            *lock.lock()
        })
    };
    let broken = {
        let (lock, permits) = (lock.clone(), permits.clone());
        gmp::go(move || {
            let _own = own;
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _permit = permits.acquire();
                let mut value = lock.lock();
                *value = 1;
                to.send(7).unwrap();
                gmp::yield_now();
                let _to = to;
                if panics {
                    resume_unwind(Box::new(7));
                }
                gmp::exit();
            }));
            // A goroutine that exits does not come here, unless the `catch_unwind` stops the exit.
            caught.is_err()
        })
    };
    let (broke, value, seen) = (broken.join(), waits.join(), *lock.lock());
    let sent: Vec<_> = from.into_iter().collect();
    if !matches!(broke, Ok(true)) || !matches!(value, Ok(0 | 1)) || seen != 1 || sent != [7] {
        ACCOUNT.complain(format!(
            "what a broken goroutine held was lost: {broke:?}, {value:?}, {seen}, {sent:?}"
        ));
    }
}

/// Handles, scoped handles, guards.
fn leaks(rng: &mut Rng) {
    static LEAKED: AtomicUsize = AtomicUsize::new(0);
    let may_leak = LEAKED.fetch_add(1, Relaxed) < MOST_LEAKED;
    if may_leak {
        let ticket = Ticket::new();
        forget(gmp::go(move || drop(ticket)));
    }
    let ran = AtomicUsize::new(0);
    gmp::scope(|s| {
        for _ in 0..3 {
            let ticket = Ticket::new();
            let child = s.go(|| {
                let _ticket = ticket;
                ran.fetch_add(1, Relaxed)
            });
            if may_leak {
                forget(child);
            }
        }
    });
    let (lock, ticket) = (Arc::new(Mutex::new(0)), Ticket::new());
    let (leaked, pause) = (lock.clone(), micros(rng, 100));
    let leaks = gmp::go(move || {
        forget(leaked.lock());
        drop(ticket);
    });
    let left = leaks.join().is_ok() && lock.try_lock().is_none() && lock.lock_timeout(pause).is_none();
    if !left || ran.load(Relaxed) != 3 {
        ACCOUNT.complain(String::from("a leaked guard came free, or a leaked child did not run"));
    }
}

/// Blocks the thread for what another goroutine sends. That one does not suspend: where goroutines are pinned, it could
/// be pinned to a thread that waits for somebody in the same way.
fn waits_for_std(rng: &mut Rng) {
    let ((to, from), ticket) = (mpsc::channel(), Ticket::new());
    let (word, pause) = (rng.u64(..), rng.bool().then(|| micros(rng, 300)));
    let sends = gmp::go(move || {
        let _ticket = ticket;
        if let Some(pause) = pause {
            std::thread::sleep(pause);
        }
        to.send(word).is_ok()
    });
    if from.recv() != Ok(word) || !matches!(sends.join(), Ok(true)) {
        ACCOUNT.complain(String::from("a message through a channel of std's was lost"));
    }
}

/// A lock of std's, held over suspensions, blocks the threads of all who want it.
fn holds_a_lock_of_std(rng: &mut Rng) {
    let (lock, pause) = (Arc::new(std::sync::Mutex::new(0)), micros(rng, 100));
    let all = [(); 3].map(|()| {
        let (lock, ticket) = (lock.clone(), Ticket::new());
        gmp::go(move || {
            let _ticket = ticket;
            let mut value = lock.lock().unwrap();
            let before = *value;
            gmp::sleep(pause);
            *value = before + 1;
        })
    });
    all.into_iter().for_each(|one| _ = one.join());
    if !matches!(lock.lock().as_deref(), Ok(3)) {
        ACCOUNT.complain(String::from("two held one lock of std's"));
    }
}

/// A runtime on a thread of its own. It may be refused its first thread, or stacks.
fn runtime_beside(rng: &mut Rng) {
    let procs = rng.usize(1..3);
    let inner = move || {
        // SAFETY: no goroutine of it holds anything of a thread-local.
        let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.procs(procs).build();
        runtime.map(|runtime| runtime.run(|| gmp::go(|| 7).join()))
    };
    let thread = spared(|| std::thread::spawn(inner));
    match gmp::blocking(|| thread.join()) {
        Ok(Ok(Ok(finished))) if matches!(finished.value, Ok(7) | Err(JoinError::OutOfStacks)) => {}
        Ok(Ok(Err(RunError::Os(_)))) => _ = ACCOUNT.refused_runs.fetch_add(1, Relaxed),
        Ok(Err(gmp::BuildError::Refused(_))) => {}
        other => ACCOUNT.complain(format!("a runtime beside this one came to {other:?}")),
    }
}

/// A program, started by std, now and then through a `fork` that copies all of this process. There may be no descriptor
/// for it.
fn program(rng: &mut Rng) {
    let (forks, ticket) = (rng.bool(), Ticket::new());
    let runs = gmp::spawn().stack_size(256 << 10).go(move || {
        let _ticket = ticket;
        let mut command = Command::new("true");
        command.stdin(Stdio::null());
        if forks {
            // SAFETY: it does nothing that a child of a fork may not do.
            unsafe { command.pre_exec(|| Ok(())) };
        }
        command.status().map(|status| status.success())
    });
    let ended = runs.ok().map(gmp::JoinHandle::join);
    if !matches!(ended, Some(Ok(Ok(true) | Err(_)))) {
        ACCOUNT.complain(format!("a program that ends at once came to {ended:?}"));
    }
    gmp::sleep(Duration::ZERO);
}
