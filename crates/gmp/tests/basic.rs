//! Goroutines start, end, wait for each other, and tell their joiners how it went.

mod told;

use gmp::{Builder, JoinError, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn runtime(procs: usize) -> Runtime {
    told::moving(Builder::new()).procs(procs).build().unwrap()
}

fn run<T: Send + 'static>(procs: usize, main: impl FnOnce() -> T + Send + 'static) -> T {
    runtime(procs).run(main).unwrap().value
}

#[test]
fn results_come_back() {
    for procs in [1, 2, 4] {
        let sum =
            run(procs, || (0..1000u64).map(|i| gmp::go(move || i)).map(|h| h.join().unwrap()).sum::<u64>());
        assert_eq!(sum, 499_500);
    }
}

#[test]
fn a_panic_is_a_result() {
    let error = run(1, || gmp::go(|| panic!("seven")).join().unwrap_err());
    assert!(matches!(error, JoinError::Panicked(payload) if payload.text().as_deref() == Some("seven")));
}

#[test]
fn exit_ends_a_goroutine_and_runs_its_destructors() {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = Arc::new(AtomicUsize::new(0));
    let count = Count(drops.clone());
    let error = run(1, move || {
        let handle: gmp::JoinHandle<()> = gmp::go(move || {
            let _count = count;
            gmp::exit()
        });
        handle.join().unwrap_err()
    });
    assert!(matches!(error, JoinError::Exited));
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn yields_let_others_run() {
    for procs in [1, 2] {
        let total = run(procs, || {
            let count = Arc::new(AtomicUsize::new(0));
            let all: Vec<_> = (0..50)
                .map(|_| {
                    let count = count.clone();
                    gmp::go(move || {
                        for _ in 0..100 {
                            count.fetch_add(1, Ordering::Relaxed);
                            gmp::yield_now();
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|handle| handle.join().unwrap());
            count.load(Ordering::Relaxed)
        });
        assert_eq!(total, 5000);
    }
}

#[test]
fn park_and_unpark_pass_a_permit() {
    for procs in [1, 2] {
        run(procs, || {
            let (tell, hear) = std::sync::mpsc::channel();
            let sleeper = gmp::go(move || {
                tell.send(gmp::current().unwrap().unparker()).unwrap();
                for _ in 0..1000 {
                    gmp::park();
                }
            });
            gmp::yield_now();
            let unparker = loop {
                match hear.try_recv() {
                    Ok(unparker) => break unparker,
                    Err(_) => gmp::yield_now(),
                }
            };
            while !sleeper.is_finished() {
                unparker.unpark();
                gmp::yield_now();
            }
            sleeper.join().unwrap();
            unparker.unpark();
        });
    }
}

#[test]
fn sleeps_last_at_least_as_long_as_asked() {
    for procs in [1, 2] {
        let slept = run(procs, || {
            let start = std::time::Instant::now();
            let all: Vec<_> =
                (1..=20).map(|i| gmp::go(move || gmp::sleep(Duration::from_millis(i)))).collect();
            all.into_iter().for_each(|handle| handle.join().unwrap());
            start.elapsed()
        });
        assert!(slept >= Duration::from_millis(20), "{slept:?}");
    }
}

#[test]
fn blocking_calls_lend_the_p_out() {
    for procs in [1, 2] {
        run(procs, || {
            let blocked = gmp::go(|| gmp::blocking(|| std::thread::sleep(Duration::from_millis(30))));
            let others = gmp::go(|| (0..1000).for_each(|_| gmp::yield_now()));
            others.join().unwrap();
            blocked.join().unwrap();
        });
    }
}

#[test]
fn plain_threads_spawn_and_join() {
    let runtime = runtime(2);
    let handle = runtime.handle();
    let thread = std::thread::spawn(move || {
        (0..100).map(|i| handle.go(move || i).unwrap().join().unwrap()).sum::<i32>()
    });
    let done = runtime.run(move || {
        while !thread.is_finished() {
            gmp::sleep(Duration::from_millis(1));
        }
        thread.join().unwrap()
    });
    assert_eq!(done.unwrap().value, 4950);
}

#[test]
fn the_number_of_ps_changes() {
    run(1, || {
        let spinners: Vec<_> = (0..20)
            .map(|_| {
                gmp::go(|| {
                    for _ in 0..200 {
                        gmp::yield_now();
                    }
                })
            })
            .collect();
        let mut before = 1;
        for procs in [4, 2, 8, 1, 3, 3, 16, 1] {
            assert_eq!(gmp::set_max_procs(procs), before);
            assert_eq!(gmp::max_procs(), procs);
            before = procs;
            gmp::yield_now();
        }
        spinners.into_iter().for_each(|handle| handle.join().unwrap());
    });
}

#[test]
fn locked_goroutines_stay_on_their_thread() {
    for procs in [1, 2] {
        run(procs, || {
            let all: Vec<_> = (0..4)
                .map(|_| {
                    gmp::go(|| {
                        let _lock = gmp::lock_os_thread();
                        let id = std::thread::current().id();
                        for _ in 0..50 {
                            gmp::yield_now();
                            assert_eq!(std::thread::current().id(), id);
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|handle| handle.join().unwrap());
        });
    }
}

/// Both errors go where an error has to be `Send` and `Sync`.
#[test]
fn errors_go_into_boxes_that_threads_share() {
    type Shared = Box<dyn std::error::Error + Send + Sync>;
    fn joined() -> Result<(), Shared> {
        gmp::go(|| panic!("seven")).join()?;
        Ok(())
    }
    let text = runtime(1).run(|| joined().unwrap_err().to_string()).unwrap().value;
    assert_eq!(text, "the goroutine panicked: seven");
    let error: Shared = runtime(1).run(|| std::panic::panic_any(7)).unwrap_err().into();
    assert_eq!(error.to_string(), "the main goroutine panicked: (a payload that is no text)");
}
