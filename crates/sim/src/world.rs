//! What a virtual runtime consists of: Ps with the policy's real queues, Ms, goroutines, and what they share.

use crate::clock::{Clock, Time};
use crate::costs::{Costs, QueueCosts};
use crate::figures::Counts;
use crate::line::{Fabric, Line};
use crate::machine::Machine;
use crate::opinions::{IdleRule, Order};
use crate::store::Store;
use crate::ticket::Ticket;
use crate::workload::{Do, Program, Task};
use gmp_core::IdleWord;
use gmp_core::contract::{Policy, QueueConfig, RunQueue};
use gmp_core::queue::Rng;
use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

type QueueOf<P> = <P as Policy>::Queue<Ticket>;
type ThiefOf<P> = <QueueOf<P> as RunQueue<Ticket>>::Thief;

/// A virtual runtime.
pub(crate) struct World<P: Policy> {
    pub(crate) costs: Costs,
    pub(crate) queue_costs: QueueCosts,
    pub(crate) fabric: Fabric,
    pub(crate) clock: Clock,
    pub(crate) counts: Counts,
    pub(crate) ps: Vec<Proc<P>>,
    pub(crate) ms: RefCell<Vec<Rc<Mach>>>,
    pub(crate) store: Store,
    /// Words of the program that its goroutines share, by number.
    pub(crate) words: RefCell<Vec<Rc<Line>>>,
    pub(crate) goroutines: RefCell<Vec<Goroutine>>,
    pub(crate) program: RefCell<Box<dyn Program>>,
    pub(crate) shared: P::Shared<Ticket>,
    pub(crate) shared_line: Line,
    pub(crate) shared_lock: Lock,
    pub(crate) idle: IdleWord,
    pub(crate) idle_line: Line,
    pub(crate) rule: Box<dyn IdleRule>,
    pub(crate) order: Box<dyn Order>,
    /// The scheduler's lock; the lists below are changed by its holder.
    pub(crate) lock: Lock,
    pub(crate) idle_ps: RefCell<Vec<usize>>,
    pub(crate) idle_ms: RefCell<Vec<usize>>,
    /// The M that sleeps until the earliest timer, and until when.
    pub(crate) timer_m: Cell<Option<(usize, Time)>>,
    /// When the first goroutine ended.
    pub(crate) over: Cell<Option<Time>>,
    seed: u64,
}

/// A virtual P.
pub(crate) struct Proc<P: Policy> {
    pub(crate) queue: RefCell<QueueOf<P>>,
    pub(crate) thief: ThiefOf<P>,
    pub(crate) line: Line,
    pub(crate) tick: Cell<u32>,
    /// sysmon has seen the same tick for a whole round.
    pub(crate) slice_is_over: Cell<bool>,
    pub(crate) tick_seen: Cell<Option<u32>>,
    /// Whether it is on the list of idle Ps, or taken from it by an M that is not up yet.
    pub(crate) idle: Cell<bool>,
    pub(crate) runs: Cell<bool>,
    pub(crate) cpu: Cell<Option<usize>>,
    /// Deadlines, each with a number that keeps those of one moment in order, and the goroutine.
    pub(crate) timers: RefCell<BinaryHeap<Reverse<(Time, u64, usize)>>>,
}

/// A virtual M.
pub(crate) struct Mach {
    pub(crate) id: usize,
    pub(crate) cpu: usize,
    pub(crate) p: Cell<Option<usize>>,
    pub(crate) next_p: Cell<Option<usize>>,
    pub(crate) spinning: Cell<bool>,
    pub(crate) rng: RefCell<Rng>,
    /// Whether somebody has woken it.
    pub(crate) note: Cell<bool>,
    pub(crate) asleep: Cell<bool>,
    /// Counts its sleeps and wakes, so that what was announced for one is not taken for another's.
    pub(crate) sleeps: Cell<u64>,
    /// When its thread runs, while it has been woken and is not up yet.
    pub(crate) coming: Cell<Option<Time>>,
    /// Whom it has woken and not made way for since, each with the number of that wake.
    pub(crate) woken: RefCell<Vec<(usize, u64)>>,
    pub(crate) awake_since: Cell<Time>,
}

/// A virtual goroutine.
pub(crate) struct Goroutine {
    /// The right to run it, while it is in no queue.
    pub(crate) ticket: Option<Ticket>,
    pub(crate) task: Task,
    /// What it was about to do when its slice ended.
    pub(crate) pending: Option<Do>,
    pub(crate) parked: bool,
    pub(crate) permit: bool,
    pub(crate) done: bool,
    pub(crate) joiner: Option<usize>,
    /// The CPU on which it ran last, or was spawned.
    pub(crate) cpu: usize,
    pub(crate) record: u32,
    /// Its stack, from its first run to its end.
    pub(crate) stack: Option<u32>,
    pub(crate) runnable_since: Time,
}

/// A lock of the runtime: an M that comes while it is held waits in line.
#[derive(Debug, Default)]
pub(crate) struct Lock {
    pub(crate) line: Line,
    pub(crate) free_at: Cell<Time>,
}

