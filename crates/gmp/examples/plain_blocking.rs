//! Ordinary blocking code that declares nothing to the scheduler: std's locks, barriers and sleeps, on one P.

use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

pub(crate) fn main() {
    let runtime = gmp::Builder::new().procs(1).build().expect("a runtime");
    let finished = runtime.run(|| {
        let total = Arc::new(Mutex::new(0));
        let all: Vec<_> = (0..20)
            .map(|i| {
                let total = Arc::clone(&total);
                gmp::go(move || {
                    if i % 2 == 0 {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    let mut total = total.lock().expect("nobody panics");
                    // Whoever waits for the lock blocks a thread; sysmon takes the P from it.
                    gmp::sleep(Duration::from_micros(100));
                    *total += 1;
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().expect("it ends"));
        // The first half waits in the kernel for the second.
        let meet = Barrier::new(2);
        gmp::join(|| meet.wait(), || meet.wait());
        let total = *total.lock().expect("nobody panics");
        println!("{total} goroutines have had the lock");
        println!("Ps were taken: {}", gmp::stats().handoffs > 0);
    });
    finished.expect("no deadlock");
}
