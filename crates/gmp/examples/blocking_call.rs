//! One P, and calls that sit in the operating system: declared with `gmp::blocking`, they hold nobody up.

use std::sync::{Arc, Barrier};
use std::time::Instant;

const CALLS: usize = 8;

pub(crate) fn main() {
    let runtime = gmp::Builder::new().procs(1).build().unwrap();
    let finished = runtime.run(|| {
        let start = Instant::now();
        // A real program would call into a database client or read a file here. These calls wait for each other: none
        // would ever come back if the first one kept the P, or the others did not run meanwhile.
        let all_inside = Arc::new(Barrier::new(CALLS + 1));
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let all_inside = all_inside.clone();
                gmp::go(move || gmp::blocking(|| _ = all_inside.wait()))
            })
            .collect();
        let others = gmp::go(|| (0..100).for_each(|_| gmp::yield_now()));
        others.join().unwrap();
        let others_done = start.elapsed();
        gmp::blocking(|| all_inside.wait());
        calls.into_iter().for_each(|call| call.join().unwrap());
        (others_done, start.elapsed(), gmp::stats().handoffs)
    });
    let (others, all, handoffs) = finished.unwrap().value;
    println!(
        "the others were done after {others:.1?}, {CALLS} calls that wait for each other after {all:.1?}"
    );
    println!("the P was handed off: {}", handoffs > 0);
}
