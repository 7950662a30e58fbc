//! Tests of the G word.

use super::*;

fn waiting() -> (GWord, Wait) {
    let word = GWord::new();
    word.to_spawned();
    word.to_running();
    let wait = word.to_waiting();
    (word, wait)
}

#[test]
fn masks_cover_the_word_once() {
    assert_eq!(STATE ^ SCAN ^ SERIAL, !0);
    assert_eq!(STATE.count_ones() + SCAN.count_ones() + SERIAL.count_ones(), 64);
    assert_eq!(NEXT.trailing_zeros(), SERIAL.trailing_zeros());
}

/// A token is kept while its goroutine, and others after it, wait again and again: at no power of two does the count
/// come round to it. It once did after 2^28 waits.
#[test]
fn an_old_wait_never_comes_again() {
    for bits in 0..60 {
        let (word, old) = waiting();
        assert!(word.to_ready(old));
        word.to_running();
        word.skip((1 << bits) - 1);
        let new = word.to_waiting();
        assert!(new.serial() > old.serial());
        assert!(!word.is_in(old) && !word.to_ready(old) && !word.to_abandoned(old), "after 2^{bits} waits");
        assert!(word.to_ready(new));
    }
}

#[test]
fn a_wait_ends_once() {
    let (word, wait) = waiting();
    assert!(word.is_in(wait));
    assert!(word.to_ready(wait));
    assert!(!word.to_ready(wait));
    assert_eq!(word.status(), Status::Runnable);
}

#[test]
fn an_earlier_wait_never_matches() {
    let (word, first) = waiting();
    assert!(word.to_ready(first));
    word.to_running();
    let second = word.to_waiting();
    assert_ne!(first, second);
    assert!(!word.to_ready(first));
    assert!(word.to_ready(second));
}

#[test]
fn an_earlier_goroutine_never_matches() {
    let (word, wait) = waiting();
    let last = wait.serial();
    assert!(word.to_resumed(wait));
    word.to_running();
    word.to_exited();
    assert!(word.serial() > last);
    word.to_spawned();
    word.to_running();
    let _ = word.to_waiting();
    assert!(!word.to_ready(wait));
}

#[test]
fn a_scan_holds_the_wait_and_lets_go() {
    let (word, wait) = waiting();
    let scan = word.scan().expect("it waits");
    assert!(word.scan().is_none(), "one reader at a time");
    assert!(word.is_in(wait));
    drop(scan);
    assert!(word.to_ready(wait));
    assert!(word.scan().is_none(), "not waiting");
}

#[test]
fn abandoning_ends_the_wait_and_its_number() {
    let (word, wait) = waiting();
    assert!(word.to_abandoned(wait));
    assert!(!word.to_abandoned(wait));
    assert!(!word.to_ready(wait));
    assert_eq!(word.status(), Status::Free);
}
