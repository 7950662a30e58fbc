//! Go's own tests of its scheduler (`runtime/proc_test.go`, `metrics_test.go`), those whose subject a program can see.

mod modes;
mod told;

use gmp::Unparker;
use modes::{everywhere, moving, on_go, on_stacks, unpinned};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

fn me() -> Unparker {
    gmp::current().unwrap().unparker()
}

fn yield_progress(locked: bool) {
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let yields = gmp::go(move || {
        let _lock = locked.then(gmp::lock_os_thread);
        while !told.load(SeqCst) {
            gmp::yield_now();
        }
    });
    gmp::sleep(Duration::from_millis(10));
    stop.store(true, SeqCst);
    yields.join().unwrap();
}

/// Go: TestYieldProgress.
#[test]
fn a_yield_loop_keeps_nobody_from_being_served() {
    for procs in [1, 2] {
        everywhere(procs, || yield_progress(false));
    }
}

/// Go: TestYieldLockedProgress.
#[test]
fn a_locked_yield_loop_keeps_nobody_from_being_served() {
    for procs in [1, 2] {
        unpinned(procs, || yield_progress(true));
    }
}

/// Go: TestYieldLocked.
#[test]
fn a_locked_goroutine_yields_and_sleeps_and_ends_locked() {
    unpinned(2, || {
        let locked = gmp::go(|| {
            std::mem::forget(gmp::lock_os_thread());
            for _ in 0..10 {
                gmp::yield_now();
                gmp::sleep(Duration::from_millis(1));
            }
        });
        locked.join().unwrap();
    });
}

/// Go: TestBlockLocked, its channel replaced by park and unpark.
#[test]
fn a_locked_goroutine_blocks_and_is_woken() {
    for procs in [1, 2] {
        unpinned(procs, || {
            let (rounds, main) = (Arc::new(AtomicUsize::new(0)), me());
            let counted = rounds.clone();
            let locked = gmp::go(move || {
                let _lock = gmp::lock_os_thread();
                for _ in 0..10 {
                    counted.fetch_add(1, SeqCst);
                    main.unpark();
                    gmp::park_timeout(Duration::from_millis(1));
                }
            });
            while rounds.load(SeqCst) < 10 {
                gmp::park();
            }
            locked.join().unwrap();
        });
    }
}

