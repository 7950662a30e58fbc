//! Libraries that live by thread-locals, each used by goroutines that move between threads: safe code throughout.
//!
//! A runtime whose goroutines share their threads' thread-locals would break most of this. Here each goroutine has its
//! own, and the libraries take it for a thread.

#![forbid(unsafe_code)]

use gmp::Builder;
use gmp::policy::{Go, Random};

const GOROUTINES: u64 = 40;
const ROUNDS: u64 = 20;

/// Runs a program in many goroutines that suspend by turns, under two policies on two Ps.
fn check(name: &str, program: fn(u64)) {
    let main = move || {
        let handles: Vec<_> = (0..GOROUTINES).map(|number| gmp::go(move || program(number))).collect();
        handles.into_iter().for_each(|handle| handle.join().unwrap());
    };
    Builder::new().policy::<Random>().procs(2).build().unwrap().run(main).unwrap();
    Builder::new().policy::<Go>().procs(2).build().unwrap().run(main).unwrap();
    println!("{name} ok");
}

fn main() {
    check("tokio", tokio_handle_over_suspensions);
    check("tracing", spans_entered_over_suspensions);
    check("rand", random_numbers);
    check("parking_lot", guards_that_move);
    check("rayon", joins_from_goroutines);
    check("regex", matches_with_cached_state);
    check("arc-swap", loads_that_last);
    check("crossbeam-epoch", pins_over_suspensions);
}

/// `Handle::enter` puts the handle into a thread-local until the guard is dropped, last in, first out.
fn tokio_handle_over_suspensions(_: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let id = runtime.handle().id();
    let guard = runtime.enter();
    for _ in 0..ROUNDS {
        gmp::yield_now();
        assert_eq!(tokio::runtime::Handle::current().id(), id);
    }
    drop(guard);
    gmp::yield_now();
    assert!(tokio::runtime::Handle::try_current().is_err());
    assert_eq!(
        runtime.block_on(async {
            tokio::task::yield_now().await;
            7
        }),
        7
    );
}

/// The registry keeps the stack of entered spans in a thread-local.
fn spans_entered_over_suspensions(number: u64) {
    use tracing_subscriber::prelude::*;
    let subscriber = tracing_subscriber::registry();
    let _default = subscriber.set_default();
    for _ in 0..ROUNDS {
        let outer = tracing::info_span!("outer", number).entered();
        gmp::yield_now();
        let inner = tracing::info_span!("inner", number).entered();
        assert_ne!(inner.id(), outer.id());
        gmp::yield_now();
        assert_eq!(tracing::Span::current().id(), inner.id());
        drop(inner);
        gmp::yield_now();
        assert_eq!(tracing::Span::current().id(), outer.id());
    }
}

/// The generator is an `Rc` out of a thread-local.
fn random_numbers(_: u64) {
    use rand::RngExt;
    let mut generator = rand::rng();
    for _ in 0..ROUNDS {
        assert!(generator.random_range(0..10_u32) < 10);
        gmp::yield_now();
    }
}

/// Reentrant locks know their thread; those who wait for one are queued by a thread-local.
fn guards_that_move(number: u64) {
    static LOCKS: [parking_lot::ReentrantMutex<std::cell::Cell<u64>>; GOROUTINES as usize] =
        [const { parking_lot::ReentrantMutex::new(std::cell::Cell::new(0)) }; GOROUTINES as usize];
    static SUM: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0);
    let lock = &LOCKS[number as usize];
    let outer = lock.lock();
    for _ in 0..ROUNDS {
        gmp::yield_now();
        let inner = lock.lock();
        gmp::yield_now();
        inner.set(inner.get() + 1);
        drop(inner);
        *SUM.lock() += 1;
    }
    assert!(outer.get().is_multiple_of(ROUNDS));
}

/// rayon asks a thread-local whether the caller is one of its workers.
fn joins_from_goroutines(number: u64) {
    use rayon::prelude::*;
    gmp::yield_now();
    let (left, right) = rayon::join(|| number + 1, || (0..100_u64).into_par_iter().sum::<u64>());
    gmp::yield_now();
    assert_eq!((left, right), (number + 1, 4950));
}

/// Each thread owns, or borrows by its number, what a search needs.
fn matches_with_cached_state(number: u64) {
    static WORD: std::sync::LazyLock<regex::Regex> =
        std::sync::LazyLock::new(|| regex::Regex::new(r"(\w+)-(\d+)").unwrap());
    for round in 0..ROUNDS {
        let text = format!("some goroutine-{number} and round-{round}");
        let mut found = WORD.captures_iter(&text);
        let first = found.next().unwrap();
        gmp::yield_now();
        assert_eq!(first[2], number.to_string());
        assert_eq!(found.next().unwrap()[2], round.to_string());
    }
}

/// A guard holds a debt in a slot of its thread.
fn loads_that_last(_: u64) {
    static SHARED: std::sync::LazyLock<arc_swap::ArcSwap<u64>> =
        std::sync::LazyLock::new(|| arc_swap::ArcSwap::from_pointee(0));
    for _ in 0..ROUNDS {
        let guard = SHARED.load();
        let before = **guard;
        gmp::yield_now();
        SHARED.rcu(|value| **value + 1);
        gmp::yield_now();
        assert_eq!(**guard, before);
    }
}

/// A pin is counted in the thread's entry, which is a thread-local.
fn pins_over_suspensions(number: u64) {
    use crossbeam_epoch::{self as epoch, Atomic, Owned};
    use std::sync::atomic::Ordering;
    static PLACE: std::sync::LazyLock<Atomic<u64>> = std::sync::LazyLock::new(|| Atomic::new(0));
    for _ in 0..ROUNDS {
        let pin = epoch::pin();
        let before = PLACE.load(Ordering::Acquire, &pin).is_null();
        gmp::yield_now();
        let inner = epoch::pin();
        assert!(epoch::is_pinned());
        let _ = PLACE.compare_exchange(
            PLACE.load(Ordering::Relaxed, &inner),
            Owned::new(number),
            Ordering::AcqRel,
            Ordering::Relaxed,
            &inner,
        );
        drop(inner);
        gmp::yield_now();
        assert!(epoch::is_pinned() && !before);
        drop(pin);
        assert!(!epoch::is_pinned());
    }
}
