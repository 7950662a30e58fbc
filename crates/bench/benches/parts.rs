//! The parts between the queues: a note's wake and sleep, spawning, yielding, parking.
//! `cargo bench -p gmp-bench --bench parts [-- FILTER]`. The switch alone: `cargo bench -p gmp-arch-amd64`.

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// How many round trips are timed at once, since a thread is made for them.
const TRIPS: u64 = 1_000;

/// Two threads wake each other, each through its own note: what it costs to wake an M, twice in each trip.
fn note(c: &mut Criterion) {
    c.bench_function("note/1,000 x there and back", |bencher| {
        bencher.iter(|| gmp_core::suite::note::there_and_back(black_box(TRIPS)));
    });
}

/// What a goroutine's life costs on one P, piece by piece. Each sample is a runtime of its own, timed from inside.
fn goroutine(c: &mut Criterion) {
    let mut group = c.benchmark_group("goroutine");
    let mut piece = |name: &str, body: fn(u64)| {
        group.bench_function(name, |bencher| bencher.iter_custom(|times| timed(times, body)));
    };
    piece("spawn and forget", |times| (0..times).for_each(|_| drop(gmp::go(|| ()))));
    piece("spawn and join", |times| {
        (0..times).for_each(|_| assert_eq!(gmp::go(|| black_box(1)).join().ok(), Some(1)));
    });
    piece("yield alone", |times| (0..times).for_each(|_| gmp::yield_now()));
    piece("unpark and park", |times| {
        let me = gmp::current().expect("a goroutine").unparker();
        for _ in 0..times {
            me.unpark();
            gmp::park();
        }
    });
}

fn timed(times: u64, body: fn(u64)) -> Duration {
    // SAFETY: no body holds a borrow of a thread-local at all.
    let builder = unsafe { gmp::Builder::new().share_thread_locals() };
    let run = builder.procs(1).build().expect("a runtime").run(move || {
        let start = Instant::now();
        body(times);
        start.elapsed()
    });
    run.expect("it ends").value
}

criterion_group!(benches, note, goroutine);
criterion_main!(benches);
