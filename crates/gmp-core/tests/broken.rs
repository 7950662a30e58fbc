//! Broken queues, on probes. The suite's fuzzer catches each of them, by the clause that it breaks and within a minute.
//!
//! Each fixture runs in a process of its own, since what it does to itself may well abort or never end.
//! `cargo xtask fuzz --policy broken-wrap` does the same by hand.

#[path = "broken/locked.rs"]
mod locked;
#[path = "broken/racy.rs"]
mod racy;
#[path = "broken/stack.rs"]
mod stack;
#[path = "broken/words.rs"]
mod words;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a fixture may stay uncaught.
const MINUTE: Duration = Duration::from_secs(60);

/// How often a test runs in which nothing is found, however long that takes: a quiet machine makes half as many runs in a
/// minute, one that does something else as well fewer still.
const RUNS: usize = 30;

/// The suite's laws as ignored tests, for the queue of the module around.
macro_rules! laws {
    ($($group:ident: [$($law:ident),*];)*) => {
        mod laws { $($(
            #[test]
            #[ignore = "broken on purpose: a child of the tests below runs it"]
            fn $law() {
                let law = gmp_core::suite::$group::$law::<super::Queue>;
                gmp_core::suite::violation::law(&super::policy(), stringify!($law), law);
            }
        )*)* }
    };
}

struct Fixture {
    name: &'static str,
    /// The clause that the fixture breaks; none if it is right.
    clause: &'static str,
    /// Which fuzzer notices that: `sequential`, `concurrent`, or `both`; `laws` if only [`LAWS`] do.
    by: &'static str,
}

/// `name: kind::fault => clause by`, each a type, two ignored tests that a child runs, and a line of [`FIXTURES`].
macro_rules! fixtures {
    ($($name:ident: $kind:ident::$fault:ident => $clause:literal $by:ident;)*) => {
        $(
            mod $name {
                struct Wrong;

                impl super::$kind::Faulty for Wrong {
                    const FAULT: super::$kind::Fault = super::$kind::Fault::$fault;
                }

                type Queue = super::$kind::Queue<Wrong>;

                fn policy() -> String {
                    stringify!($name).replace('_', "-")
                }

                laws! {
                    run_queue: [capacity_is_what_it_says, empties_agree, batches_fill_what_fits, steals_take_part,
                        nothing_is_stolen_from_oneself, drops_hand_tokens_back];
                    run_queue_threads: [thieves_and_owner_share_without_loss, thieves_rob_each_other,
                        a_moving_token_is_seen, a_last_token_has_one_taker];
                }

                mod fuzz {
                    #[test]
                    #[ignore = "broken on purpose: a child of the tests below runs it"]
                    fn sequential_runs_keep_the_promise() {
                        gmp_core::suite::fuzz::sequential_runs_keep_the_promise::<super::Queue>(&super::policy());
                    }

                    #[test]
                    #[ignore = "broken on purpose: a child of the tests below runs it"]
                    fn concurrent_runs_keep_the_promise() {
                        gmp_core::suite::fuzz::concurrent_runs_keep_the_promise::<super::Queue>(&super::policy());
                    }
                }
            }
        )*

        const FIXTURES: &[Fixture] =
            &[$(Fixture { name: stringify!($name), clause: $clause, by: stringify!($by) }),*];
    };
}

fixtures! {
    sound_lock: locked::None => "" both;
    broken_wrap: locked::LostAtWrap => "Q1" both;
    broken_twice: locked::TakenTwice => "Q1" both;
    broken_empty: locked::WrongEmpty => "Q2" both;
    broken_owners_empty: locked::WrongOwnersEmpty => "Q2" both;
    broken_pop: locked::GivesUp => "Q3" both;
    broken_capacity: locked::TooMany => "Q4" both;
    broken_spill_in_two: locked::SpillsTwice => "Q4" both;
    broken_batch: locked::BatchTurnedRound => "Q4" both;
    broken_index: locked::Panics => "Q5" both;
    broken_order: locked::OutOfOrder => "Q6" both;
    broken_slot: locked::SlotKeepsTheOld => "Q6" both;
    broken_steal_order: locked::StealsTheNewest => "Q6" both;
    broken_spill_order: locked::SpillLosesOrder => "Q6" both;
    broken_steals_from_itself: locked::StealsFromItself => "Q7" sequential;
    broken_leaves_the_slot: locked::LeavesTheSlot => "Q7" sequential;
    broken_back_off: locked::BacksOffTwice => "Q7" both;
    broken_drop: locked::LeaksAtTheEnd => "Q1" laws;
    sound_ring: racy::None => "" both;
    broken_thiefs_claim: racy::ThiefsClaim => "Q1" concurrent;
    broken_owners_claim: racy::OwnersClaim => "Q1" concurrent;
    broken_publish: racy::EarlyPublish => "Q1" concurrent;
    broken_hidden_move: racy::HiddenMove => "Q2" concurrent;
    sound_stack: stack::None => "" both;
    broken_stack_pop: stack::PopsTheOldest => "Q6" both;
    broken_stack_steal: stack::StealsTheNewest => "Q6" both;
    broken_stack_bound: stack::Spills => "Q4" both;
    broken_stack_inherits: stack::Inherits => "Q6" both;
    broken_stack_retry: stack::MovesAndRetries => "Q7" both;
}

