//! `runq` for each policy's queue, on probes: the queue alone, without a runtime.

use super::policies;
use crate::cell::{Cell, Figures, Result, expect};
use crate::runq::{self, Owner};
use gmp_core::contract::List;
use gmp_core::contract::{Policy, QueueConfig, RunQueue, SharedQueue, Slot, Steal, StealRound, Thief};
use gmp_core::suite::{Ledger, Probe, SharedOf};
use std::sync::{Mutex, PoisonError};

/// Probes there are: many times what is in the queue, so that the owner never waits for stolen ones to come back.
const PROBES: usize = 4096;

pub(super) fn run(cell: &Cell) -> Result<Figures> {
    // As in a runtime, where making it would have done this.
    gmp_core::only_p::provide::<gmp_arch_amd64::Amd64>();
    policies::for_policy!(cell, P => {
        // Where a P's own queue holds nothing, what all Ps share is the run queue.
        if <Queue<P> as RunQueue<Probe>>::CAPACITY == Some(0) { shared::<P>(cell) } else { pairs::<P>(cell) }
    })
}

type Queue<P> = <P as Policy>::Queue<Probe>;

/// The owner's half, and the probes that are in no queue at the moment.
struct Own<'a, P: Policy> {
    queue: Queue<P>,
    /// The probe that was popped last: it is pushed next, so that the timed loop touches no other memory.
    held: Option<Probe>,
    spare: Vec<Probe>,
    /// Where the thief puts what it stole.
    stolen: &'a Mutex<Vec<Probe>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<P: Policy> Own<'_, P> {
    #[cold]
    fn fetch(&mut self) -> Option<Probe> {
        if self.spare.is_empty() {
            self.spare.append(&mut locked(self.stolen));
        }
        self.spare.pop()
    }
}

impl<P: Policy> Owner for Own<'_, P> {
    fn push(&mut self) -> bool {
        let Some(probe) = self.held.take().or_else(|| self.fetch()) else { return false };
        let spare = &mut self.spare;
        let mut spilled = 0;
        self.queue.push(probe, Slot::Back, &mut |batch: List<Probe>| {
            for probe in batch {
                spare.push(probe);
                spilled += 1;
            }
        });
        spilled == 0
    }

    fn pop(&mut self) -> bool {
        let Some(popped) = self.queue.pop() else { return false };
        if let Some(before) = self.held.replace(popped.token) {
            self.spare.push(before);
        }
        true
    }
}

/// What an M does that looks for work, with a victim that runs: all rounds, and the back-off if it is asked for.
fn look<P: Policy>(thief: &<Queue<P> as RunQueue<Probe>>::Thief, mine: &mut Queue<P>) -> Option<Probe> {
    let rounds = P::RULES.steal_rounds;
    for round in 1..=rounds {
        let mut round = StealRound { last: round == rounds, victim_runs: true, backed_off: false };
        let mut steal = thief.steal_into(mine, round);
        if let Steal::BackOff(pause) = steal {
            std::thread::sleep(pause);
            round.backed_off = true;
            steal = thief.steal_into(mine, round);
        }
        if let Steal::Taken(probe) = steal {
            return Some(probe);
        }
    }
    None
}

fn pairs<P: Policy>(cell: &Cell) -> Result<Figures> {
    let (ledger, stolen) = (Ledger::new(PROBES), Mutex::new(Vec::with_capacity(PROBES)));
    let (queue, thief) = Queue::<P>::new(&QueueConfig { seed: 1 });
    let spare = (0..PROBES).map(|_| ledger.mint()).collect();
    let mut own = Own::<P> { queue, held: None, spare, stolen: &stolen };
    let (mine, _) = Queue::<P>::new(&QueueConfig { seed: 2 });
    let mine = Mutex::new(mine);
    let steal = || {
        let mut mine = locked(&mine);
        let Some(first) = look::<P>(&thief, &mut mine) else { return 0 };
        let mut stolen = locked(&stolen);
        let before = stolen.len();
        stolen.push(first);
        stolen.extend(std::iter::from_fn(|| mine.pop().map(|popped| popped.token)));
        (stolen.len() - before) as u64
    };
    let figures = runq::pairs(cell, &mut own, steal)?;
    let Own { held, spare, .. } = own;
    let back: Vec<Probe> = held.into_iter().chain(spare).chain(locked(&stolen).drain(..)).collect();
    let numbers = back.into_iter().map(Probe::consume).count();
    expect("probes that came back", numbers, PROBES)?;
    Ok(figures)
}

/// The owner's half where all Ps have one queue.
struct OnShared<'a, P: Policy> {
    queue: &'a SharedOf<P>,
    held: Option<Probe>,
    spare: Vec<Probe>,
}

impl<P: Policy> Owner for OnShared<'_, P> {
    fn push(&mut self) -> bool {
        let Some(probe) = self.held.take().or_else(|| self.spare.pop()) else { return false };
        self.queue.push(probe);
        true
    }

    fn pop(&mut self) -> bool {
        let Some(probe) = self.queue.pop() else { return false };
        if let Some(before) = self.held.replace(probe) {
            self.spare.push(before);
        }
        true
    }
}

/// For a policy whose queues hold nothing: the queue that it has instead. The thief is another P that takes its next
/// goroutine, and puts one back for it.
fn shared<P: Policy>(cell: &Cell) -> Result<Figures> {
    let ledger = Ledger::new(PROBES);
    let queue = SharedOf::<P>::default();
    let spare = (0..PROBES).map(|_| ledger.mint()).collect();
    let mut own = OnShared::<P> { queue: &queue, held: None, spare };
    let figures = runq::pairs(cell, &mut own, || {
        if let Some(probe) = queue.pop() {
            queue.push(probe);
        }
        0
    })?;
    let OnShared { held, spare, .. } = own;
    let numbers = held.into_iter().chain(spare).map(Probe::consume).count();
    expect("probes that came back", numbers, PROBES)?;
    Ok(figures)
}