/// What a world is made of.
pub(crate) struct Parts {
    pub(crate) costs: Costs,
    pub(crate) machine: Machine,
    pub(crate) procs: usize,
    pub(crate) seed: u64,
    pub(crate) program: Box<dyn Program>,
    pub(crate) rule: Box<dyn IdleRule>,
    pub(crate) order: Box<dyn Order>,
}

impl<P: Policy> World<P> {
    /// A runtime about to begin: M 0 holds P 0, the other Ps are idle, the first goroutine is queued.
    pub(crate) fn new(parts: Parts, store: Store) -> Self {
        let Parts { costs, machine, procs, seed, program, rule, order } = parts;
        let world = Self {
            queue_costs: costs.queue(P::NAME).clone(),
            fabric: Fabric::new(machine, &costs.machine),
            costs,
            clock: Clock::default(),
            counts: Counts::default(),
            ps: (0..procs).map(|p| Proc::new(seed, p)).collect(),
            ms: RefCell::default(),
            store,
            words: RefCell::default(),
            goroutines: RefCell::default(),
            program: RefCell::new(program),
            shared: P::Shared::default(),
            shared_line: Line::default(),
            shared_lock: Lock::default(),
            idle: IdleWord::new(),
            idle_line: Line::default(),
            rule,
            order,
            lock: Lock::default(),
            idle_ps: RefCell::new((1..procs).rev().collect()),
            idle_ms: RefCell::default(),
            timer_m: Cell::new(None),
            over: Cell::new(None),
            seed,
        };
        (1..procs).for_each(|_| world.idle.p_idle());
        world
    }

    /// M 0 is to begin with P 0. The other Ms have been up before and sleep, so that the simulated runtime is one at
    /// work and not one that starts.
    pub(crate) fn begin(&self) {
        (0..self.procs()).for_each(|_| drop(self.new_m()));
        self.ms.borrow()[0].next_p.set(Some(0));
        for m in self.ms.borrow().iter().skip(1).rev() {
            m.asleep.set(true);
            self.idle_ms.borrow_mut().push(m.id);
        }
    }

    pub(crate) fn procs(&self) -> usize {
        self.ps.len()
    }

    /// A new M, which stays on the CPU of its number.
    pub(crate) fn new_m(&self) -> Rc<Mach> {
        let mut ms = self.ms.borrow_mut();
        let id = ms.len();
        let m = Rc::new(Mach {
            id,
            cpu: id % self.procs(),
            p: Cell::new(None),
            next_p: Cell::new(None),
            spinning: Cell::new(false),
            rng: RefCell::new(Rng::new(mixed(self.seed, id as u64))),
            note: Cell::new(false),
            asleep: Cell::new(false),
            sleeps: Cell::new(0),
            coming: Cell::new(None),
            woken: RefCell::default(),
            awake_since: Cell::new(self.clock.now()),
        });
        ms.push(Rc::clone(&m));
        self.counts.threads.add(1);
        m
    }

    /// A new goroutine, runnable and in no queue yet, spawned on P `p`.
    pub(crate) fn new_goroutine(&self, task: Task, p: usize, cpu: usize) -> usize {
        let mut all = self.goroutines.borrow_mut();
        let number = all.len();
        all.push(Goroutine {
            ticket: Some(Ticket::new(number)),
            task,
            pending: None,
            parked: false,
            permit: false,
            done: false,
            joiner: None,
            cpu,
            record: self.store.records.take(p),
            stack: None,
            runnable_since: self.clock.now(),
        });
        self.counts.born();
        number
    }

    /// Calls `change` with a goroutine.
    pub(crate) fn with<R>(&self, g: usize, change: impl FnOnce(&mut Goroutine) -> R) -> R {
        change(&mut self.goroutines.borrow_mut()[g])
    }

    /// A word that goroutines of the program share.
    pub(crate) fn word(&self, number: usize) -> Rc<Line> {
        let mut words = self.words.borrow_mut();
        if words.len() <= number {
            words.resize_with(number + 1, Rc::default);
        }
        Rc::clone(&words[number])
    }

    pub(crate) fn earliest_timer(&self) -> Option<Time> {
        self.ps.iter().filter_map(Proc::next_timer).min()
    }
}

impl<P: Policy> Proc<P> {
    fn new(seed: u64, p: usize) -> Self {
        let (queue, thief) = RunQueue::new(&QueueConfig { seed: mixed(seed, !(p as u64)) });
        Self {
            queue: RefCell::new(queue),
            thief,
            line: Line::default(),
            tick: Cell::new(0),
            slice_is_over: Cell::new(false),
            tick_seen: Cell::new(None),
            idle: Cell::new(true),
            runs: Cell::new(false),
            cpu: Cell::new(None),
            timers: RefCell::default(),
        }
    }

    pub(crate) fn next_timer(&self) -> Option<Time> {
        self.timers.borrow().peek().map(|Reverse((at, _, _))| *at)
    }
}

/// A seed of its own for number `of`, derived from the run's.
fn mixed(seed: u64, of: u64) -> u64 {
    Rng::new(seed ^ of.wrapping_mul(0xd134_2543_de82_ef95)).next_u64()
}
