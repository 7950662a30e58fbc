//! Rival: plain OS threads of std, one for each goroutine, as in a program that has no scheduler of its own.

pub(crate) mod chan;

use crate::cell::{Cell, Figures, Result, expect};
use crate::connections::{self, answer, read};
use crate::library::{self, Library, NO_POLICY, Programs};
use crate::measure::{self, Latencies, TICK, Ticks};
use crate::workload::Run;
use crate::{process, work};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

pub(crate) const LIBRARY: Library = Library {
    name: "threads",
    policies: &[NO_POLICY],
    idle_rules: &[],
    workloads: || library::names(PROGRAMS),
    own_groups: &[],
    run,
};

const PROGRAMS: &Programs<Run> = &[
    ("yield_2", yield_2),
    ("spawn_join", spawn_join),
    ("park_unpark", park_unpark),
    ("park_unpark_chan", chan::park_unpark::<chan::Std>),
    ("chan_pingpong", chan::pingpong::<chan::Std>),
    ("chan_buffered_spsc", chan::spsc::<chan::Std>),
    ("mutex_contended", mutex_contended),
    ("hog_fairness", hog_fairness),
    ("blocking_sys", blocking_sys),
    ("blocking_short", blocking_short),
    ("matmul_steal", matmul_steal),
];

fn run(cell: &Cell) -> Result<Figures> {
    confine(cell.procs);
    library::program(PROGRAMS, cell)?(cell)
}

/// Threads have no number of processors to set. So if one processor is asked for, the process is tied to one CPU;
/// otherwise a yield among two threads would measure nothing.
pub(crate) fn confine(procs: usize) {
    if procs > 1 {
        return;
    }
    // SAFETY: all zeroes is an empty CPU set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is live, and the CPU that this thread is on exists.
    unsafe { libc::CPU_SET(libc::sched_getcpu().max(0) as usize, &mut set) };
    // SAFETY: the set is live and its size is given; 0 is this thread. Threads inherit it. Failing only costs speed.
    unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
}

fn yield_2(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let done = AtomicU64::new(0);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    (0..n / 2).for_each(|_| thread::yield_now());
                    done.fetch_add(n / 2, Ordering::Relaxed);
                });
            }
        });
        expect("yields", done.into_inner(), n)
    })
}

fn spawn_join(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let ended = (0..n).filter(|_| thread::spawn(|| ()).join().is_ok()).count();
        expect("threads joined", ended as u64, n)
    })
}

fn park_unpark(cell: &Cell) -> Result<Figures> {
    let samples = cell.n as usize;
    let sent = Arc::new(Mutex::new(None::<Instant>));
    let mut latencies = Vec::new();
    let timed = measure::once(cell, cell.n, || {
        let theirs = Arc::clone(&sent);
        let receiver = thread::spawn(move || {
            let mut latencies = Vec::with_capacity(samples);
            while latencies.len() < samples {
                thread::park();
                let Some(at) = theirs.lock().unwrap().take() else { continue };
                latencies.push(at.elapsed().as_nanos() as f64);
            }
            latencies
        });
        while !receiver.is_finished() {
            thread::sleep(work::QUIET);
            *sent.lock().unwrap() = Some(Instant::now());
            receiver.thread().unpark();
        }
        latencies = receiver.join().map_err(|_| "the receiver panicked")?;
        expect("samples", latencies.len(), samples)
    })?;
    Ok(Latencies::of(latencies).figures(timed))
}

fn mutex_contended(cell: &Cell) -> Result<Figures> {
    measure::looped(cell, |n| {
        let (count, each) = (Mutex::new(0), n / work::LOCKERS);
        thread::scope(|scope| {
            for _ in 0..work::LOCKERS {
                scope.spawn(|| (0..each).for_each(|_| *count.lock().unwrap() += 1));
            }
        });
        expect("count", count.into_inner().unwrap(), each * work::LOCKERS)
    })
}

fn hog_fairness(cell: &Cell) -> Result<Figures> {
    let end = Instant::now() + Duration::from_millis(cell.n);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        let hog = thread::spawn(move || work::hog(end));
        let mut ticks = Ticks::start();
        loop {
            thread::sleep(TICK);
            ticks.tick();
            if Instant::now() >= end {
                break;
            }
        }
        hog.join().map_err(|_| "the hog panicked")?;
        gaps = Some(ticks.gaps());
        Ok(())
    })?;
    measure::fairness(timed, gaps)
}

fn blocking_sys(cell: &Cell) -> Result<Figures> {
    let over = AtomicBool::new(false);
    let mut gaps = None;
    let timed = measure::once(cell, 1, || {
        thread::scope(|scope| {
            let callers: Vec<_> = (0..cell.n)
                .map(|_| scope.spawn(|| (0..work::CALLS).for_each(|_| process::nanosleep(work::BLOCKED))))
                .collect();
            let ticks = Ticks::start();
            let ticker = scope.spawn(|| ticks.until(&over, thread::sleep));
            let ended = callers.into_iter().filter_map(|caller| caller.join().ok()).count();
            over.store(true, Ordering::Relaxed);
            gaps = ticker.join().ok();
            expect("callers", ended as u64, cell.n)
        })
    })?;
    Ok(timed.with("p99_ns", gaps.ok_or("the ticker panicked")?.p99))
}

fn blocking_short(cell: &Cell) -> Result<Figures> {
    connections::measure(cell, |connections| {
        let servers: Vec<_> =
            connections.into_iter().map(|one| thread::spawn(move || server(&one))).collect();
        Ok(servers.into_iter().map(|server| server.join().unwrap_or(0)).sum())
    })
}

fn server(connection: &UnixStream) -> u64 {
    let mut answered = 0;
    while let Some(request) = read(connection) {
        answered += u64::from(answer(connection, request));
    }
    answered
}

fn matmul_steal(cell: &Cell) -> Result<Figures> {
    let (want, serial) = work::serial(cell.n);
    let timed = measure::whole(cell, cell.n, || {
        // No scheduler: each thread takes the next piece from one counter, the best that plain threads can do.
        let (next, sum) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..cell.procs {
                scope.spawn(|| {
                    while let i = next.fetch_add(1, Ordering::Relaxed)
                        && i < cell.n
                    {
                        sum.fetch_add(work::piece(i), Ordering::Relaxed);
                    }
                });
            }
        });
        expect("sum of the pieces", sum.into_inner(), want)
    })?;
    Ok(measure::efficiency(cell, serial, timed))
}
