//! A goroutine that computed without a call kept its P for as long as it liked, and all that needed that P waited: a
//! ticker beside it stood still. The kind: any number of such goroutines, in any mode, locked, pinned or in a `join`,
//! and whatever they do when they have come back. Everything is counted and nothing timed: a hog computes until
//! somebody else has run.

use super::lost_p::{goes_on_after, in_every_mode, stays_after};
use super::undeclared_blocking::{moving, one_p};
use crate::harness::{child, named};
use gmp::{AtMainReturn, Overrun, chan, go};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const FAULT: crate::Fault = (
    named![
        a_ticker_goes_on_beside_hogs,
        whoever_has_overrun_goes_on,
        it_comes_back_to_its_thread,
        the_world_stops_beside_a_hog,
        main_returns_beside_a_hog,
        channels_keep_their_values_beside_hogs,
        the_halves_of_a_join_are_found,
        no_more_overrun_than_allowed,
        without_retake_a_hog_keeps_its_p,
        threads_as_goroutines_end,
        an_overrun_is_reported,
        a_polite_loop_overruns_nothing,
        the_system_stack_hides_nobody,
    ],
    named![
        ticks,
        four_hogs,
        goes_on_after_overruns,
        same_thread,
        resizes,
        left_computing,
        sums,
        joins,
        bound,
        keeps_it,
        hosted,
        reported,
        polite,
        on_system_stack,
    ],
);

const MS: Duration = Duration::from_millis(1);

/// Computes until this says so.
pub(crate) fn compute_until(done: impl Fn() -> bool) {
    while !done() {
        spin_loop();
    }
}

/// Computes until the P has been taken, which another goroutine's running shows.
fn overrun() {
    let ran = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&ran);
    go(move || other.store(true, SeqCst));
    compute_until(|| ran.load(SeqCst));
}

