//! Profiles: where a program's CPU time goes, by function and label, where its goroutines stand, where they wait and who
//! makes them wait, as `go tool pprof` reads them. With the feature `profile`.
//!
//! ```
//! # let runtime = gmp::Builder::new().build().unwrap();
//! # runtime.run(|| {
//! use std::time::Duration;
//!
//! let profile = gmp::profile::cpu(Duration::from_millis(50));
//! println!("{profile}"); // a table of functions
//! std::fs::write(std::env::temp_dir().join("cpu.pb.gz"), profile.to_pprof())?;
//! # std::io::Result::Ok(())
//! # }).unwrap().value.unwrap();
//! ```
//!
//! | then | shows |
//! | --- | --- |
//! | `go tool pprof -top cpu.pb.gz` | functions by their time |
//! | `go tool pprof -tags cpu.pb.gz` | time by label: [`Spawn::label`](crate::Spawn::label), and `goroutine` for names |
//! | `go tool pprof -http=: cpu.pb.gz` | graphs and flames in a browser |

use std::time::Duration;

/// From now on [`block`] samples the waits of goroutines, and of plain threads, at channels, in selects and at what is in
/// [`sync`](crate::sync): on average one for each `rate` nanoseconds that are waited. 1: every one. 0, as at first: none.
/// Never suspends.
///
/// A wait that is at least as long as the rate is always taken. Whoever is sampled walks its own stack, for some
/// microseconds.
#[doc(alias = "SetBlockProfileRate")]
pub fn set_block_rate(rate: u64) {
    gmp_inspect::contention::set_block_rate(rate);
}

/// From now on [`mutex`] samples one of so many releases of a [`Mutex`](crate::sync::Mutex) or an
/// [`RwLock`](crate::sync::RwLock) for which others wait. 1: every one. 0, as at first: none. Returns what it was before.
/// Never suspends.
#[doc(alias = "SetMutexProfileFraction")]
pub fn set_mutex_fraction(fraction: u64) -> u64 {
    gmp_inspect::contention::set_mutex_fraction(fraction)
}

/// How long was waited so far, by where: with the stacks of those who waited, sampled as [`set_block_rate`] says.
/// **Suspends** a goroutine, as [`blocking`](crate::blocking) does.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// gmp::profile::set_block_rate(10_000); // one for each 10 us that are waited
/// // ...
/// let profile = gmp::profile::block();
/// println!("{profile}"); // a table of functions
/// std::fs::write(std::env::temp_dir().join("block.pb.gz"), profile.to_pprof())?;
/// # std::io::Result::Ok(())
/// # }).unwrap().value.unwrap();
/// ```
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
#[track_caller]
pub fn block() -> Profile {
    crate::blocking(gmp_inspect::contention::block)
}

/// How long was waited for locks so far, by who let the lock go that others waited for, with its stack there: sampled as
/// [`set_mutex_fraction`] says. **Suspends** a goroutine, as [`blocking`](crate::blocking) does.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
#[track_caller]
pub fn mutex() -> Profile {
    crate::blocking(gmp_inspect::contention::mutex)
}

/// The goroutines of the caller's runtime that will never go on, by where they stand. **Suspends**, as
/// [`blocking`](crate::blocking) does.
///
/// Those are named that wait without a deadline
///
/// - at channels nobody else can reach: each handle of them is on a stack of goroutines that never go on themselves. A
///   select counts if that holds for all of its channels;
/// - for each other in a circle, at mutexes of [`sync`](crate::sync) and at joins;
/// - in [`block_forever`](crate::block_forever) and in a select without cases;
/// - for one of all these, at a mutex or a join.
///
/// Go's collector finds them by its marks. Here all threads of the process stop for as long as a copy of it takes to make
/// (by `fork`, whose handlers do not run), so that everything is seen at one moment, and the copy is
/// searched for the addresses of channels while the program runs on. **What is told is never able to go on**, with four
/// exceptions, all of which need handles in unusual places: in a packed struct at an odd place, disguised (as by
/// `transmute` to other bits), in memory that `fork` does not copy or that is shared, a device's or not to be read, or
/// outside the process.
///
/// **Not all are told.** Whatever looks like a handle counts as one: so a handle in anything on the heap (an `Arc`, a
/// `Vec`, a goroutine's own thread-locals) keeps its channel within reach, and so do remains of one, in freed memory or
/// in a place on a stack that its function does not use any more. What other runtimes' goroutines wait at is not looked
/// into.
///
/// Threads are stopped by SIGURG, which may end a sleep or a poll of C code with EINTR. If one blocks that signal, or the
/// system refuses `fork` or the memory of the child (`/proc/PID/mem`), channels are left out; so they are where each
/// goroutine is a thread.
///
/// ```
/// # let runtime = gmp::Builder::new().build().unwrap();
/// # runtime.run(|| {
/// fn leaks() {
///     let (sender, receiver) = gmp::chan::<u32>(0);
///     // It never ends: the goroutine itself keeps the channel open.
///     gmp::go(move || receiver.iter().for_each(|value| sender.send(value + 1).unwrap()));
/// }
/// leaks();
/// println!("{}", gmp::profile::goroutine_leaks());
/// # }).unwrap();
/// ```
///
/// # Panics
/// Outside a goroutine, and if the operating system refuses a thread.
#[doc(alias = "goroutineleak")]
#[must_use]
#[track_caller]
pub fn goroutine_leaks() -> Profile {
    clear_dead_frames();
    let handle = gmp_core::goroutine::with_runtime("goroutine_leaks", gmp_core::runtime::Handle::clone);
    crate::blocking(|| gmp_inspect::profile::goroutine_leaks(&handle))
}

/// Overwrites what frames that are gone left of the stack on which the caller's next calls stand: places in those that are
/// never written to would keep handles alive that nobody has any more.
#[inline(never)]
fn clear_dead_frames() {
    std::hint::black_box(&mut [0_u8; 4096]);
}

#[doc(inline)]
pub use gmp_inspect::profile::{Kind, Profile, Sample};

/// Samples the CPU time of all threads of this process for so long, with stacks and the labels of goroutines. **Suspends**
/// a goroutine, as [`blocking`](crate::blocking) does.
///
/// A hundred times a second a thread made for it looks at the CPU clock of each thread. One that has used 5 ms since its
/// last sample shows its stack by a signal (SIGURG), which costs it some 50 us.
///
/// # Panics
/// If the operating system refuses a thread.
#[doc(alias = "StartCPUProfile")]
#[must_use]
#[track_caller]
pub fn cpu(duration: Duration) -> Profile {
    crate::blocking(|| gmp_inspect::profile::cpu(duration))
}

/// Where the goroutines of the caller's runtime stand: a [`dump`](crate::dump()) as a profile. **Suspends**, as
/// [`blocking`](crate::blocking) does.
///
/// # Panics
/// As [`dump`](crate::dump()).
#[doc(alias = "GoroutineProfile")]
#[must_use]
#[track_caller]
pub fn goroutines() -> Profile {
    gmp_inspect::profile::goroutines(&crate::dump())
}
