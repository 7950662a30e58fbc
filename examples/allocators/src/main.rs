//! What an allocator with a cache for each thread costs goroutines that are threads to it.
//!
//! ```text
//! cargo run --release --features mimalloc -- turns 10000000
//! cargo run --release --features mimalloc -- parked 1000000
//! ```
//!
//! `turns` runs goroutines a thousand at a time, each of which touches a thread-local with a destructor and allocates, and
//! checks that memory after all of them is what it was after the first fifth: of millions within a twentieth, of few, while
//! allocators still warm up, within 64 MiB. `parked` keeps goroutines that have allocated
//! once. With the feature `bare` as well each goroutine has a cache of its own, to compare.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(all(feature = "mimalloc", not(feature = "bare")))]
#[global_allocator]
static ALLOCATOR: gmp::alloc::PerThread<mimalloc::MiMalloc> = gmp::alloc::PerThread::new(mimalloc::MiMalloc);

#[cfg(all(feature = "mimalloc", feature = "bare"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[cfg(all(feature = "jemalloc", not(feature = "bare"), not(feature = "mimalloc")))]
#[global_allocator]
static ALLOCATOR: gmp::alloc::PerThread<tikv_jemallocator::Jemalloc> =
    gmp::alloc::PerThread::new(tikv_jemallocator::Jemalloc);

#[cfg(all(feature = "jemalloc", feature = "bare", not(feature = "mimalloc")))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

static DROPS: AtomicU64 = AtomicU64::new(0);

struct Noted(Vec<u8>);

impl Drop for Noted {
    fn drop(&mut self) {
        assert!(self.0.iter().all(|&byte| byte == 7), "somebody else's memory");
        DROPS.fetch_add(1, Ordering::Relaxed);
    }
}

thread_local! { static KEPT: RefCell<Option<Noted>> = const { RefCell::new(None) } }

/// Resident memory in KiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    4 * text.split(' ').nth(1).unwrap().parse::<u64>().unwrap()
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, count) = match arguments.as_slice() {
        [what, count] => (what.as_str(), count.parse::<u64>().ok()),
        _ => ("", None),
    };
    match (what, count) {
        ("turns", Some(count)) => run(move || turns(count)),
        ("parked", Some(count)) => run(move || parked(count)),
        _ => {
            eprintln!("what to do: turns COUNT, or parked COUNT");
            ExitCode::FAILURE
        }
    }
}

fn run(program: impl FnOnce() -> bool + Send + 'static) -> ExitCode {
    let runtime = gmp::Builder::new().procs(2).build().unwrap();
    if runtime.run(program).unwrap().value { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn turns(count: u64) -> bool {
    let turn = || {
        let one = || {
            KEPT.set(Some(Noted(vec![7; 300])));
            gmp::yield_now();
            drop(std::hint::black_box(vec![1_u8; 3000]));
        };
        let all: Vec<_> = (0..1000).map(|_| gmp::go(one)).collect();
        all.into_iter().for_each(|handle| handle.join().unwrap());
    };
    let (rounds, first) = (count / 1000, count / 5000);
    (0..first).for_each(|_| turn());
    let before = resident();
    (first..rounds).for_each(|_| turn());
    let after = resident();
    assert_eq!(DROPS.load(Ordering::Relaxed), rounds * 1000, "destructors");
    println!("{before} KiB after {first} thousand goroutines, {after} KiB after {rounds} thousand");
    after <= before + if count < 5_000_000 { 64 << 10 } else { before / 20 }
}

fn parked(count: u64) -> bool {
    let before = resident();
    let (gate, wait) = gmp::chan::<()>(0);
    let (tell, told) = gmp::chan(1024);
    for _ in 0..count {
        let (wait, tell) = (wait.clone(), tell.clone());
        gmp::go(move || {
            let kept = Noted(vec![7; 16]);
            tell.send(()).unwrap();
            assert!(wait.recv().is_err());
            drop(kept);
        });
    }
    (0..count).for_each(|_| told.recv().unwrap());
    let each = (resident() - before) as f64 / count as f64;
    drop(gate);
    println!("{each:.2} KiB for each of {count} parked goroutines");
    true
}
