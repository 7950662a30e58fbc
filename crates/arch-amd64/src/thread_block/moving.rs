//! A new thread that is moved to another CPU while it is looked at.

use super::blueprint::find_keys;
use super::key::Key;
use super::newborn::{self, MOVES};
use super::symbols;
use core::sync::atomic::Ordering;

/// The kernel writes into a thread's block whenever it moves the thread.
#[test]
fn a_thread_that_is_moved_to_another_cpu_shows_its_keys() {
    let symbols = symbols::find().unwrap();
    // The values of the first keys lie in the block, those of the others elsewhere.
    let keys: Vec<_> = (0..40).map(|_| Key::make(symbols).unwrap()).collect();
    for key in [&keys[0], &keys[39]] {
        let found = [false, true].map(|moves| {
            MOVES.store(moves, Ordering::Relaxed);
            let newborn = newborn::visitor(key.number()).unwrap();
            find_keys(&newborn, key).map(|keys| (keys.used, keys.levels)).unwrap()
        });
        assert_eq!(found[0], found[1]);
    }
    MOVES.store(false, Ordering::Relaxed);
}
