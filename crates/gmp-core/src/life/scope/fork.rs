//! `join`: two closures, one on the caller's stack, one on a goroutine of its own. The shape is `rayon::join`'s.
//!
//! The caller waits by parking, and never runs other goroutines' work on its own stack meanwhile. So a lock that it holds
//! is met by others on stacks of their own, and a thief's stack does not grow with what it steals
//! ([rayon#592](https://github.com/rayon-rs/rayon/issues/592) is about the opposite).

use super::child::{self, Child, Payload};
use super::word::{ScopeWord, Ticket};
use crate::entering::gate;
use crate::life::handle::JoinError;
use crate::life::spawn::{NoRecord, spawn_unchecked};
use core::cell::UnsafeCell;
use core::panic::Location;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Where the goroutine leaves its result, on the caller's stack.
struct Place<T>(UnsafeCell<Option<Result<T, Payload>>>);

// SAFETY: the goroutine alone reaches the place until it has given its ticket back, the caller afterwards.
unsafe impl<T: Send> Sync for Place<T> {}

impl<T> Place<T> {
    /// By the goroutine, before it gives its ticket back.
    fn put(&self, result: Result<T, Payload>) {
        // SAFETY: as above.
        unsafe { *self.0.get() = Some(result) };
    }
}

/// Calls `a` here and `b` on a goroutine of its own, and returns both results when both have ended. **Suspends.**
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// /// Quicksort; the halves of a large slice are sorted at the same time.
/// fn sort(slice: &mut [u32]) {
///     let Some((&mut pivot, _)) = slice.split_first_mut() else { return };
///     let mut left = 0;
///     for i in 1..slice.len() {
///         if slice[i] < pivot {
///             left += 1;
///             slice.swap(left, i);
///         }
///     }
///     slice.swap(0, left);
///     let (low, high) = slice.split_at_mut(left);
///     if low.len() + high.len() > 1000 {
///         gmp::join(|| sort(low), || sort(&mut high[1..]));
///     } else {
///         sort(low);
///         sort(&mut high[1..]);
///     }
/// }
///
/// runtime.run(|| {
///     let mut numbers: Vec<u32> = (0..10_000).map(|i: u32| i.wrapping_mul(2_654_435_761)).collect();
///     sort(&mut numbers);
///     assert!(numbers.is_sorted());
/// }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, if there is no memory for a record, if no stack could be had for `b`, and with the panic of `a`
/// or else of `b`, after both have ended. If one of them calls `exit`, so does `join`.
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    gate::give_way();
    let here = gate::pass("join");
    let (word, place) = (ScopeWord::new(), Place(UnsafeCell::new(None)));
    // SAFETY: below nothing unwinds between here and the wait but what is caught, or drops the closure first.
    let ticket = unsafe { Ticket::new(&word) };
    let there = &place;
    let child = Child::new(
        move || {
            let result = child::call(b);
            there.put(result);
        },
        ticket,
    );
    // SAFETY: what `b` borrows, and the place, outlive this call, which ends after the ticket is given back; the result
    // in the record is ().
    let spawned = unsafe { spawn_unchecked(&here, None, Location::caller(), move || child.run()) };
    let handle = match spawned {
        Ok(handle) => handle,
        Err(NoRecord(closure)) => {
            drop(closure);
            panic!("gmp::join: no memory for another goroutine's record of 192 bytes")
        }
    };
    let here = catch_unwind(AssertUnwindSafe(a));
    word.wait();
    let here = here.unwrap_or_else(|payload| resume_unwind(payload));
    match place.0.into_inner() {
        Some(Ok(result)) => (here, result),
        Some(Err(payload)) => resume_unwind(payload),
        // It never ran, or the destructor of a result that was lost to a panic has panicked.
        None => match handle.join() {
            Err(JoinError::Panicked(payload)) => resume_unwind(payload.into_inner()),
            Err(JoinError::OutOfStacks) => panic!("gmp::join: {}", JoinError::OutOfStacks),
            _ => crate::life::panics::unwind_goroutine(),
        },
    }
}
