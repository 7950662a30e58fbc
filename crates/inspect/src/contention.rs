//! Profiles of waits: where goroutines wait, and who holds up others by keeping a lock. With the feature `profile`.
//!
//! Off until a rate is set. Then whoever has waited, or lets go of a lock that others wait for, walks its own stack
//! and adds to a table, from the start of the process on, as Go's do (`saveblockevent`, runtime/mprof.go, Go 1.27).

use crate::elsewhere::elsewhere;
use crate::profile::{Kind, Profile, Sample};
use crate::symbols::{Symbols, without_inner_std, without_runtime};
use gmp_core::contention::{self, Contention};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The most frames of a stack that are kept. Go: 128 (`maxProfStackDepth`).
const MOST_FRAMES: usize = 128;
/// How often the table is tried for before a sample is given up: whoever has it keeps it for a microsecond, or is
/// ourselves, if the allocator waits for locks of gmp.
const TRIES: usize = 10_000;

/// What was found at one place.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: f64,
    nanos: f64,
}

type Table = HashMap<Box<[usize]>, Sum>;

struct Tables {
    began: (SystemTime, Instant),
    waits: Mutex<Table>,
    unlocks: Mutex<Table>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    began: (SystemTime::now(), Instant::now()),
    waits: Mutex::default(),
    unlocks: Mutex::default(),
});

/// See `gmp::profile::set_block_rate`.
pub fn set_block_rate(rate: u64) {
    LazyLock::force(&TABLES);
    contention::set_block_rate(observe, rate);
}

/// See `gmp::profile::set_mutex_fraction`.
pub fn set_mutex_fraction(fraction: u64) -> u64 {
    LazyLock::force(&TABLES);
    contention::set_mutex_fraction(observe, fraction)
}

/// Where goroutines and threads have waited so far, on a thread made for it.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
pub fn block() -> Profile {
    read(Kind::Block, &TABLES.waits, "gmp::profile::block")
}

/// Who has held up others so far, on a thread made for it.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
pub fn mutex() -> Profile {
    read(Kind::Mutex, &TABLES.unlocks, "gmp::profile::mutex")
}

/// Adds a sample, on the stack that it is of.
#[inline(never)]
fn observe(what: Contention, rate: u64) {
    let (table, sum) = match what {
        Contention::Waited(time) => (&TABLES.waits, waited(time, rate)),
        Contention::HeldUp(time) => (&TABLES.unlocks, held_up(time, rate)),
    };
    let mut addresses = [0_usize; MOST_FRAMES];
    let mut depth = 0;
    // SAFETY: the lock that it does without guards tables of symbols, and nothing is resolved here.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            let address = frame.ip().addr();
            // Before a goroutine's first frame there is none.
            if address == 0 {
                return false;
            }
            addresses[depth] = address;
            depth += 1;
            depth < MOST_FRAMES
        });
    }
    let stack: Box<[usize]> = addresses[..depth].into();
    for _ in 0..TRIES {
        if let Ok(mut table) = table.try_lock() {
            let all = table.entry(stack).or_default();
            (all.count, all.nanos) = (all.count + sum.count, all.nanos + sum.nanos);
            return;
        }
        core::hint::spin_loop();
    }
}

/// What a wait that was drawn stands for: one shorter than the rate, for as many as were not drawn.
fn waited(time: Duration, rate: u64) -> Sum {
    let (nanos, rate) = (time.as_nanos().max(1) as f64, rate as f64);
    if nanos < rate { Sum { count: rate / nanos, nanos: rate } } else { Sum { count: 1.0, nanos } }
}

fn held_up(time: Duration, fraction: u64) -> Sum {
    let fraction = fraction as f64;
    Sum { count: fraction, nanos: fraction * time.as_nanos() as f64 }
}

fn read(kind: Kind, table: &Mutex<Table>, call: &str) -> Profile {
    elsewhere("gmp-profile", call, || {
        let table = table.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut symbols = Symbols::default();
        let mut samples: Vec<_> =
            table.into_iter().map(|(stack, sum)| sample(&mut symbols, &stack, sum)).collect();
        samples.sort_by_key(|sample| core::cmp::Reverse(sample.time));
        Profile { kind, began: TABLES.began.0, took: TABLES.began.1.elapsed(), samples }
    })
}

fn sample(symbols: &mut Symbols, stack: &[usize], sum: Sum) -> Sample {
    let frames = symbols.resolve(stack);
    let shown = without_inner_std(&frames[without_runtime(&frames, true)]);
    Sample {
        stack: shown.iter().map(|frame| Arc::from([frame.clone()])).collect(),
        labels: Vec::new(),
        count: sum.count.round() as u64,
        time: Duration::from_nanos(sum.nanos as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_stands_for_what_is_not() {
        let short = waited(Duration::from_nanos(10), 1_000);
        assert_eq!((short.count, short.nanos), (100.0, 1_000.0));
        let long = waited(Duration::from_nanos(5_000), 1_000);
        assert_eq!((long.count, long.nanos), (1.0, 5_000.0));
        let unlock = held_up(Duration::from_nanos(50), 8);
        assert_eq!((unlock.count, unlock.nanos), (8.0, 400.0));
    }
}
