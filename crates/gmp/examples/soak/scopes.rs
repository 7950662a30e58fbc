//! Random work with borrows: scopes, joins and goroutine-locals.

use crate::account::{ACCOUNT, Ticket};
use crate::work::{World, step};
use fastrand::Rng;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

gmp::g_local! {
    /// Which goroutine uses it, by a number that no other has.
    static MINE: Cell<u64> = Cell::new(0);
    /// Its destructor must run.
    static COUNTED: Counted = Counted::new();
}

/// A value in the account of goroutine-locals.
struct Counted(());

impl Counted {
    fn new() -> Self {
        ACCOUNT.locals.fetch_add(1, Relaxed);
        Self(())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ACCOUNT.locals.fetch_sub(1, Relaxed);
    }
}

/// Fills an array from goroutines that borrow it; handles are joined, dropped or kept, and now and then the scope's own
/// closure panics. All of the array is there afterwards.
pub(crate) fn borrow(world: &World, rng: &mut Rng, depth: u32) {
    let mut places = [0; 8];
    let panics = rng.u32(..8) == 0;
    let caught = catch_unwind(AssertUnwindSafe(|| {
        gmp::scope(|s| {
            let mut kept = Vec::new();
            for (i, place) in places.iter_mut().enumerate() {
                let (ticket, seed) = (Ticket::new(), rng.u64(1..));
                let child = s.go(move || {
                    let _ticket = ticket;
                    own(world, seed, depth);
                    *place = i + 1;
                    Box::new(seed)
                });
                match rng.u32(..4) {
                    0 => kept.push(child),
                    1 if child.join().ok().as_deref() != Some(&seed) => {
                        ACCOUNT.complain(String::from("a scope's child came back as another"));
                    }
                    _ => {}
                }
            }
            if panics {
                std::panic::resume_unwind(Box::new("a scope's closure"));
            }
        });
    }));
    if caught.is_err() != panics || places != [1, 2, 3, 4, 5, 6, 7, 8] {
        ACCOUNT.complain(format!("a scope ended with {places:?}"));
    }
}

/// A step with a local of its own.
fn own(world: &World, seed: u64, depth: u32) {
    if MINE.replace(seed) != 0 {
        ACCOUNT.complain(String::from("a fresh goroutine has somebody's local"));
    }
    COUNTED.with(|_| ());
    step(world, &mut Rng::with_seed(seed), depth.saturating_sub(1));
    if MINE.get() != seed {
        ACCOUNT.complain(String::from("a local changed under its goroutine"));
    }
}

/// Two steps at the same time.
pub(crate) fn both(world: &World, rng: &mut Rng, depth: u32) {
    let (mut left, seed) = (rng.fork(), rng.u64(1..));
    let caller = gmp::current().unwrap().number;
    let (here, there) = gmp::join(
        || {
            step(world, &mut left, depth - 1);
            1
        },
        || {
            // It is a goroutine of its own only if somebody else took it.
            let taken = gmp::current().unwrap().number != caller;
            let _ticket = taken.then(Ticket::new);
            if taken {
                own(world, seed, depth);
            } else {
                step(world, &mut Rng::with_seed(seed), depth - 1);
            }
            seed
        },
    );
    if (here, there) != (1, seed) {
        ACCOUNT.complain(String::from("a join came back with other results"));
    }
}