/// Runs one test of this program, which is ignored otherwise. Returns what it printed, if it failed.
fn complaint(test: &str, limit: Duration) -> Option<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--ignored", "--test-threads=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program runs again");
    let mut stdout = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            break status;
        }
        if start.elapsed() > limit {
            child.kill().and_then(|()| child.wait()).expect("a child can be ended");
            panic!("{test} neither passed nor failed in {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let text = reader.join().expect("the reader ends with the child").expect("text");
    assert!(text.contains("running 1 test"), "{test} is not there:\n{text}");
    (!status.success()).then_some(text)
}

const FUZZERS: [&str; 2] = ["sequential_runs_keep_the_promise", "concurrent_runs_keep_the_promise"];

/// A fixture that breaks each of the laws that need no luck, or that meet a narrow race on purpose.
const LAWS: &[(&str, &str, &str)] = &[
    ("capacity_is_what_it_says", "broken_capacity", "Q4"),
    ("empties_agree", "broken_empty", "Q2"),
    ("batches_fill_what_fits", "broken_batch", "Q4"),
    ("steals_take_part", "broken_leaves_the_slot", "Q7"),
    ("nothing_is_stolen_from_oneself", "broken_steals_from_itself", "Q7"),
    ("drops_hand_tokens_back", "broken_drop", "Q1"),
    ("thieves_and_owner_share_without_loss", "broken_owners_claim", "Q1"),
    ("thieves_rob_each_other", "broken_thiefs_claim", "Q1"),
    ("a_moving_token_is_seen", "broken_hidden_move", "Q2"),
    ("a_last_token_has_one_taker", "broken_owners_claim", "Q1"),
];

/// Runs a test until it finds something, for a minute at least, and so often. Returns what it found, and after how long.
fn caught(test: &str) -> Option<(String, Duration)> {
    let (start, mut runs) = (Instant::now(), 0);
    while start.elapsed() < MINUTE || runs < RUNS {
        runs += 1;
        if let Some(text) = complaint(test, 2 * MINUTE) {
            return Some((text, start.elapsed()));
        }
    }
    None
}

fn each_is_caught(fuzzer: &str) {
    let kind = fuzzer.split('_').next().expect("words");
    let sees = |fixture: &&Fixture| !fixture.clause.is_empty() && ["both", kind].contains(&fixture.by);
    for Fixture { name, clause, .. } in FIXTURES.iter().filter(sees) {
        let Some((text, after)) = caught(&format!("{name}::fuzz::{fuzzer}")) else {
            panic!("{name} was not caught in a minute, nor in {RUNS} runs")
        };
        let policy = name.replace('_', "-");
        println!("{policy}: {clause} by {kind} after {:.1} s", after.as_secs_f64());
        assert!(text.contains(&format!("policy {policy} breaks clause {clause}:")), "{name}: {text}");
        for part in ["  seen: ", "  to do: ", "  shrunk to: ", "GMP_FUZZ_SEED="] {
            assert!(text.contains(part), "{name}: {part:?} in {text}");
        }
    }
}

#[test]
fn each_law_rejects_one() {
    for (law, name, clause) in LAWS {
        let Some((text, after)) = caught(&format!("{name}::laws::{law}")) else {
            panic!("{law} let {name} pass for a minute, and {RUNS} times");
        };
        println!("{name}: {clause} by {law} after {:.1} s", after.as_secs_f64());
        let policy = name.replace('_', "-");
        assert!(text.contains(&format!("policy {policy} breaks {law}, clause {clause}:")), "{name}: {text}");
    }
}

#[test]
fn sequential_runs_catch_each() {
    each_is_caught(FUZZERS[0]);
}

#[test]
fn concurrent_runs_catch_each() {
    each_is_caught(FUZZERS[1]);
}

/// The queues that carry the faults are right without them, so it is the faults that are caught.
#[test]
fn the_sound_ones_pass() {
    for Fixture { name, .. } in FIXTURES.iter().filter(|fixture| fixture.clause.is_empty()) {
        for test in FUZZERS.map(|fuzzer| format!("{name}::fuzz::{fuzzer}")) {
            assert_eq!(complaint(&test, 2 * MINUTE), None, "{name}");
        }
    }
}
