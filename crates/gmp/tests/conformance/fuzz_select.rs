//! Pseudo-random programs whose selects have at most one ready case, so that the random choice does not matter.
//!
//! Which channel may be ready is counted beside the channels: a goroutine that may block on one is counted before it
//! blocks, and until it runs again. Odd seeds select by `select!`, even ones by [`Select`]; Go's program has no such
//! difference.
use crate::fuzz::Rng;
use crate::prelude::*;
use gmp::{Receiver, Select, Sender, chan, never, select};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

const CAPACITIES: [usize; 6] = [0, 0, 0, 1, 2, 3];

struct Channel {
    tx: Sender<u32>,
    rx: Receiver<u32>,
    sending: AtomicUsize,
    receiving: AtomicUsize,
}

#[derive(Clone, Copy, PartialEq)]
struct Case {
    channel: usize,
    sends: bool,
}

struct World {
    channels: Vec<Channel>,
    /// Go's nil channel: nothing comes out of one end, and nobody takes what would go into the other.
    nil: (Sender<u32>, Receiver<u32>, Receiver<u32>),
    live: AtomicUsize,
    id: AtomicUsize,
    log: std::sync::Mutex<Hash>,
    by_macro: bool,
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

    fn may_be_ready(&self, case: Case) -> bool {
        let channel = &self.channels[case.channel];
        if case.sends {
            !channel.tx.is_full() || channel.receiving.load(Relaxed) > 0
        } else {
            !channel.rx.is_empty() || channel.sending.load(Relaxed) > 0
        }
    }

    /// Counts the caller as possibly blocked in these cases, until the guard is dropped.
    fn counted<'w>(&'w self, cases: &[Case]) -> impl Drop + use<'w> {
        let count = |case: &Case| {
            let channel = &self.channels[case.channel];
            if case.sends { &channel.sending } else { &channel.receiving }
        };
        let counts: Vec<_> = cases.iter().map(count).collect();
        counts.iter().for_each(|count| _ = count.fetch_add(1, Relaxed));
        defer(move || counts.iter().for_each(|count| _ = count.fetch_sub(1, Relaxed)))
    }

    /// Of the cases that may be ready only the first is used, and no case twice: which of two equal ones is served is
    /// random.
    fn choose(&self, rng: &mut Rng, n: u32) -> Vec<Case> {
        let mut cases = Vec::new();
        let mut ready = false;
        for _ in 0..n {
            let case = Case { channel: rng.next(6) as usize, sends: rng.next(2) == 0 };
            if cases.contains(&case) {
                continue;
            }
            if self.may_be_ready(case) {
                if ready {
                    continue;
                }
                ready = true;
            }
            cases.push(case);
        }
        cases
    }

    /// Which case it was, and what was received.
    fn select(&self, id: u32, cases: &[Case], default: bool) -> (u32, u32) {
        let _counted = self.counted(cases);
        if self.by_macro { self.by_macro(id, cases, default) } else { self.by_builder(id, cases, default) }
    }

    fn by_macro(&self, id: u32, cases: &[Case], default: bool) -> (u32, u32) {
        let s: [_; 3] = std::array::from_fn(|i| match cases.get(i) {
            Some(case) if case.sends => &self.channels[case.channel].tx,
            _ => &self.nil.0,
        });
        let r: [_; 3] = std::array::from_fn(|i| match cases.get(i) {
            Some(case) if !case.sends => &self.channels[case.channel].rx,
            _ => &self.nil.1,
        });
        if default {
            return select! {
                send(s[0], id) -> _ => (0, 0),
                recv(r[0]) -> v => (0, v.unwrap()),
                send(s[1], id) -> _ => (1, 0),
                recv(r[1]) -> v => (1, v.unwrap()),
                default => (7, 0),
            };
        }
        select! {
            send(s[0], id) -> _ => (0, 0),
            recv(r[0]) -> v => (0, v.unwrap()),
            send(s[1], id) -> _ => (1, 0),
            recv(r[1]) -> v => (1, v.unwrap()),
            send(s[2], id) -> _ => (2, 0),
            recv(r[2]) -> v => (2, v.unwrap()),
        }
    }

    fn by_builder(&self, id: u32, cases: &[Case], default: bool) -> (u32, u32) {
        let mut select = Select::new();
        for case in cases {
            let channel = &self.channels[case.channel];
            if case.sends {
                select.send(&channel.tx, id)
            } else {
                select.recv(&channel.rx)
            };
        }
        let operation = if default { select.try_select() } else { Some(select.select()) };
        let Some(operation) = operation else { return (7, 0) };
        let index = operation.index();
        let channel = &self.channels[cases[index].channel];
        if cases[index].sends {
            operation.send(&channel.tx).unwrap();
            (index as u32, 0)
        } else {
            (index as u32, operation.recv(&channel.rx).unwrap())
        }
    }

    fn spawn(self: &Arc<Self>, rng: &mut Rng, depth: u32) {
        let id = self.new_id();
        let (world, seed) = (self, Rng(rng.next(1 << 23)));
        go!(world, || world.script(id, seed, depth));
    }

    /// Waits for the end or for a value.
    fn listen(&self, id: u32, channel: usize, done: &Receiver<u32>, closed: &AtomicBool) {
        let case = Case { channel, sends: false };
        let got = if closed.load(Relaxed) || self.may_be_ready(case) {
            u32::from(done.recv().is_err())
        } else {
            let _counted = self.counted(&[case]);
            select! {
                recv(done) -> _ => 2,
                recv(self.channels[channel].rx) -> v => 3 << 16 | v.unwrap(),
            }
        };
        self.word(id << 8 | 254);
        self.word(got);
        self.live.fetch_sub(1, Relaxed);
    }

    fn listeners(self: &Arc<Self>, c: u32) {
        let (close, done) = chan(0);
        let closed = Arc::new(AtomicBool::new(false));
        for j in 0..=c % 3 {
            let (world, id) = (self, self.new_id());
            go!(world, done, closed, || world.listen(id, (c + j) as usize % 6, &done, &closed));
        }
        gmp::yield_now();
        closed.store(true, Relaxed);
        close.close();
    }

    fn script(self: &Arc<Self>, id: u32, mut rng: Rng, depth: u32) {
        self.word(id << 8);
        for _ in 0..4 + rng.next(12) {
            let (op, c) = (rng.next(16), rng.next(6));
            let channel = &self.channels[c as usize];
            let mut got = 0;
            match op {
                0..=1 => gmp::yield_now(),
                2..=3 => {
                    let _counted = self.counted(&[Case { channel: c as usize, sends: true }]);
                    channel.tx.send(id).unwrap();
                }
                4..=5 => {
                    let _counted = self.counted(&[Case { channel: c as usize, sends: false }]);
                    got = channel.rx.recv().unwrap();
                }
                6 => got = channel.tx.try_send(id).is_ok().into(),
                7 => got = channel.rx.try_recv().unwrap_or(0),
                8..=13 => {
                    let cases = self.choose(&mut rng, if op == 11 || op == 12 { 3 } else { 2 });
                    let (i, v) = self.select(id, &cases, op == 13);
                    got = i << 16 | v;
                }
                14 if depth > 0 => self.spawn(&mut rng, depth - 1),
                15 => self.listeners(c),
                _ => {}
            }
            self.word(id << 8 | op << 4 | c);
            self.word(got);
        }
        self.live.fetch_sub(1, Relaxed);
        self.word(id << 8 | 255);
    }

    /// Unblocks something; says whether that was an event.
    fn poke(&self, stuck: &Cell<usize>) -> bool {
        (0..2 * CAPACITIES.len()).any(|_| {
            let channel = &self.channels[stuck.get() / 2 % CAPACITIES.len()];
            stuck.set(stuck.get() + 1);
            let event = if stuck.get().is_multiple_of(2) {
                channel.tx.try_send(0).is_ok().then_some(1 << 24)
            } else {
                channel.rx.try_recv().ok().map(|v| 1 << 24 | v)
            };
            event.inspect(|event| self.word(*event)).is_some()
        })
    }
}

