//! Concurrent runs: the operations of a [`Script`], an owner against thieves that really run, and the history of what
//! came out where. The run itself checks that each token came out exactly once; [`history`](super::history) compares
//! the history with what the queue promises, and a policy may look for more in it.

use super::gate::{Gate, Trouble};
use super::script::{Op, Raid, Script};
use crate::contract::{List, RunQueue, Steal, StealRound, Thief};
use crate::suite::{CONFIG, Ledger, Probe};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread;

/// When an operation ran, by the run's clock: what ended before another began happened before it. In a run without
/// a clock every span is [`Span::ALWAYS`], which is before nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Not before this.
    pub from: u64,
    /// Not after this.
    pub to: u64,
}

impl Span {
    /// At a time that is not known.
    pub const ALWAYS: Span = Span { from: 0, to: u64::MAX };

    /// Whether it was over when `other` began.
    pub fn before(self, other: Span) -> bool {
        self.to < other.from
    }
}

/// What the owner saw leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A pop, and whether it inherits.
    Popped(u64, bool),
    /// A batch that a push spilled.
    Spilled(Vec<u64>),
    /// What was left in a batch for want of room.
    StayedInBatch(Vec<u64>),
}

/// One successful steal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stolen {
    /// What the thief knew.
    pub round: StealRound,
    /// When it happened.
    pub span: Span,
    /// The token to run.
    pub ran: u64,
    /// The others, in the order in which the thief's own queue gives them.
    pub others: Vec<u64>,
}

/// Which tokens came out where, each place in its order.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When each of the owner's operations ran: the script's, then the pops that drain the queue.
    pub spans: Vec<Span>,
    /// What the owner took or saw leave, with the index of its operation.
    pub owner: Vec<(usize, Left)>,
    /// The operations that called the queue empty: a look, or a pop that gave nothing.
    pub dry: Vec<usize>,
    /// What each thief stole.
    pub thieves: Vec<Vec<Stolen>>,
    /// When thieves' looks called the queue empty. Some hundreds of each thief; none without a clock.
    pub looks: Vec<Span>,
}

/// Orders what happens in a concurrent run, by sequentially consistent steps. Such steps hide the races that a fence
/// would hide, so a fuzzer runs each script without the clock too.
#[derive(Default)]
struct Clock {
    ticks: AtomicU64,
    stopped: bool,
}

impl Clock {
    fn time<R>(&self, operation: impl FnOnce() -> R) -> (Span, R) {
        if self.stopped {
            return (Span::ALWAYS, operation());
        }
        let from = self.ticks.fetch_add(1, SeqCst);
        let outcome = operation();
        (Span { from, to: self.ticks.fetch_add(1, SeqCst) }, outcome)
    }
}

/// How many empty looks of a thief are kept.
const LOOKS: usize = 300;

impl Script {
    /// Runs the script once, with or without a clock. Panics if a token is lost or doubled.
    pub fn run<Q: RunQueue<Probe>>(&self, timed: bool) -> History {
        let ledger = Ledger::new(self.tokens());
        let (mut queue, thief) = Q::new(&CONFIG);
        let (trouble, over) = (Trouble::default(), AtomicBool::new(false));
        let clock = Clock { stopped: !timed, ..Clock::default() };
        let everybody = self.thieves.len() + 1;
        let mut history = History::default();
        thread::scope(|scope| {
            let raiders: Vec<_> = self
                .thieves
                .iter()
                .map(|raids| {
                    let (thief, trouble, over, clock) = (thief.clone(), &trouble, &over, &clock);
                    scope.spawn(move || {
                        trouble.catch(|gate| {
                            gate.meet(everybody);
                            let over = || {
                                gate.check();
                                over.load(SeqCst)
                            };
                            raid::<Q>(&thief, raids, clock, over)
                        })
                    })
                })
                .collect();
            trouble.catch(|gate| {
                gate.meet(everybody);
                self.own(&mut queue, &ledger, &clock, gate, &mut history);
            });
            over.store(true, SeqCst);
            for (stolen, looks) in raiders.into_iter().filter_map(|raider| raider.join().ok().flatten()) {
                history.thieves.push(stolen);
                history.looks.extend(looks);
            }
        });
        trouble.report();
        let told_empty = queue.is_empty() && thief.is_empty() && thief.len() == 0;
        if !told_empty && let Some(popped) = queue.pop() {
            panic!("a pop gave nothing, and the next one gave {} (Q3)", popped.token.consume());
        }
        ledger.settle();
        assert!(told_empty, "all came out, and the queue is called not empty (Q2)");
        history
    }