/// Starts `count` goroutines that wait for each other without ever calling the runtime.
fn meet(count: usize) {
    let there = Arc::new(AtomicUsize::new(0));
    let all: Vec<_> = (0..count)
        .map(|_| {
            let there = there.clone();
            gmp::go(move || {
                there.fetch_add(1, SeqCst);
                while there.load(SeqCst) < count {
                    std::thread::yield_now();
                }
            })
        })
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

/// Go: TestGoroutineParallelism. Four goroutines that wait for their turn in a busy loop all run at once.
#[test]
fn as_many_goroutines_run_at_once_as_there_are_ps() {
    const P: usize = 4;
    everywhere(P, || {
        for _ in 0..10 {
            let turn = Arc::new(AtomicUsize::new(0));
            let all: Vec<_> = (0..P)
                .map(|p| {
                    let turn = turn.clone();
                    gmp::go(move || {
                        for i in 0..3 {
                            while turn.load(SeqCst) != P * i + p {
                                std::thread::yield_now();
                            }
                            turn.store(P * i + p + 1, SeqCst);
                        }
                    })
                })
                .collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        }
    });
}

/// Go: TestGoroutineParallelism2. The same with nested spawns, fresh and after a load that left Ms parked.
#[test]
fn goroutines_run_at_once_however_they_are_started() {
    everywhere(4, || {
        for round in 0..10 {
            if round % 2 == 1 {
                meet(4);
            }
            if round % 3 == 2 {
                gmp::sleep(Duration::from_millis(1));
            }
            let there = Arc::new(AtomicUsize::new(0));
            let arrive = |there: &AtomicUsize| {
                there.fetch_add(1, SeqCst);
                while there.load(SeqCst) < 4 {
                    std::thread::yield_now();
                }
            };
            let pairs: Vec<_> = (0..2)
                .map(|_| {
                    let there = there.clone();
                    gmp::go(move || {
                        let inner = there.clone();
                        let nested = gmp::go(move || arrive(&inner));
                        arrive(&there);
                        nested.join().unwrap();
                    })
                })
                .collect();
            pairs.into_iter().for_each(|pair| pair.join().unwrap());
        }
    });
}

/// Two goroutines that wake each other until told to stop, each doing `work` a turn; counts the work.
fn pair(stop: &Arc<AtomicBool>, work: u64) -> (Arc<AtomicU64>, [gmp::JoinHandle<()>; 2]) {
    let done = Arc::new(AtomicU64::new(0));
    let partners: Arc<[std::sync::OnceLock<Unparker>; 2]> = Arc::default();
    let turn = |own: usize| {
        let (stop, done, partners) = (stop.clone(), done.clone(), partners.clone());
        move || {
            partners[own].set(me()).unwrap();
            while !stop.load(SeqCst) {
                for i in 0..work {
                    black_box(i);
                }
                done.fetch_add(work, SeqCst);
                if let Some(partner) = partners[1 - own].get() {
                    partner.unpark();
                }
                // The time-out makes sure that the last one to stop is not left behind.
                gmp::park_timeout(Duration::from_millis(50));
            }
        }
    };
    let handles = [gmp::go(turn(0)), gmp::go(turn(1))];
    (done, handles)
}

/// Go: TestTimerFairness, TestTimerFairness2. A timer fires although two goroutines keep each other runnable.
#[test]
fn a_timer_fires_beside_goroutines_that_are_never_idle() {
    for procs in [1, 2] {
        everywhere(procs, || {
            let stop = Arc::new(AtomicBool::new(false));
            let (_, busy) = pair(&stop, 1);
            let told = stop.clone();
            let calls = gmp::go(move || {
                while !told.load(SeqCst) {
                    gmp::blocking(|| {});
                    gmp::yield_now();
                }
            });
            gmp::sleep(Duration::from_millis(20));
            stop.store(true, SeqCst);
            busy.into_iter().for_each(|one| one.join().unwrap());
            calls.join().unwrap();
        });
    }
}

/// How much work `pair` does in a slice: 10 ms of CPU time, however long they take by the wall.
fn work_of_a_slice() -> u64 {
    let cpu_time = || nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap();
    let (start, mut work) = (Duration::from(cpu_time()), 0);
    while Duration::from(cpu_time()) - start < Duration::from_millis(10) {
        for i in 0..1_000 {
            black_box(i);
        }
        work += 1_000;
    }
    work
}

/// Go: TestPingPongHog. A pair that works long and one that works shortly share a P by time, since a turn that was
/// handed on inherits the slice: within a factor of 20, after 40 slices or (where sysmon gets the CPU late, and slices
/// last longer) some more.
#[test]
fn a_ping_pong_pair_shares_the_p_with_a_hog() {
    let shared = on_go(1, || {
        let slice = work_of_a_slice();
        let stop = Arc::new(AtomicBool::new(false));
        let (hog, hogs) = pair(&stop, 100_000);
        let (light, lights) = pair(&stop, 1_000);
        let shared = loop {
            gmp::sleep(Duration::from_millis(10));
            let (hog, light) = (hog.load(SeqCst), light.load(SeqCst));
            let shared = hog < 20 * light && light < 20 * hog;
            match (hog + light) / slice {
                0..40 => {}
                _ if shared => break Ok(()),
                40..1000 => {}
                slices => break Err(format!("hog {hog}, light {light} after {slices} slices")),
            }
        };
        stop.store(true, SeqCst);
        hogs.into_iter().chain(lights).for_each(|one| one.join().unwrap());
        shared
    });
    shared.unwrap();
}

/// Go: TestStopTheWorldDeadlock. The world is stopped over and over while a goroutine respawns itself.
#[test]
fn stopping_the_world_beside_respawning_goroutines_goes_on() {
    fn respawn(stop: Arc<AtomicBool>, count: Arc<AtomicUsize>) {
        if stop.load(SeqCst) {
            count.fetch_sub(1, SeqCst);
            return;
        }
        drop(gmp::go(move || respawn(stop, count)));
    }
    on_stacks(3, || {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(2)));
        for _ in 0..2 {
            let (stop, count) = (stop.clone(), count.clone());
            drop(gmp::go(move || respawn(stop, count)));
        }
        let setters: Vec<_> = [3, 5]
            .map(|procs| {
                gmp::go(move || {
                    for i in 0..100 {
                        gmp::set_max_procs(procs - i % 2);
                        gmp::yield_now();
                    }
                })
            })
            .into_iter()
            .collect();
        setters.into_iter().for_each(|setter| setter.join().unwrap());
        stop.store(true, SeqCst);
        while count.load(SeqCst) != 0 {
            gmp::yield_now();
        }
    });
}

