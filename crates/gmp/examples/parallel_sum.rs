//! Divide and conquer: the left half in a goroutine of its own, the right half here.

use std::ops::Range;

/// Below this, a goroutine costs more than the additions.
const GRAIN: u64 = 10_000;

fn sum(range: Range<u64>) -> u64 {
    if range.end - range.start <= GRAIN {
        return range.sum();
    }
    let middle = range.start + (range.end - range.start) / 2;
    let left = gmp::go(move || sum(range.start..middle));
    let right = sum(middle..range.end);
    left.join().expect("adding does not panic") + right
}

pub(crate) fn main() {
    let runtime = gmp::Builder::new().build().unwrap();
    let finished = runtime.run(|| (sum(0..1_000_000), gmp::stats().spawned)).unwrap();
    let (total, spawned) = finished.value;
    println!("the sum is {total}, by {spawned} goroutines");
}