/// Computes for this much of its thread's CPU time.
fn compute_for(time: Duration) {
    let used =
        || Duration::from(nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let began = used();
    compute_until(|| used() - began >= time);
}

/// This many hogs compute until a ticker has ticked this often.
fn beside_a_ticker(hogs: usize, ticks: u32) {
    let ticked = Arc::new(AtomicU32::new(0));
    let hogs: Vec<_> = (0..hogs)
        .map(|_| {
            let ticked = Arc::clone(&ticked);
            go(move || compute_until(|| ticked.load(SeqCst) >= ticks))
        })
        .collect();
    while ticked.load(SeqCst) < ticks {
        gmp::sleep(MS);
        ticked.fetch_add(1, SeqCst);
    }
    hogs.into_iter().for_each(|hog| hog.join().unwrap());
}

fn ticks() {
    moving(|| {
        beside_a_ticker(1, 50);
        beside_a_ticker(2, 20);
        assert!(gmp::stats().overruns >= 3);
    });
    println!("done");
}

/// As many as may overrun on two Ps by default.
fn four_hogs() {
    one_p().procs(2).build().unwrap().run(|| beside_a_ticker(4, 20)).unwrap();
    println!("done");
}

fn a_ticker_goes_on_beside_hogs() {
    child("ticks").run().code(0).prints("done\n");
    child("four_hogs").run().code(0).prints("done\n");
}

fn goes_on_after_overruns() {
    in_every_mode(|| goes_on_after(overrun));
    println!("done");
}

fn whoever_has_overrun_goes_on() {
    child("goes_on_after_overruns").run().code(0).prints("done\n");
}

fn same_thread() {
    moving(|| stays_after(overrun));
    println!("done");
}

fn it_comes_back_to_its_thread() {
    child("same_thread").run().code(0).prints("done\n");
}

/// A stop of the world waited for every goroutine that computes.
fn resizes() {
    let main = || {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let hog = go(move || compute_until(|| stop.load(SeqCst)));
        gmp::yield_now();
        for procs in [1, 3, 2] {
            gmp::set_max_procs(procs);
        }
        over.store(true, SeqCst);
        hog.join().unwrap();
    };
    one_p().procs(2).build().unwrap().run(main).unwrap();
    println!("done");
}

fn the_world_stops_beside_a_hog() {
    child("resizes").run().code(0).prints("done\n");
}

fn left_computing() {
    for at_return in [AtMainReturn::Leak, AtMainReturn::Unwind] {
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let finished = one_p().at_main_return(at_return).build().unwrap().run(move || {
            go(move || {
                compute_until(|| stop.load(SeqCst));
                gmp::yield_now();
            });
            while gmp::stats().overruns == 0 {
                gmp::sleep(MS);
            }
        });
        assert_eq!(finished.unwrap().left.running, 1);
        over.store(true, SeqCst);
    }
    println!("done");
}

fn main_returns_beside_a_hog() {
    child("left_computing").run().code(0).prints("done\n");
}

/// The locks of channels are biased to the holder of the only P: whoever has lost it must not be taken for the holder.
fn sums() {
    let main = || {
        let (send, receive) = chan::<u32>(4);
        let senders: Vec<_> = (0..4)
            .map(|i| {
                let send = send.clone();
                go(move || {
                    for k in 0..200 {
                        // As many at once as may overrun on one P.
                        if i < 2 && k % 50 == 25 * i {
                            overrun();
                        }
                        send.send(k).unwrap();
                    }
                })
            })
            .collect();
        drop(send);
        let sum = go(move || receive.into_iter().sum::<u32>());
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        assert_eq!(sum.join().unwrap(), 4 * (199 * 200 / 2));
    };
    one_p().build().unwrap().run(main).unwrap();
    println!("done");
}

fn channels_keep_their_values_beside_hogs() {
    child("sums").run().code(0).prints("done\n");
}

/// A second half that was offered before the P was taken, or while it was taken, or after that, is run by somebody else.
fn joins() {
    moving(|| {
        let ran = AtomicBool::new(false);
        gmp::join(|| compute_until(|| ran.load(SeqCst)), || ran.store(true, SeqCst));
        for round in 0..30 {
            // The P is taken at some moment of these calls.
            for _ in 0..round * 20 {
                gmp::join(|| compute_for(Duration::from_micros(20)), || ());
            }
            let [outer, inner] = [AtomicBool::new(false), AtomicBool::new(false)];
            gmp::join(
                || {
                    let wait = || compute_until(|| outer.load(SeqCst) && inner.load(SeqCst));
                    gmp::join(wait, || inner.store(true, SeqCst))
                },
                || outer.store(true, SeqCst),
            );
        }
    });
    println!("done");
}

fn the_halves_of_a_join_are_found() {
    child("joins").run().code(0).prints("done\n");
}

/// Of three hogs on one P, one more than allowed, one keeps the P, and the last one does not get a turn.
fn bound() {
    for allowed in 0..3 {
        let runtime = one_p().max_overruns(allowed).build().unwrap();
        let overran = runtime.run(move || {
            let (began, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let hogs: Vec<_> = (0..allowed + 2)
                .map(|_| {
                    let (began, over) = (Arc::clone(&began), Arc::clone(&over));
                    go(move || {
                        let number = began.fetch_add(1, SeqCst);
                        if number < allowed {
                            compute_until(|| over.load(SeqCst));
                        } else if number == allowed {
                            compute_for(50 * MS);
                            assert_eq!(began.load(SeqCst), allowed + 1);
                            over.store(true, SeqCst);
                        }
                    })
                })
                .collect();
            hogs.into_iter().for_each(|hog| hog.join().unwrap());
            gmp::stats().overruns
        });
        // The last of them may be asked once more when the others have come back, in its last moments.
        let overran = overran.unwrap().value as usize;
        assert!((allowed..=allowed + allowed.min(1)).contains(&overran), "{overran} of {allowed}");
    }
    println!("done");
}

fn no_more_overrun_than_allowed() {
    child("bound").run().code(0).prints("done\n");
}

fn keeps_it() {
    let finished = one_p().retake(false).build().unwrap().run(|| {
        let ran = Arc::new(AtomicBool::new(false));
        let other = Arc::clone(&ran);
        let other = go(move || other.store(true, SeqCst));
        compute_for(50 * MS);
        let early = ran.load(SeqCst);
        other.join().unwrap();
        (early, gmp::stats().overruns)
    });
    println!("{:?}", finished.unwrap().value);
}

fn without_retake_a_hog_keeps_its_p() {
    child("keeps_it").run().code(0).prints("(false, 0)\n");
}

/// Where goroutines are threads there is no P to be taken from one that computes, and it ends all the same.
fn hosted() {
    let finished = one_p().one_thread_each().build().unwrap().run(|| {
        let hogs: Vec<_> = (0..4).map(|_| go(|| compute_for(20 * MS))).collect();
        (0..5).for_each(|_| gmp::sleep(MS));
        hogs.into_iter().for_each(|hog| hog.join().unwrap());
        gmp::stats().overruns
    });
    println!("{}", finished.unwrap().value);
}

fn threads_as_goroutines_end() {
    child("hosted").run().code(0).prints("0\n");
}

#[inline(never)]
fn computes_alone() {
    overrun();
    std::hint::black_box(());
}

/// The report says which goroutine it was, where it was started, for how long it ran, and where it stood.
fn reported() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let hook = {
        let reports = Arc::clone(&reports);
        move |overrun: &Overrun| reports.lock().unwrap().push((overrun.clone(), overrun.to_string()))
    };
    let finished = one_p().on_overrun(hook).build().unwrap().run({
        let reports = Arc::clone(&reports);
        move || {
            let mut hogs = 0;
            loop {
                let hog = gmp::spawn().name("hog").go(computes_alone).unwrap();
                hogs += 1;
                hog.join().unwrap();
                // A thread that must share a CPU with others may not show itself in time.
                let shown = |(_, text): &(_, String)| text.contains("computes_alone");
                if !cfg!(feature = "dump") || reports.lock().unwrap().iter().any(shown) {
                    return (hogs, gmp::stats().overruns);
                }
            }
        }
    });
    let (hogs, overruns) = finished.unwrap().value;
    let reports = reports.lock().unwrap();
    assert_eq!((reports.len(), overruns), (hogs, hogs as u64));
    for (overrun, text) in &*reports {
        assert!(overrun.number > 1 && overrun.name.as_deref() == Some("hog"), "{overrun:?}");
        assert!(overrun.created_at.file().ends_with("hogs.rs"), "{overrun:?}");
        // The slice, and sysmon's grace.
        assert!(overrun.lasted >= Duration::from_micros(10_500), "{overrun:?}");
        assert!(text.contains(" [hog] computed for ") && text.contains("hogs.rs"), "{text}");
    }
    println!("done");
}

fn an_overrun_is_reported() {
    child("reported").run().code(0).prints("done\n");
}

/// One that asks now and then gives way of its own accord, with sysmon's help or without.
fn polite() {
    for retake in [true, false] {
        let finished = one_p().retake(retake).build().unwrap().run(|| {
            let ticked = Arc::new(AtomicU32::new(0));
            let ticks = Arc::clone(&ticked);
            let polite = go(move || {
                while ticks.load(SeqCst) < 20 {
                    gmp::checkpoint();
                }
            });
            while ticked.load(SeqCst) < 20 {
                gmp::sleep(MS);
                ticked.fetch_add(1, SeqCst);
            }
            polite.join().unwrap();
            gmp::stats().overruns
        });
        println!("{}", finished.unwrap().value);
    }
    // On a plain thread it does nothing.
    gmp::checkpoint();
}

fn a_polite_loop_overruns_nothing() {
    child("polite").run().code(0).prints("0\n0\n");
}

/// What computes, or sleeps, on the thread's own stack has its P taken, too, and goes on where it was.
fn on_system_stack() {
    moving(|| {
        for (ticks, pause) in [(20, Duration::ZERO), (10, MS)] {
            let ticked = Arc::new(AtomicU32::new(0));
            let hog = go({
                let ticked = Arc::clone(&ticked);
                move || {
                    let thread = std::thread::current().id();
                    let done = || ticked.load(SeqCst) >= ticks;
                    gmp::on_system_stack(|| {
                        while !done() {
                            spin_loop();
                            std::thread::sleep(pause);
                        }
                    });
                    assert_eq!(std::thread::current().id(), thread);
                    gmp::yield_now();
                }
            });
            while ticked.load(SeqCst) < ticks {
                gmp::sleep(MS);
                ticked.fetch_add(1, SeqCst);
            }
            hog.join().unwrap();
        }
    });
    println!("done");
}

fn the_system_stack_hides_nobody() {
    child("on_system_stack").run().code(0).prints("done\n");
}
