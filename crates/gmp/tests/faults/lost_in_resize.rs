//! Once, goroutines that were spawned while `set_max_procs` took a P away were queued on that very P, after it had been
//! emptied. The kind: whatever is queued in the middle of a resize.

use crate::harness::{child, named};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault =
    (named![nothing_is_queued_on_a_p_that_goes], named![swept_in_a_resize]);

static DROPPED: AtomicUsize = AtomicUsize::new(0);
const TIMERS: usize = 200;
const ROUNDS: usize = 20;

struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        DROPPED.fetch_add(1, SeqCst);
    }
}

/// Takes its own P away, if that is not P 0, with so many stopped timers on it that they are swept. What they held is
/// dropped in goroutines.
fn stop_timers_and_go() {
    let timers: Vec<_> = (0..TIMERS)
        .map(|_| {
            let counted = Counted;
            gmp::time::after_func(Duration::from_secs(3600), move || {
                let _ = &counted;
            })
        })
        .collect();
    timers.iter().for_each(|timer| assert!(timer.stop()));
    drop(timers);
    gmp::set_max_procs(1);
}

fn swept_in_a_resize() {
    let runtime =
        crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>()).procs(3).build().unwrap();
    runtime
        .run(|| {
            for round in 1..=ROUNDS {
                gmp::set_max_procs(3);
                let all: Vec<_> = (0..3)
                    .map(|i| {
                        gmp::go(move || {
                            // Until other Ms have taken the others.
                            let start = Instant::now();
                            while start.elapsed() < Duration::from_micros(500) {}
                            if i == 0 {
                                stop_timers_and_go();
                            }
                        })
                    })
                    .collect();
                all.into_iter().for_each(|one| one.join().unwrap());
                // A timer makes the heap look at what was stopped in it.
                while DROPPED.load(SeqCst) < round * TIMERS || gmp::num_goroutines() > 1 {
                    gmp::sleep(Duration::from_millis(1));
                }
            }
        })
        .unwrap();
    println!("{}", DROPPED.load(SeqCst));
}

fn nothing_is_queued_on_a_p_that_goes() {
    child("swept_in_a_resize").run().code(0).prints(&format!("{}\n", ROUNDS * TIMERS));
}