/// Go: TestNumGoroutine, TestMainGoroutineID, TestNoHelperGoroutines.
#[test]
fn a_fresh_runtime_has_one_goroutine_and_it_is_number_1() {
    everywhere(2, || {
        assert_eq!(gmp::num_goroutines(), 1);
        assert_eq!(gmp::current().unwrap().number, 1);
        assert_eq!(gmp::stats().system_goroutines, 0);
        let all: Vec<_> = (0..10).map(|_| gmp::go(gmp::park)).collect();
        assert_eq!(gmp::num_goroutines(), 11);
        drop(all);
    });
}

/// Go: TestPreemptionAfterSyscall. Eight goroutines in short system calls on two Ps, and main is served.
#[test]
fn goroutines_in_short_calls_leave_room_for_others() {
    for micros in [10, 100, 1000] {
        let body: fn(u64) = |micros| {
            let stop = Arc::new(AtomicBool::new(false));
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    let stop = stop.clone();
                    gmp::go(move || {
                        while !stop.load(SeqCst) {
                            gmp::blocking(|| std::thread::sleep(Duration::from_micros(micros)));
                        }
                    })
                })
                .collect();
            gmp::sleep(Duration::from_millis(10));
            stop.store(true, SeqCst);
            callers.into_iter().for_each(|caller| caller.join().unwrap());
        };
        on_go(2, move || body(micros));
    }
}

/// Go: TestBigGOMAXPROCS.
#[test]
fn a_thousand_ps_are_no_trouble() {
    moving(1024, || {
        let all: Vec<_> = (0..2000).map(|i| gmp::go(move || i)).collect();
        assert_eq!(all.into_iter().map(|one| one.join().unwrap()).sum::<u32>(), 1_999_000);
        assert_eq!(gmp::set_max_procs(2), 1024);
    });
}

/// Go: TestReadMetricsSched.
#[test]
fn figures_count_goroutines_by_state() {
    unpinned(2, || {
        let before = gmp::stats();
        let waiting: Vec<_> = (0..10).map(|_| gmp::go(gmp::park)).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let blocked = gmp::go(move || {
            gmp::blocking(|| {
                while !told.load(SeqCst) {
                    std::thread::sleep(Duration::from_micros(100));
                }
            });
        });
        // A call that comes back moves on by itself, so only at rest are these numbers the only right ones.
        loop {
            let now = gmp::stats();
            if (now.waiting, now.blocked, now.running) == (10, 1, 1) {
                assert_eq!((now.goroutines, now.runnable), (12, 0));
                assert_eq!(now.spawned, before.spawned + 11);
                assert_eq!(now.procs, 2);
                // Two Ms at least, and sysmon.
                assert!(now.threads >= 3, "{now:?}");
                break;
            }
            gmp::yield_now();
        }
        stop.store(true, SeqCst);
        blocked.join().unwrap();
        drop(waiting);
    });
}

/// Work is conserved: what one goroutine spawns, idle Ps steal.
#[test]
fn idle_ps_steal() {
    moving(4, || {
        while gmp::stats().steals == 0 {
            let all: Vec<_> = (0..64).map(|_| gmp::go(|| (0..1000).for_each(|i| _ = black_box(i)))).collect();
            all.into_iter().for_each(|one| one.join().unwrap());
        }
        let stats = gmp::stats();
        assert!(stats.stolen >= stats.steals, "{stats:?}");
    });
}
