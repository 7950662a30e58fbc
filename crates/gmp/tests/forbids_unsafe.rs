//! A program that forbids `unsafe` may use all of the safe mode, and the macros, which answer themselves for the code
//! to which they expand.

#![forbid(unsafe_code)]

use std::cell::Cell;

gmp::g_local! { static COUNT: Cell<u32> = Cell::new(0); }

#[test]
fn macros_expand_in_safe_programs() {
    let runtime = gmp::Builder::new().one_thread_each().build().unwrap();
    let finished = runtime.run(|| {
        let (words, hears) = gmp::chan(1);
        let (others, other_hears) = gmp::chan(1);
        let word = String::from("sent out of its variable");
        // Two arms send the same variable, and one of them comes up.
        let sent = gmp::select! {
            send(words, word) -> sent => sent.is_ok(),
            send(others, word) -> sent => sent.is_ok(),
        };
        assert!(sent);
        gmp::select! {
            recv(hears) -> word => assert_eq!(word.unwrap(), "sent out of its variable"),
            recv(other_hears) -> word => assert_eq!(word.unwrap(), "sent out of its variable"),
        }
        COUNT.set(COUNT.get() + 1);
        COUNT.get()
    });
    assert_eq!(finished.unwrap().value, 1);
}

/// A variable that is not sent is still there, round after round.
#[test]
fn a_variable_is_moved_when_it_is_sent() {
    let (words, hears) = gmp::chan(1);
    words.send(String::from("first")).unwrap();
    let word = String::from("second");
    let mut rounds = 0;
    loop {
        gmp::select! {
            send(words, word) -> _ => break,
            default => {
                assert_eq!(word, "second");
                rounds += 1;
                hears.recv().unwrap();
            }
        }
    }
    assert_eq!((rounds, hears.recv().unwrap().as_str()), (1, "second"));
}
