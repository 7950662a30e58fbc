//! The laws of a run queue that need real thieves: exactly once (Q1) and no moving token out of sight (Q2).

use super::gate::{STUCK, Trouble};
use super::run_queue::fitting;
use crate::contract::{List, RunQueue, Slot, Steal, StealRound, Thief};
use crate::suite::{CONFIG, Ledger, Probe, Rng, TAKE_ANY};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Instant;

fn any_round(rng: &mut Rng) -> StealRound {
    StealRound { last: rng.once_in(2), victim_runs: rng.once_in(2), backed_off: rng.once_in(2) }
}

/// Steals once, and consumes what came out. Returns how many that were.
fn rob<Q: RunQueue<Probe>>(victim: &Q::Thief, own: &mut Q, round: StealRound) -> usize {
    let Steal::Taken(probe) = victim.steal_into(own, round) else { return 0 };
    probe.consume();
    let others = std::iter::from_fn(|| own.pop());
    1 + others.map(|popped| assert!(popped.token.consume() < u64::MAX)).count()
}

/// Q1: one owner that pushes, pops and spills, two thieves that steal all the time.
pub fn thieves_and_owner_share_without_loss<Q: RunQueue<Probe>>() {
    const TOKENS: usize = 20_000;
    let ledger = Ledger::new(TOKENS);
    let (mut queue, thief) = Q::new(&CONFIG);
    let (trouble, over) = (Trouble::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        for seed in 0..2 {
            let (thief, trouble, over) = (thief.clone(), &trouble, &over);
            scope.spawn(move || {
                trouble.catch(|gate| {
                    let (mut own, _) = Q::new(&CONFIG);
                    let mut rng = Rng::new(seed);
                    while !over.load(SeqCst) {
                        gate.check();
                        if rob(&thief, &mut own, any_round(&mut rng)) == 0 {
                            thread::yield_now();
                        }
                    }
                })
            });
        }
        trouble.catch(|gate| {
            let mut rng = Rng::new(99);
            let mut consume =
                |batch: List<Probe>| batch.for_each(|probe| assert!(probe.consume() < u64::MAX));
            while ledger.minted() < TOKENS {
                gate.check();
                // The pushes come in bursts, so that the queue now overflows and now runs dry.
                for _ in 0..rng.below(400).min(TOKENS - ledger.minted()) {
                    let slot = if rng.once_in(2) { Slot::Next } else { Slot::Back };
                    queue.push(ledger.mint(), slot, &mut consume);
                }
                for _ in 0..rng.below(300) {
                    queue.pop().map(|popped| popped.token.consume());
                }
            }
            while let Some(popped) = queue.pop() {
                popped.token.consume();
            }
        });
        over.store(true, SeqCst);
    });
    trouble.report();
    assert!(queue.is_empty() && thief.is_empty(), "drained and not empty (Q2)");
    ledger.settle();
}

/// Q1 where everybody is owner and thief at once, as in the runtime.
pub fn thieves_rob_each_other<Q: RunQueue<Probe>>() {
    const EACH: usize = 6_000;
    let ledger = Ledger::new(3 * EACH);
    let halves: Vec<(Q, Q::Thief)> = (0..3).map(|_| Q::new(&CONFIG)).collect();
    let thieves: Vec<Q::Thief> = halves.iter().map(|(_, thief)| thief.clone()).collect();
    let (trouble, robbed) = (Trouble::default(), AtomicUsize::new(0));
    thread::scope(|scope| {
        for (number, (mut queue, _)) in halves.into_iter().enumerate() {
            let (ledger, thieves, trouble, robbed) = (&ledger, &thieves, &trouble, &robbed);
            scope.spawn(move || {
                trouble.catch(|gate| {
                    let mut rng = Rng::new(number as u64);
                    let mut consume =
                        |batch: List<Probe>| batch.for_each(|probe| assert!(probe.consume() < u64::MAX));
                    let mut left = EACH;
                    let mut progress = (0, Instant::now());
                    while left > 0 || ledger.consumed() < 3 * EACH {
                        gate.check();
                        if ledger.consumed() != progress.0 {
                            progress = (ledger.consumed(), Instant::now());
                        }
                        assert!(progress.1.elapsed() < STUCK, "some tokens are nowhere to be had (Q1)");
                        if rng.once_in(2) && left > 0 {
                            let burst = rng.below(100).min(left);
                            left -= burst;
                            for _ in 0..burst {
                                let slot = if rng.once_in(2) { Slot::Next } else { Slot::Back };
                                queue.push(ledger.mint(), slot, &mut consume);
                            }
                        }
                        for _ in 0..rng.below(60) {
                            queue.pop().map(|popped| popped.token.consume());
                        }
                        if queue.is_empty() {
                            let victim = &thieves[rng.below(3)];
                            robbed.fetch_add(rob(victim, &mut queue, any_round(&mut rng)), SeqCst);
                            thread::yield_now();
                        }
                    }
                    assert!(queue.is_empty(), "all are gone (Q2)");
                })
            });
        }
    });
    trouble.report();
    assert!(thieves.iter().all(Thief::is_empty), "all are gone (Q2)");
    ledger.settle();
}

