//! Dining philosophers (Dijkstra, 1965): five goroutines and five forks, of which each needs two. They borrow the table
//! from the scope's caller. If every philosopher took the left fork first, all could wait for ever, so the fork with
//! the lower number comes first.

use gmp::sync::Mutex;
use std::time::Duration;

const SEATS: usize = 5;
const MEALS: u32 = 100;

/// A fork counts how often it was used.
#[derive(Default)]
struct Fork {
    used: u32,
}

fn dine(forks: &[Mutex<Fork>; SEATS], seat: usize) -> u32 {
    let (left, right) = (seat, (seat + 1) % SEATS);
    let (first, second) = (left.min(right), left.max(right));
    for meal in 0..MEALS {
        let mut one = forks[first].lock();
        let mut other = forks[second].lock();
        one.used += 1;
        other.used += 1;
        if meal % 10 == 0 {
            // The philosopher takes time with both forks in hand: others wait, but their threads do not.
            gmp::sleep(Duration::from_micros(50));
        }
        drop((one, other));
        gmp::yield_now(); // thinks
    }
    MEALS
}

pub(crate) fn main() {
    let runtime = gmp::Builder::new().build().unwrap();
    runtime
        .run(|| {
            let forks: [Mutex<Fork>; SEATS] = Default::default();
            let table = &forks;
            let meals: u32 = gmp::scope(|s| {
                let diners: Vec<_> = (0..SEATS).map(|seat| s.go(move || dine(table, seat))).collect();
                diners.into_iter().map(|diner| diner.join().expect("nobody panics")).sum()
            });
            let used: u32 = forks.into_iter().map(|fork| fork.into_inner().used).sum();
            println!("{meals} meals, forks used {used} times");
        })
        .unwrap();
}