fn run(seed: u32, roots: u32) {
    let channel = |capacity| {
        let (tx, rx) = chan(capacity);
        Channel { tx, rx, sending: AtomicUsize::new(0), receiving: AtomicUsize::new(0) }
    };
    let (unserved, unused) = chan(0);
    let world = &Arc::new(World {
        channels: CAPACITIES.map(channel).into(),
        nil: (unserved, never(), unused),
        live: AtomicUsize::new(0),
        id: AtomicUsize::new(0),
        log: std::sync::Mutex::new(Hash::new()),
        by_macro: seed % 2 == 1,
    });
    let mut rng = Rng(seed.wrapping_mul(2_654_435_761));
    for _ in 0..roots {
        world.spawn(&mut rng, 2);
    }
    let (stuck, mut idle) = (Cell::new(0), 0);
    while world.live.load(Relaxed) > 0 && world.id.load(Relaxed) < 40_000 && idle <= 8 {
        let was = world.events();
        gmp::yield_now();
        if world.events() == was {
            idle = if world.poke(&stuck) { 0 } else { idle + 1 };
        }
    }
    evn("seed=", seed);
    evn("left=", world.live.load(Relaxed));
    evn("goroutines=", world.id.load(Relaxed));
    world.log.lock().unwrap().line();
    nl();
}

/// 40 seeds with 6 goroutines to begin with, 4 with 300.
pub(crate) fn fuzz_select() {
    for seed in 1..=40 {
        twice(|| run(seed, 6));
    }
    for seed in 41..=44 {
        twice(|| run(seed, 300));
    }
}
