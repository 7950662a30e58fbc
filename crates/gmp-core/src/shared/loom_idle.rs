//! loom model of the idle word's request for a spinner.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p gmp-core --release --lib loom_`
//!
//! What an idle rule has a say in is modelled in `suite/idle_models.rs` and run for each rule in the crate that has it.
//! Threads: two. Preemptions: unbounded. Time: under a second.

use super::idle_word::IdleWord;
use crate::ground::sync::Arc;
use loom::thread;

const PROCS: usize = 2;

/// An M that found work and no P for it leaves a mark; the next M that would drop its P takes the mark, and spins
/// instead.
#[test]
fn a_wanted_spinner_comes() {
    loom::model(|| {
        let idle = Arc::new(IdleWord::new());
        let other = {
            let idle = idle.clone();
            thread::spawn(move || idle.take_wanted())
        };
        idle.want_spinner();
        let mine = idle.take_wanted();
        let theirs = other.join().unwrap();
        assert!(mine != theirs, "one mark makes one spinner");
        assert_eq!(idle.view(PROCS).spinning, 1);
    });
}
