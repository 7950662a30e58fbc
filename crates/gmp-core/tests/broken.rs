//! Broken queues, on probes: the suite's fuzzer catches each of them, by the clause that it breaks and within a minute.
//!
//! Each fixture runs in a process of its own, since what it does to itself may well abort or never end.
//! `cargo xtask fuzz --policy broken-wrap` does the same by hand.

#[path = "broken/locked.rs"]
mod locked;
#[path = "broken/racy.rs"]
mod racy;
#[path = "broken/words.rs"]
mod words;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a fixture may stay uncaught.
const MINUTE: Duration = Duration::from_secs(60);

/// `name: kind::fault => clause`, each a type, two ignored tests that a child runs, and a line of [`FIXTURES`].
macro_rules! fixtures {
    ($($name:ident: $kind:ident::$fault:ident => $clause:literal;)*) => {
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

                mod fuzz {
                    #[test]
                    #[ignore = "broken on purpose: a child of `each_is_caught` runs it"]
                    fn calms_keep_the_promise() {
                        gmp_core::suite::fuzz::calms_keep_the_promise::<super::Queue>(&super::policy());
                    }

                    #[test]
                    #[ignore = "broken on purpose: a child of `each_is_caught` runs it"]
                    fn storms_keep_the_promise() {
                        gmp_core::suite::fuzz::storms_keep_the_promise::<super::Queue>(&super::policy());
                    }
                }
            }
        )*

        /// Names, and the clauses that they break; none for those that are right.
        const FIXTURES: &[(&str, &str)] = &[$((stringify!($name), $clause)),*];
    };
}

fixtures! {
    sound_lock: locked::None => "";
    broken_wrap: locked::LostAtWrap => "Q1";
    broken_twice: locked::TakenTwice => "Q1";
    broken_empty: locked::WrongEmpty => "Q2";
    broken_owners_empty: locked::WrongOwnersEmpty => "Q2";
    broken_pop: locked::GivesUp => "Q3";
    broken_capacity: locked::TooMany => "Q4";
    broken_spill_in_two: locked::SpillsTwice => "Q4";
    broken_batch: locked::BatchTurnedRound => "Q4";
    broken_index: locked::Panics => "Q5";
    broken_order: locked::OutOfOrder => "Q6";
    broken_slot: locked::SlotKeepsTheOld => "Q6";
    broken_steal_order: locked::StealsTheNewest => "Q6";
    broken_spill_order: locked::SpillLosesOrder => "Q6";
    broken_steals_from_itself: locked::StealsFromItself => "Q7";
    broken_leaves_the_slot: locked::LeavesTheSlot => "Q7";
    broken_back_off: locked::BacksOffTwice => "Q7";
    sound_ring: racy::None => "";
    broken_thiefs_claim: racy::ThiefsClaim => "Q1";
    broken_owners_claim: racy::OwnersClaim => "Q1";
    broken_publish: racy::EarlyPublish => "Q1";
    broken_hidden_move: racy::HiddenMove => "Q2";
}

/// Runs one test of this program, which is ignored otherwise. What it printed, if it failed.
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

const FUZZERS: [&str; 2] = ["calms_keep_the_promise", "storms_keep_the_promise"];

/// A fixture's complaint, by the fuzzer that found something first, and after how long.
fn caught(name: &str) -> Option<(String, Duration)> {
    let start = Instant::now();
    while start.elapsed() < MINUTE {
        for fuzzer in FUZZERS {
            if let Some(text) = complaint(&format!("{name}::fuzz::{fuzzer}"), 2 * MINUTE) {
                return Some((text, start.elapsed()));
            }
        }
    }
    None
}

#[test]
fn each_is_caught_by_its_clause() {
    for (name, clause) in FIXTURES.iter().filter(|(name, _)| name.starts_with("broken_")) {
        let Some((text, after)) = caught(name) else { panic!("{name} went a minute without being caught") };
        let policy = name.replace('_', "-");
        println!("{policy}: {clause} after {:.1} s", after.as_secs_f64());
        assert!(text.contains(&format!("policy {policy} breaks clause {clause}:")), "{name}: {text}");
        assert!(text.contains("shrunk to:") && text.contains("to do:"), "{name}: {text}");
        assert!(
            text.contains(&format!("again: cargo xtask fuzz --policy {policy} --seed")),
            "{name}: {text}"
        );
    }
}

/// The queues that carry the faults are right without them: so it is the faults that are caught.
#[test]
fn the_sound_ones_pass() {
    for (name, _) in FIXTURES.iter().filter(|(_, clause)| clause.is_empty()) {
        for fuzzer in FUZZERS {
            let complaint = complaint(&format!("{name}::fuzz::{fuzzer}"), 2 * MINUTE);
            assert_eq!(complaint, None, "{name}");
        }
    }
}
