//! loom models of the note, on the real type over loom's threads.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! Modelled: a wake before, during and after the owner's sleep, twice over, and a sleep with a deadline; a sleep in the
//! poller, ended by a wake or by the poller itself. Threads: two. Preemptions: unbounded. Time: under a second.
//!
//! Caught when broken: the unpark before the store; a waker that always unparks; an owner that enters the poller without
//! looking. Not seen: the store without its Release, since loom's unpark hands
//! everything over and follows the store with no switch between them; std's makes no such promise.

use super::loom_poller::Interruptible;
use super::note::Note;
use crate::contract::{Poller, ReadyList};
use crate::ground::sync::{Arc, SpinLock, UnsafeCell};
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// What a waker leaves for the sleeper: the next P.
struct Bed {
    note: Note,
    gift: UnsafeCell<u32>,
    asleep: SpinLock<bool>,
    /// How often the waker has given, once it is through. Not a join: loom's takes an unpark that is left over for its own
    /// wake. Nor a look with a yield: loom runs whoever has yielded only when the others have got on.
    through: Mutex<u32>,
    is_through: Condvar,
}

impl Bed {
    fn new() -> Arc<Self> {
        let bed = Self {
            note: Note::new(),
            gift: UnsafeCell::new(0),
            asleep: SpinLock::new(true),
            through: Mutex::new(0),
            is_through: Condvar::new(),
        };
        bed.note.adopt();
        Arc::new(bed)
    }

    fn give(&self) {
        // SAFETY: the waker's until the wake, the sleeper's after it, as the model is to prove.
        self.gift.with_mut(|gift| unsafe { *gift += 1 });
        self.note.wake();
    }

    /// The waker is through, and has given so often.
    fn say_through(&self, given: u32) {
        *self.through.lock().unwrap() = given;
        self.is_through.notify_all();
    }

    fn wait_for_waker(&self) -> u32 {
        let mut through = self.through.lock().unwrap();
        while *through == 0 {
            through = self.is_through.wait(through).unwrap();
        }
        *through
    }

    fn take(&self) -> u32 {
        // SAFETY: as above.
        self.gift.with_mut(|gift| unsafe { *gift })
    }
}

#[test]
fn a_wake_is_neither_lost_nor_early() {
    loom::model(|| {
        let bed = Bed::new();
        {
            let bed = bed.clone();
            thread::spawn(move || {
                bed.give();
                bed.say_through(1);
            });
        }
        bed.note.sleep();
        assert_eq!(bed.take(), 1);
    });
}

/// The second wake comes only when the sleeper is listed again, as with the idle list under the scheduler's lock.
#[test]
fn a_note_is_used_again() {
    loom::model(|| {
        let bed = Bed::new();
        {
            let bed = bed.clone();
            thread::spawn(move || {
                let mut given = 0;
                for _ in 0..2 {
                    if bed.asleep.with(|asleep| core::mem::replace(asleep, false)) {
                        bed.give();
                        given += 1;
                    }
                }
                bed.say_through(given);
            });
        }
        bed.note.sleep();
        bed.note.clear();
        assert_eq!(bed.take(), 1);
        bed.asleep.with(|asleep| *asleep = true);
        let given = bed.wait_for_waker();
        if given == 2 {
            bed.note.sleep();
            bed.note.clear();
        }
        assert_eq!(bed.take(), given);
    });
}

/// Past its deadline a sleeper that was woken says so, and sees why.
#[test]
fn a_deadline_does_not_hide_a_wake() {
    loom::model(|| {
        let bed = Bed::new();
        {
            let bed = bed.clone();
            thread::spawn(move || {
                bed.give();
                bed.say_through(1);
            });
        }
        if bed.note.sleep_until(std::time::Instant::now()) {
            assert_eq!(bed.take(), 1);
        }
        bed.wait_for_waker();
        assert!(bed.note.is_set());
    });
}

fn poller(ready: bool) -> std::sync::Arc<dyn Poller> {
    std::sync::Arc::new(Interruptible::new(ready))
}

/// A wake finds the owner where it sleeps: before it is in the poller, in it, or on its way.
#[test]
fn a_wake_reaches_into_the_poller() {
    loom::model(|| {
        let bed = Bed::new();
        {
            let bed = bed.clone();
            thread::spawn(move || {
                bed.give();
                bed.say_through(1);
            });
        }
        bed.note.sleep_in(&poller(false), None, &mut ReadyList::new()).unwrap();
        assert!(bed.note.is_set());
        assert_eq!(bed.take(), 1);
        bed.wait_for_waker();
    });
}

/// The poller has something to tell at the moment of the wake. As the watcher does, the owner takes itself off the list
/// under the lock and clears the note there, and then sleeps again, in its thread this time.
#[test]
fn a_poller_that_tells_does_not_hide_a_wake() {
    loom::model(|| {
        let bed = Bed::new();
        {
            let bed = bed.clone();
            thread::spawn(move || {
                bed.asleep.with(|asleep| {
                    if core::mem::replace(asleep, false) {
                        bed.give();
                    }
                });
                bed.asleep.with(|_| bed.say_through(1));
            });
        }
        bed.note.sleep_in(&poller(true), None, &mut ReadyList::new()).unwrap();
        let woken = bed.asleep.with(|asleep| {
            bed.note.clear();
            !core::mem::replace(asleep, true)
        });
        if woken {
            assert_eq!(bed.take(), 1);
        }
        bed.wait_for_waker();
    });
}
