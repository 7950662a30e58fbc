//! Timers that several goroutines set at once.

mod told;

use gmp::Builder;
use gmp::time::Timer;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// A reset stopped the timer and set it anew in two steps. Of two resets at once, the earlier one's value could come in
/// between and stay there, though the later one had moved the timer.
#[test]
fn of_two_resets_at_once_one_is_the_last() {
    let runtime = told::moving(Builder::new()).procs(3).build().unwrap();
    let work = || {
        let timer = Arc::new(Timer::new(HOUR));
        for round in 0..3000 {
            let here = Arc::new(AtomicUsize::new(0));
            let resets = [Duration::ZERO, HOUR].map(|delay| {
                let (timer, here) = (timer.clone(), here.clone());
                gmp::go(move || {
                    here.fetch_add(1, SeqCst);
                    // Not for ever: the two may share a P.
                    (0..200).take_while(|_| here.load(SeqCst) < 2).for_each(|_| std::hint::spin_loop());
                    timer.reset(delay);
                })
            });
            resets.into_iter().for_each(|reset| reset.join().unwrap());
            gmp::yield_now();
            let came = timer.channel().try_recv().is_ok();
            let still_to_come = timer.stop();
            assert!(!(came && still_to_come), "both resets were the last, in round {round}");
        }
    };
    runtime.run(work).unwrap();
}

/// A function that runs once is run once: a later reset does nothing, and a stopped one is dropped without a call.
#[test]
fn a_function_that_moves_runs_once() {
    let runtime = told::moving(Builder::new()).procs(1).build().unwrap();
    let work = || {
        let (told, hears) = gmp::chan::<&str>(2);
        let other = told.clone();
        let runs = gmp::time::after_func_once(Duration::ZERO, move || {
            told.send("ran").unwrap();
            drop(told);
        });
        let stopped = gmp::time::after_func_once(HOUR, move || other.send("never").unwrap());
        assert_eq!(hears.recv(), Ok("ran"));
        assert!(!runs.reset(Duration::ZERO));
        assert!(stopped.stop());
        // The last sender goes with the stopped function, which closes the channel.
        drop(stopped);
        assert!(hears.recv().is_err());
    };
    runtime.run(work).unwrap();
}

/// What a function owns goes with its timer: when the handle has gone, and the goroutine of its last run has ended, and
/// not before.
#[test]
fn what_a_function_owns_goes_once() {
    struct Owned(Arc<AtomicUsize>);
    impl Drop for Owned {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let runtime = told::moving(Builder::new()).procs(2).build().unwrap();
    let work = || {
        let (gone, ran) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for round in 1..=1000 {
            let (owned, ran_too) = (Owned(gone.clone()), ran.clone());
            let timer = gmp::time::after_func(Duration::ZERO, move || {
                assert_eq!(owned.0.load(SeqCst) + 1, round);
                ran_too.fetch_add(1, SeqCst);
            });
            let again = round % 2 == 0;
            while ran.load(SeqCst) == 0 {
                gmp::yield_now();
            }
            if again {
                // Perhaps while the first run has not quite ended.
                timer.reset(Duration::ZERO);
            }
            drop(timer);
            while gone.load(SeqCst) < round {
                gmp::yield_now();
            }
            assert_eq!(ran.swap(0, SeqCst), 1 + usize::from(again));
        }
        assert_eq!(gone.load(SeqCst), 1000);
    };
    runtime.run(work).unwrap();
}
