//! Profiles: where a program's CPU time goes, by function and label, and where its goroutines stand, as `go tool pprof`
//! reads them. With the feature `profile`.
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
