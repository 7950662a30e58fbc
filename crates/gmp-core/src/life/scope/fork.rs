//! `join`: two closures, at the same time if a P is idle. The shape is `rayon::join`'s.
//!
//! ```text
//!   join(a, b):  b into the M's jobs ──► a() ──► take b back ──► there: b(), here and now
//!                     │       │                     │
//!                     │       └ a suspends:         └ gone: wait for the goroutine that has it
//!                     └ stolen by an M without work
//! ```
//!
//! **Lazy task creation** (Mohr, Kranz, Halstead, 1991): the second half becomes a goroutine only when a thief takes it,
//! and then it is the thief who makes the goroutine; or when its own goroutine suspends in `a`, since what `a` waits
//! for may be what `b` does. Else it is a call. `records/m/jobs.rs` tells how the two sides agree.
//!
//! **Invariant.** The frame of `join` stays until `b` has been called, here or there, and what `b` borrows is not
//! touched any more: the scope word in the frame counts `b` as a child from the beginning, and only if the caller takes
//! the job back need it not wait.
//!
//! The caller waits by parking, and never runs other goroutines' work on its own stack meanwhile. So a lock that it holds
//! is met by others on stacks of their own, and a thief's stack does not grow with what it steals
//! ([rayon#592](https://github.com/rayon-rs/rayon/issues/592) is about the opposite).

use super::child::{self, Payload};
use super::word::ScopeWord;
use crate::entering::caller::Here;
use crate::entering::gate;
use crate::ground::sync::light_fence;
use crate::life::spawn::{spawn_stolen, spawn_stolen_outside, spawn_unchecked};
use crate::records::g::runnable::Runnable;
use crate::records::g::{Flags, G};
use crate::records::m::jobs::{Job, Jobs};
use crate::records::m::{AnyRuntime, M};
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::sync::atomic::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The second half, in the frame of its `join`.
#[repr(C)]
struct Half<B, R> {
    // First, so that its address is the half's.
    job: Job,
    b: UnsafeCell<ManuallyDrop<B>>,
    /// Filled by the goroutine that calls `b`; empty if nobody did.
    result: UnsafeCell<Option<Result<R, Payload>>>,
    /// One child from the beginning: whoever takes the job out of the M's jobs.
    word: ScopeWord,
}

impl<B, R> Half<B, R>
where
    B: FnOnce() -> R + Send,
    R: Send,
{
    #[inline(always)]
    fn new(b: B, g: &G, at: &'static Location<'static>) -> Self {
        let extra = if g.has(Flags::EXTRA) { g.extra() } else { None };
        let labels = extra.filter(|extra| !extra.labels.is_empty()).map(|extra| extra.labels.clone());
        let job = Job { run: Self::run, give_back: Self::give_back, parent: g.number.get(), at, labels };
        let b = UnsafeCell::new(ManuallyDrop::new(b));
        Self { job, b, result: UnsafeCell::new(None), word: ScopeWord::with_one_child() }
    }

    /// See [`Job::run`].
    unsafe fn run(job: *const Job) {
        // SAFETY: the job's address is the half's, which stays until it is told.
        let half = unsafe { &*job.cast::<Self>() };
        // SAFETY: whoever has taken the job has the closure, and takes it out once.
        let b = unsafe { ManuallyDrop::take(&mut *half.b.get()) };
        let result = child::call(b);
        // SAFETY: and the place of the result.
        unsafe { *half.result.get() = Some(result) };
        half.tell();
    }

    /// See [`Job::give_back`].
    unsafe fn give_back(job: *const Job) {
        // SAFETY: as in `run`.
        unsafe { &*job.cast::<Self>() }.tell();
    }

    /// The last thing that whoever took the job does with it.
    fn tell(&self) {
        if let Some(parked) = self.word.leave() {
            parked.ready();
        }
    }
}

/// A job as a goroutine's closure: it is called, or given back if it is dropped unrun.
struct Taken(*const Job);

// SAFETY: what it calls is `Send`, as `join` asks.
unsafe impl Send for Taken {}

impl Taken {
    fn call(self) {
        let job = ManuallyDrop::new(self).0;
        // SAFETY: taken, and called once.
        unsafe { ((*job).run)(job) };
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // SAFETY: taken, and not called.
        unsafe { ((*self.0).give_back)(self.0) };
    }
}

/// Makes a goroutine of each job that is left on the M of `g`, which is about to leave it; the oldest is queued first,
/// as if each had been spawned in its turn. If there is no memory for a record, the job goes back to its `join`. Never
/// suspends.
#[cold]
pub(crate) fn promote(g: &'static G) {
    let here = Here::new(g);
    while let Some(job) = here.m().jobs.take_oldest() {
        // SAFETY: just taken.
        unsafe { spawn_job(&here, job) };
    }
}

/// # Safety
/// The caller has taken the job.
#[cold]
unsafe fn spawn_job(here: &Here, job: *const Job) {
    let taken = Taken(job);
    // SAFETY: taken, so its `join` waits for it, and its frame stays.
    let at = unsafe { (*job).at };
    // SAFETY: what the job borrows stays valid until its `join` is told, which is the last thing that `Taken` does.
    drop(unsafe { spawn_unchecked(here, None, at, move || taken.call()) });
}

