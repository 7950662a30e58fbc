//! Channels between goroutines, and plain threads.

use gmp::{Builder, chan};

fn run<R: Send + 'static>(procs: usize, main: impl FnOnce() -> R + Send + 'static) -> R {
    // SAFETY: nothing here holds a borrow of a thread-local across a suspension.
    let builder = unsafe { Builder::new().share_thread_locals() };
    builder.procs(procs).build().unwrap().run(main).unwrap().value
}

#[test]
fn ping_pong() {
    for procs in [1, 2, 4] {
        let sum = run(procs, || {
            let (ping, pings) = chan(0);
            let (pong, pongs) = chan(0);
            gmp::go(move || pings.iter().for_each(|n: u64| pong.send(n + 1).unwrap()));
            (0..1000).map(|n| (ping.send(n).unwrap(), pongs.recv().unwrap()).1).sum::<u64>()
        });
        assert_eq!(sum, 500_500);
    }
}

#[test]
fn between_a_thread_and_a_goroutine() {
    for capacity in [0, 1, 7] {
        let (numbers, all) = chan(capacity);
        let thread = std::thread::spawn(move || all.iter().sum::<u64>());
        run(2, move || (0..1000).for_each(|n| numbers.send(n).unwrap()));
        assert_eq!(thread.join().unwrap(), 499_500);
    }
}