/// Q2. Go: TestSchedLocalQueueEmpty (`RunSchedLocalQueueEmptyTest`, Go 1.27): with one of two tokens inside at every
/// moment, however it moves, nobody may see an empty queue.
pub fn a_moving_token_is_seen<Q: RunQueue<Probe>>() {
    moving_tokens::<Q>(100_000);
}

/// Does what [`a_moving_token_is_seen`] does, for this many rounds.
pub fn moving_tokens<Q: RunQueue<Probe>>(rounds: usize) {
    if fitting::<Q>(2) < 2 {
        return; // No token waits here for another's move.
    }
    let ledger = Ledger::new(2 * rounds);
    let (mut queue, thief) = Q::new(&CONFIG);
    let (trouble, over) = (Trouble::default(), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            trouble.catch(|gate| {
                for round in 0..rounds {
                    gate.meet(4 * round + 2);
                    // The loop runs at least once, then for as long as the owner goes on.
                    while {
                        assert!(!thief.is_empty(), "round {round}: a token was out of sight (Q2)");
                        gate.check();
                        over.load(SeqCst) <= round
                    } {}
                    gate.meet(4 * round + 4);
                }
            })
        });
        trouble.catch(|gate| {
            for round in 0..rounds {
                let slot = |next: bool| if next { Slot::Next } else { Slot::Back };
                let mut no_room = |_| panic!("two tokens fit (Q4)");
                queue.push(ledger.mint(), slot(round & 1 == 0), &mut no_room);
                gate.meet(4 * round + 2);
                // The race is a few instructions wide, so the move begins a little later each time. A run finds a queue
                // that has it once in four; it runs often.
                (0..round / 4 % 32).for_each(|_| std::hint::spin_loop());
                queue.push(ledger.mint(), slot(round & 2 == 0), &mut no_room);
                queue.pop().expect("two tokens are inside (Q3)").token.consume();
                over.store(round + 1, SeqCst);
                gate.meet(4 * round + 4);
                queue.pop().expect("one token is inside (Q3)").token.consume();
            }
        });
    });
    trouble.report();
    assert!(thief.is_empty(), "all are gone (Q2)");
    ledger.settle();
}

/// Q1 at its narrowest: one token, and the owner and two thieves reach for it together.
pub fn a_last_token_has_one_taker<Q: RunQueue<Probe>>() {
    const ROUNDS: usize = 4_000;
    if Q::CAPACITY == Some(0) {
        return; // It has no last token.
    }
    let ledger = Ledger::new(ROUNDS);
    let (mut queue, thief) = Q::new(&CONFIG);
    let trouble = Trouble::default();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                trouble.catch(|gate| {
                    let (mut own, own_thief) = Q::new(&CONFIG);
                    for round in 0..ROUNDS {
                        gate.meet(6 * round + 3);
                        rob(&thief, &mut own, TAKE_ANY);
                        assert!(own_thief.is_empty(), "one token, and a second one stolen (Q1)");
                        gate.meet(6 * round + 6);
                    }
                })
            });
        }
        trouble.catch(|gate| {
            for round in 0..ROUNDS {
                let slot = if round % 2 == 0 { Slot::Next } else { Slot::Back };
                queue.push(ledger.mint(), slot, &mut |_| panic!("one token fits (Q4)"));
                gate.meet(6 * round + 3);
                queue.pop().map(|popped| popped.token.consume());
                gate.meet(6 * round + 6);
                // Whoever lost, lost to another one; a thief that gave up early leaves the token to this pop.
                queue.pop().map(|popped| popped.token.consume());
                assert!(queue.is_empty() && thief.is_empty(), "the last one is gone (Q2)");
                assert_eq!(ledger.consumed(), round + 1, "the last one was lost (Q1)");
            }
        });
    });
    trouble.report();
    ledger.settle();
}