/// Takes the oldest job of `jobs`. Returns what a record has to know of it, and the goroutine's closure.
///
/// # Safety
/// The job is not looked at after the closure was called or dropped.
unsafe fn take<'a>(jobs: &Jobs) -> Option<(&'a Job, impl FnOnce() + Send + use<>)> {
    let job = jobs.steal()?;
    let taken = Taken(job);
    // SAFETY: taken, so its `join` waits for it, and its frame stays.
    Some((unsafe { &*job }, move || taken.call()))
}

/// Takes the oldest job of `jobs` and makes a goroutine of it, on g0 of `m`, which holds a P. Never suspends.
pub(crate) fn steal(m: &M, jobs: &Jobs) -> Option<Runnable> {
    // SAFETY: what the job borrows stays valid until its `join` is told, which is the last thing that `Taken` does; and the
    // record is filled before the closure goes anywhere.
    unsafe { spawn_stolen(m, || take(jobs)) }
}

/// Makes a goroutine of the oldest job of an M whose P was taken, at the shared queue's tail: by whoever took it.
/// `false`: there is none, or no memory for its record. Never suspends.
pub(crate) fn promote_from_outside(rt: &AnyRuntime, jobs: &Jobs) -> bool {
    // SAFETY: what the job borrows stays valid until its `join` is told, which is the last thing that `Taken` does; and the
    // record is filled before the closure goes anywhere.
    unsafe { spawn_stolen_outside(rt, || take(jobs)) }
}

/// Calls `a` and `b`, at the same time if a thread has nothing else to do, and returns both results when both have ended.
/// **Suspends.**
///
/// `a` is called here. `b` is offered to whoever looks for work, and called on a goroutine of its own if somebody takes it
/// or if `a` suspends; otherwise it is called here, after `a`, on the caller's goroutine: then a `join` costs a few
/// nanoseconds, and there is no need to stop dividing before the pieces are small.
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
/// Outside a goroutine, and with the panic of `a` or else of `b`, after both have ended. If one of them calls `exit`, so
/// does `join`.
#[track_caller]
pub fn join<A, B, RA, RB>(a: A, b: B) -> (RA, RB)
where
    A: FnOnce() -> RA,
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    gate::give_way();
    let here = gate::pass("join");
    let g = here.g();
    // Dropped by hand: of one that nobody took, labels are all that there may be to drop.
    let mut half = ManuallyDrop::new(Half::new(b, g, Location::caller()));
    // While the job is out, nothing unwinds out of here but what is caught.
    let queued = offer(&here, (&raw const *half).cast());
    let first = catch_unwind(AssertUnwindSafe(a));
    // The goroutine may be on another M by now.
    if queued && Here::new(g).m().jobs.pop() {
        drop(half.job.labels.take());
        // SAFETY: nobody has taken the job, so the closure is there, and it is taken once.
        let b = unsafe { ManuallyDrop::take(half.b.get_mut()) };
        return match first {
            Ok(first) => (first, b()),
            Err(payload) => {
                // A payload whose own drop panics is not worth more care than this.
                core::mem::forget(catch_unwind(AssertUnwindSafe(b)).err());
                resume_unwind(payload)
            }
        };
    }
    half.word.wait();
    finish(g, first, ManuallyDrop::into_inner(half))
}

/// Puts a job among those of its goroutine's M. `false`: it is a goroutine at once, because the M has no P, or no room, or
/// because the goroutine is to know its ancestors.
#[inline(always)]
fn offer(here: &Here, job: *const Job) -> bool {
    let (m, header) = (here.m(), here.g().header());
    if header.ancestors != 0 || !m.jobs.push(job) {
        // SAFETY: nobody else has it.
        unsafe { spawn_job(here, job) };
        return false;
    }
    // Half of an asymmetric fence: somebody may be taking the P at this moment, and empties the jobs after the other half.
    light_fence();
    if !m.door.is_open() && !m.door.hold().found_p() {
        // Nobody looks into its jobs: they become goroutines, those that whoever took the P has not made goroutines yet.
        promote(here.g());
        return false;
    }
    if header.some_p_idle.load(Ordering::Relaxed) {
        m.rt().wake_for_job(m);
    }
    true
}

/// The end of a `join` whose job was taken, and has been given up by whoever took it.
#[inline(never)]
fn finish<B, RA, RB>(g: &G, first: Result<RA, Payload>, half: Half<B, RB>) -> (RA, RB)
where
    B: FnOnce() -> RB + Send,
    RB: Send,
{
    let (b, result) = (half.b, half.result);
    let second = result.into_inner().unwrap_or_else(|| {
        // A half without a result is one that was given back.
        let b = ManuallyDrop::into_inner(b.into_inner());
        if g.header().is_closing() {
            // Its goroutine was dropped before it ran, as everything is that has not run by then.
            drop(b);
            crate::life::panics::unwind_goroutine();
        }
        // There was no memory for a record, or for a stack.
        catch_unwind(AssertUnwindSafe(b))
    });
    let first = first.unwrap_or_else(|payload| resume_unwind(payload));
    (first, second.unwrap_or_else(|payload| resume_unwind(payload)))
}
