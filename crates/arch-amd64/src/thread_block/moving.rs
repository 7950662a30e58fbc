//! A new thread that is moved to another CPU while it is looked at.

use super::blueprint::find_keys;
use super::key::Key;
use super::{newborn, symbols};
use core::sync::atomic::{AtomicBool, Ordering};

static MOVES: AtomicBool = AtomicBool::new(false);

/// What a photographed thread does before its second look.
pub(super) fn move_to_another_cpu() {
    if MOVES.load(Ordering::Relaxed) {
        // SAFETY: forbids this thread the CPU on which it is.
        unsafe {
            let mut cpus: libc::cpu_set_t = core::mem::zeroed();
            libc::sched_getaffinity(0, size_of_val(&cpus), &raw mut cpus);
            libc::CPU_CLR(libc::sched_getcpu() as usize, &mut cpus);
            libc::sched_setaffinity(0, size_of_val(&cpus), &raw const cpus);
        }
    }
}

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
