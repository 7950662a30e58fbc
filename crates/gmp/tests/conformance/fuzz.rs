//! Pseudo-random programs: goroutines run scripts of random operations over shared channels and condition variables.
//!
//! The log of every operation is hashed, one line for each seed, so one wrong dispatch anywhere shows. Main drives: it
//! yields until a whole turn brings no event, then unblocks something, and goes on until all scripts have ended.

use crate::prelude::*;
use gmp::sync::{Cond, Mutex};
use gmp::{Receiver, Sender, chan, select};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The same generator as in Go's programs.
pub(crate) struct Rng(pub(crate) u32);

impl Rng {
    pub(crate) fn next(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % n
    }
}

/// What the goroutines of one program share.
struct World {
    /// Capacities 0 to 4.
    chans: Vec<(Sender<u32>, Receiver<u32>)>,
    conds: [Cond; 2],
    live: AtomicU32,
    id: AtomicU32,
    log: std::sync::Mutex<Hash>,
}

impl World {
    fn word(&self, word: u32) {
        self.log.lock().unwrap().word(word);
    }

    fn events(&self) -> usize {
        self.log.lock().unwrap().events
    }

    fn spawn(self: &Arc<Self>, rng: &mut Rng, depth: u32) {
        let id = self.id.fetch_add(1, Relaxed) + 1;
        self.live.fetch_add(1, Relaxed);
        let (world, seed) = (self, Rng(rng.next(1 << 23)));
        go!(world, || world.script(id, seed, depth));
    }

    fn script(self: &Arc<Self>, id: u32, mut rng: Rng, depth: u32) {
        self.word(id << 8);
        let mut k = 4 + rng.next(12);
        while k > 0 {
            let (op, c) = (rng.next(12), rng.next(5));
            let (tx, rx) = &self.chans[c as usize];
            let cond = &self.conds[(k % 2) as usize];
            let mut got = 0;
            match op {
                0..=2 => gmp::yield_now(),
                3..=4 => tx.send(id).unwrap(),
                5..=6 => got = rx.recv().unwrap(),
                7 => select! {
                    send(tx, id) -> _ => got = 1,
                    default => {},
                },
                8 => select! {
                    recv(rx) -> v => got = v.unwrap(),
                    default => {},
                },
                9 if depth > 0 => self.spawn(&mut rng, depth - 1),
                // Go's program waits without a lock, to be independent of time. A lock that nobody else knows amounts
                // to none.
                10 if c == 0 => cond.wait(&mut Mutex::new(()).lock()),
                10 if c < 3 => cond.notify_one(),
                10 => cond.notify_all(),
                11 if depth == 0 => {
                    self.spawn(&mut rng, 0);
                    k = 1;
                }
                11 => (0..=c).for_each(|_| self.spawn(&mut rng, 0)),
                _ => {}
            }
            self.word(id << 8 | op << 4 | c);
            self.word(got);
            k -= 1;
        }
        self.live.fetch_sub(1, Relaxed);
        self.word(id << 8 | 255);
    }

    /// Unblocks something; says whether that was an event.
    fn poke(&self, stuck: &mut usize) -> bool {
        let was = self.events();
        self.conds[*stuck % 2].notify_one();
        for _ in 0..2 * self.chans.len() {
            let (tx, rx) = &self.chans[*stuck % self.chans.len()];
            *stuck += 1;
            if stuck.is_multiple_of(2) {
                select! {
                    send(tx, 0) -> _ => self.word(1 << 24),
                    default => {},
                }
            } else {
                select! {
                    recv(rx) -> v => self.word(1 << 24 | v.unwrap()),
                    default => {},
                }
            }
            if self.events() != was {
                return true;
            }
        }
        false
    }
}

/// The program of this seed, which begins with this many goroutines.
fn run(seed: u32, roots: u32) {
    let world = &Arc::new(World {
        chans: (0..5).map(chan).collect(),
        conds: [Cond::new(), Cond::new()],
        live: AtomicU32::new(0),
        id: AtomicU32::new(0),
        log: std::sync::Mutex::new(Hash::new()),
    });
    let mut rng = Rng(seed.wrapping_mul(2_654_435_761));
    for _ in 0..roots {
        world.spawn(&mut rng, 2);
    }
    let (mut stuck, mut idle) = (0, 0);
    while world.live.load(Relaxed) > 0 && world.id.load(Relaxed) < 40_000 {
        let was = world.events();
        gmp::yield_now();
        if world.events() != was {
            continue;
        }
        idle = if world.poke(&mut stuck) { 0 } else { idle + 1 };
        if idle > 8 {
            break;
        }
    }
    evn("seed=", seed);
    evn("left=", world.live.load(Relaxed));
    evn("goroutines=", world.id.load(Relaxed));
    world.log.lock().unwrap().line();
    nl();
}

/// 40 seeds, 6 goroutines to begin with.
pub(crate) fn fuzz_small() {
    for seed in 1..41 {
        twice(|| run(seed, 6));
    }
}

/// 6 seeds, 400 goroutines to begin with: overflow, batches from the shared queue and the 61 rule come into play.
pub(crate) fn fuzz_wide() {
    for seed in 1..7 {
        twice(|| run(seed, 400));
    }
}
