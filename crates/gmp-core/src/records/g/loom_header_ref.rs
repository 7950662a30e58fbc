//! loom models of a look at a record that goes from one runtime to another, on the real types.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_header_ref`
//!
//! Modelled: a free record of runtime A, which a spawner of runtime B fills in and lets run until it waits, and a closing
//! A that looks at all records (`Sched::abandon_waiting`, `Sched::wake_to_unwind`). Threads: two. Preemptions: unbounded.
//! Time: below a second.
//!
//! Caught when broken: the runtime asked for before the word, in `status` and in `wait`; `step` and `to_waiting` without
//! their Release; `glimpse` and `present_wait` without their Acquire.

use super::header_ref::HeaderRef;
use super::word::{GWord, Status, Wait};
use crate::ground::sync::Arc;
use core::ptr;
use loom::thread;

const A: *const () = ptr::without_provenance(0x40);
const B: *const () = ptr::without_provenance(0x80);

/// A free record of A.
fn free_of_a() -> Arc<(HeaderRef, GWord)> {
    let record = Arc::new((HeaderRef::new(), GWord::new()));
    record.0.set(A);
    record
}

/// A goroutine begins in the record, and waits.
fn begins_and_waits(word: &GWord) -> Wait {
    word.to_spawned();
    word.to_running();
    word.to_waiting()
}

#[test]
fn loom_header_ref_tells_no_status_of_a_stranger() {
    loom::model(|| {
        let record = free_of_a();
        let of_b = record.clone();
        let spawner = thread::spawn(move || {
            of_b.0.set(B);
            of_b.1.to_spawned();
        });
        let seen = record.0.status(&record.1, A);
        assert!(matches!(seen, None | Some(Status::Free)), "{seen:?}");
        spawner.join().unwrap();
        assert_eq!(record.0.status(&record.1, A), None);
    });
}

#[test]
fn loom_header_ref_ends_no_wait_of_a_stranger() {
    loom::model(|| {
        let record = free_of_a();
        let of_b = record.clone();
        let spawner = thread::spawn(move || {
            of_b.0.set(B);
            begins_and_waits(&of_b.1)
        });
        let wait = record.0.wait(&record.1, A);
        assert!(wait.is_none_or(|wait| !record.1.to_abandoned(wait)));
        assert!(record.1.is_in(spawner.join().unwrap()));
    });
}

/// What the models are for: it does find those of A.
#[test]
fn loom_header_ref_finds_its_own() {
    loom::model(|| {
        let record = free_of_a();
        let of_a = record.clone();
        let its_m = thread::spawn(move || begins_and_waits(&of_a.1));
        let ended = record.0.wait(&record.1, A).is_some_and(|wait| record.1.to_abandoned(wait));
        let wait = its_m.join().unwrap();
        assert_eq!(record.1.to_abandoned(wait), !ended);
    });
}
