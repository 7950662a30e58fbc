//! Pseudo-random programs over mutexes, reader-writer locks, a condition variable, onces and wait groups.

use crate::fuzz::Rng;
use crate::prelude::*;
use gmp::sync::{Cond, Mutex, Once, RwLock, WaitGroup};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

struct World {
    mutexes: [Mutex<()>; 2],
    rw_locks: [RwLock<()>; 2],
    cond: Cond,
    onces: [Once; 4],
    live: AtomicUsize,
    id: AtomicUsize,
    log: std::sync::Mutex<Hash>,
}

fn yields(n: u32) {
    (0..n).for_each(|_| gmp::yield_now());
}

impl World {
    fn word(&self, word: u32) {
        self.log.lock().unwrap().word(word);
    }

    fn events(&self) -> usize {
        self.log.lock().unwrap().events
    }

    fn new_id(&self) -> u32 {
        self.live.fetch_add(1, Relaxed);
        self.id.fetch_add(1, Relaxed) as u32 + 1
    }

    fn spawn(self: &Arc<Self>, rng: &mut Rng, depth: u32, wg: Option<WaitGroup>) {
        let id = self.new_id();
        let (world, seed) = (self, Rng(rng.next(1 << 23)));
        go!(world, || {
            let _done = wg.as_ref().map(done_at_end);
            world.script(id, seed, depth);
        });
    }

    fn try_lock(&self, c: u32) -> bool {
        match c {
            0 => self.mutexes[0].try_lock().map(|held| {
                yields(1);
                held.unlock();
            }),
            1 => self.rw_locks[0].try_write().map(|held| {
                yields(1);
                drop(held);
            }),
            _ => self.rw_locks[1].try_read().map(|held| {
                yields(2);
                drop(held);
            }),
        }
        .is_some()
    }

    /// Starts some, and waits for them, sometimes together with another.
    fn group(self: &Arc<Self>, rng: &mut Rng, depth: u32, c: u32) {
        let wg = WaitGroup::new();
        for _ in 0..=c {
            wg.add(1);
            self.spawn(rng, depth - 1, Some(wg.clone()));
        }
        if c.is_multiple_of(2) {
            let (world, id) = (self, self.new_id());
            go!(world, wg, || {
                wg.wait();
                world.word(id << 8 | 253);
                world.live.fetch_sub(1, Relaxed);
            });
        }
        wg.wait();
    }

    fn script(self: &Arc<Self>, id: u32, mut rng: Rng, depth: u32) {
        self.word(id << 8);
        for _ in 0..3 + rng.next(8) {
            let (op, c) = (rng.next(14), rng.next(4));
            let (which, hold) = ((c % 2) as usize, c / 2);
            let mut got = 0;
            match op {
                0..=1 => gmp::yield_now(),
                2..=4 => {
                    let held = self.mutexes[which].lock();
                    self.word(id << 8 | 250);
                    yields(hold);
                    held.unlock();
                }
                5..=6 => {
                    let _held = self.rw_locks[which].read();
                    self.word(id << 8 | 251);
                    yields(hold);
                }
                7..=8 => {
                    let _held = self.rw_locks[which].write();
                    self.word(id << 8 | 252);
                    yields(hold);
                }
                9 => got = self.try_lock(c).into(),
                10 => {
                    let mut held = self.mutexes[0].lock();
                    match c {
                        0 => self.cond.wait(&mut held),
                        1..=2 => self.cond.notify_one(),
                        _ => self.cond.notify_all(),
                    }
                    held.unlock();
                }
                11 => self.onces[c as usize].call_once(|| {
                    got = 1;
                    gmp::yield_now();
                }),
                12 if depth > 0 => self.spawn(&mut rng, depth - 1, None),
                13 if depth > 0 => self.group(&mut rng, depth, c),
                _ => {}
            }
            self.word(id << 8 | op << 4 | c);
            self.word(got);
        }
        self.live.fetch_sub(1, Relaxed);
        self.word(id << 8 | 255);
    }
}

fn run(seed: u32, roots: u32) {
    let world = &Arc::new(World {
        mutexes: [Mutex::new(()), Mutex::new(())],
        rw_locks: [RwLock::new(()), RwLock::new(())],
        cond: Cond::new(),
        onces: [const { Once::new() }; 4],
        live: AtomicUsize::new(0),
        id: AtomicUsize::new(0),
        log: std::sync::Mutex::new(Hash::new()),
    });
    let mut rng = Rng(seed.wrapping_mul(2_654_435_761));
    for _ in 0..roots {
        world.spawn(&mut rng, 2, None);
    }
    while world.live.load(Relaxed) > 0 {
        let was = world.events();
        gmp::yield_now();
        if world.events() == was {
            world.cond.notify_one();
            world.word(1 << 24);
        }
    }
    evn("seed=", seed);
    evn("goroutines=", world.id.load(Relaxed));
    world.log.lock().unwrap().line();
    nl();
}

/// 40 seeds, 5 goroutines to begin with. A mutex that has been waited for over 1 ms hands itself over, which is not the
/// subject: a run counts only if all of it took less. That takes a few tries on a busy machine.
pub(crate) fn fuzz_sync() {
    for seed in 1..=40 {
        let mut tries = 0;
        again_until(|| {
            let start = Instant::now();
            run(seed, 5);
            tries += 1;
            start.elapsed() < Duration::from_millis(1) || tries == 1000
        });
    }
}