    fn own<Q: RunQueue<Probe>>(
        &self,
        queue: &mut Q,
        ledger: &Ledger,
        clock: &Clock,
        gate: &Gate,
        history: &mut History,
    ) {
        for (step, op) in self.owner.iter().enumerate() {
            gate.check();
            let before = history.owner.len();
            let (span, ()) = match *op {
                Op::Push(slot) => {
                    let probe = ledger.mint();
                    let left = &mut history.owner;
                    let mut spill = |batch: List<Probe>| {
                        left.push((step, Left::Spilled(batch.map(Probe::consume).collect())));
                    };
                    clock.time(|| queue.push(probe, slot, &mut spill))
                }
                Op::PushBatch(count) => {
                    let mut batch = (0..count).map(|_| ledger.mint()).collect();
                    let timed = clock.time(|| queue.push_batch(&mut batch));
                    history.owner.push((step, Left::StayedInBatch(batch.map(Probe::consume).collect())));
                    timed
                }
                Op::Pop => {
                    let (span, gave) = clock.time(|| queue.pop());
                    match gave {
                        Some(popped) => {
                            history.owner.push((step, Left::Popped(popped.token.consume(), popped.inherits)))
                        }
                        None => history.dry.push(step),
                    }
                    (span, ())
                }
                Op::Look => {
                    let (span, empty) = clock.time(|| queue.is_empty());
                    history.dry.extend(empty.then_some(step));
                    (span, ())
                }
                Op::Pause(0) => (Span::ALWAYS, thread::yield_now()),
                Op::Pause(spins) => (Span::ALWAYS, (0..spins).for_each(|_| std::hint::spin_loop())),
            };
            history.spans.push(span);
            let batches = history.owner[before..].iter().filter(|(_, left)| matches!(left, Left::Spilled(_)));
            assert!(batches.count() <= 1, "one push spilled more than one batch (Q4)");
        }
        loop {
            let (span, gave) = clock.time(|| queue.pop());
            let step = history.spans.len();
            history.spans.push(span);
            let Some(popped) = gave else { return history.dry.push(step) };
            history.owner.push((step, Left::Popped(popped.token.consume(), popped.inherits)));
        }
    }
}

fn raid<Q: RunQueue<Probe>>(
    victim: &Q::Thief,
    raids: &[Raid],
    clock: &Clock,
    over: impl Fn() -> bool,
) -> (Vec<Stolen>, Vec<Span>) {
    let (mut own, own_thief) = Q::new(&CONFIG);
    let (mut stolen, mut looks) = (Vec::new(), Vec::new());
    for &raid in raids.iter().cycle() {
        if over() {
            break;
        }
        let round = match raid {
            Raid::Steal(round) => round,
            Raid::Look => {
                let (span, empty) = clock.time(|| victim.is_empty());
                if empty && !clock.stopped && looks.len() < LOOKS {
                    looks.push(span);
                }
                continue;
            }
        };
        let (span, outcome) = clock.time(|| victim.steal_into(&mut own, round));
        match outcome {
            Steal::Taken(probe) => {
                let others = std::iter::from_fn(|| own.pop()).map(|popped| {
                    assert!(!popped.inherits, "a stolen token inherits its thief's time slice (Q6)");
                    popped.token.consume()
                });
                stolen.push(Stolen { round, span, others: others.collect(), ran: probe.consume() });
            }
            Steal::BackOff(_) => assert!(!round.backed_off, "asked to back off twice (Q7)"),
            Steal::Empty | Steal::Retry => thread::yield_now(),
        }
        assert!(own_thief.is_empty(), "tokens moved by a steal that gave none to run (Q7)");
    }
    (stolen, looks)
}
