//! One P, and a call that sits in the operating system: declared with `gmp::blocking`, it holds nobody up.

use std::time::{Duration, Instant};

const CALL: Duration = Duration::from_millis(50);
const CALLS: u32 = 8;

pub(crate) fn main() {
    // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
    let runtime = unsafe { gmp::Builder::new().share_thread_locals() }.procs(1).build().unwrap();
    let finished = runtime.run(|| {
        let start = Instant::now();
        // A real program would call into a database client or read a file here.
        let calls: Vec<_> =
            (0..CALLS).map(|_| gmp::go(|| gmp::blocking(|| std::thread::sleep(CALL)))).collect();
        let others = gmp::go(|| (0..100).for_each(|_| gmp::yield_now()));
        others.join().unwrap();
        let others_done = start.elapsed();
        calls.into_iter().for_each(|call| call.join().unwrap());
        (others_done, start.elapsed(), gmp::stats().handoffs)
    });
    let (others, all, handoffs) = finished.unwrap().value;
    println!("the others were done after {others:.1?}, {CALLS} calls of {CALL:?} after {all:.1?}");
    println!("the P was handed off: {}", handoffs > 0);
    println!("the calls overlapped: {}", all < CALL * CALLS);
}
