//! Goroutines that park and hop to one another, while plain threads call their parks off, fresh goroutines come up in
//! between, or the runtime closes.

mod told;

use gmp::policy::Go;
use gmp::{AtMainReturn, Builder, DeadlockRule, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

/// Go's policy, whatever the default is: with a stack of goroutines, main would never get a turn beside goroutines that
/// ready each other without end.
fn builder(procs: usize) -> Builder<Go> {
    told::moving(Builder::new()).policy::<Go>().procs(procs)
}

/// Two goroutines that hand a number to and fro. Returns what it has become, if the runtime does not close before.
fn volley(rounds: u64) -> gmp::JoinHandle<Option<u64>> {
    gmp::go(move || {
        let ((there, at), (back, home)) = (gmp::chan::<u64>(0), gmp::chan(0));
        gmp::go(move || at.iter().for_each(|n| _ = back.send(n + 1)));
        (0..rounds).try_fold(0, |n, _| there.send(n).ok().and_then(|()| home.recv().ok()))
    })
}

/// A thread unparks all the time, so some permits come between the look for one and the commit, when another goroutine
/// has been taken in hand to run instead. Neither that one may be lost, nor the one whose park is called off.
#[test]
fn parks_called_off_lose_nobody() {
    const PARKS: u64 = 20_000;
    for procs in [1, 2] {
        let runtime: Runtime<Go> = builder(procs).build().unwrap();
        runtime
            .run(move || {
                let over = Arc::new(AtomicBool::new(false));
                let (tell, told) = gmp::chan(1);
                let parks = gmp::go(move || {
                    tell.send(gmp::current().unwrap().unparker()).unwrap();
                    (0..PARKS).map(|_| gmp::park()).count() as u64
                });
                let (unparker, ended) = (told.recv().unwrap(), Arc::clone(&over));
                let thread = std::thread::spawn(move || {
                    while !ended.load(Relaxed) {
                        unparker.unpark();
                    }
                });
                let volleys: Vec<_> = (0..3).map(|_| volley(PARKS / 4)).collect();
                let fresh: u64 = (0..PARKS / 4).map(|n| gmp::go(move || n).join().unwrap()).sum();
                assert_eq!(fresh, (0..PARKS / 4).sum());
                volleys.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), Some(PARKS / 4)));
                assert_eq!(parks.join().unwrap(), PARKS);
                over.store(true, Relaxed);
                gmp::blocking(|| thread.join().unwrap());
            })
            .unwrap();
    }
}

/// The runtime closes at a moment that differs from round to round: `run` returns, whoever was on the way from one
/// goroutine to the next.
#[test]
fn a_runtime_closes_between_two_goroutines() {
    for round in 0..300 {
        let leaks = if round % 2 == 0 { AtMainReturn::Leak } else { AtMainReturn::Unwind };
        let builder = builder(1 + round as usize % 3).seed(round).deadlock(DeadlockRule::Never);
        let runtime: Runtime<Go> = builder.at_main_return(leaks).build().unwrap();
        let handle = runtime.handle();
        let volleys: Vec<_> =
            (0..4).map(|_| handle.go(|| volley(u64::MAX).join().ok().flatten()).unwrap()).collect();
        runtime.run(move || gmp::sleep(Duration::from_micros(1 + round * 37 % 700))).unwrap();
        for one in volleys {
            assert!(!matches!(one.join(), Ok(Some(_))), "none comes to an end");
        }
    }
}
