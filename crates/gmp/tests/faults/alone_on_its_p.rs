//! A loop of calls that never need to wait lent its P out at the end of its first slice although nobody wanted it, and
//! each of its calls was slower from then on. The kind: a slice ends for the sake of others; where there are none the next
//! one begins in its place.

use crate::harness::{child, named};
use std::time::{Duration, Instant};

pub(crate) const FAULT: crate::Fault = (named![who_is_alone_keeps_its_p], named![alone]);

/// Longer than two slices.
const LONG: Duration = Duration::from_millis(25);

fn alone() {
    for procs in 1..=2 {
        let builder = crate::told::moving(gmp::Builder::new().policy::<gmp::policy::Go>());
        let finished = builder.procs(procs).build().unwrap().run(|| {
            // On a busy machine the thread may not run for so long that the call itself is taken for a blocking one.
            let keeps_it = |_| {
                gmp::yield_now();
                let began = Instant::now();
                while began.elapsed() < LONG {
                    if gmp::stats().blocked != 0 {
                        return false;
                    }
                }
                true
            };
            assert!((0..100).any(keeps_it));
            // Whoever comes later gets the P, or another one, all the same.
            let other = gmp::go(|| ());
            while !other.is_finished() {
                gmp::num_goroutines();
            }
        });
        finished.unwrap();
    }
    println!("kept");
}

fn who_is_alone_keeps_its_p() {
    assert_eq!(child("alone").run().stdout, "kept\n");
}
