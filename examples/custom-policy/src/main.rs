//! Two goroutines wake each other without end. How long does a third wait for its turn?

use custom_policy::{Aging, EVERY};
use gmp::contract::Policy;
use gmp::policy::Go;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The players give up after this many rounds.
const MOST_ROUNDS: u32 = 10_000_000;

/// How many rounds the two play between the third one's start and its first turn, on one P.
fn rounds_waited<P: Policy>() -> u32 {
    let builder = gmp::Builder::new();
    let main = || {
        let (serve, served) = gmp::chan(1);
        let (answer, answered) = gmp::chan(1);
        let second = gmp::go(move || {
            while let Ok(round) = served.recv() {
                answer.send(round).expect("the first player waits for it");
            }
        });
        let play = |round: u32| {
            serve.send(round).expect("the second player waits for it");
            answered.recv().expect("the second player answers");
        };
        // Both are playing when the third one starts.
        play(0);
        let rounds = Arc::new(AtomicU32::new(0));
        let third = {
            let rounds = rounds.clone();
            gmp::go(move || rounds.load(Ordering::Relaxed))
        };
        for round in 1..=MOST_ROUNDS {
            rounds.store(round, Ordering::Relaxed);
            play(round);
            if third.is_finished() {
                break;
            }
        }
        drop(serve);
        second.join().expect("it plays to the end");
        third.join().expect("it only looks")
    };
    let runtime = builder.policy::<P>().procs(1).build().expect("a runtime can be built");
    runtime.run(main).expect("nobody deadlocks").value
}

fn main() {
    let (go, aging) = (rounds_waited::<Go>(), rounds_waited::<Aging>());
    println!("go:    the third goroutine waited for {go} rounds, until the time slice was over");
    println!("aging: it waited for {aging}; age is served every {EVERY} pops");
    assert!(aging <= 2 * EVERY, "that is what Aging promises");
}
