//! Loops of Go's `runtime/proc_test.go` and `norace_test.go`.

use super::parts::{any, each, fixed, in_parallel, only, spin, warm, work};
use crate::cell::{Cell, Figures, Result, expect};
use crate::gmp::latch::Latch;
use crate::workload::Benchmark;
use crate::{measure, process};
use gmp::channel::TryRecvError;
use gmp::{Receiver, Sender, chan};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub(super) const ALL: &[Benchmark] = &[
    any("BenchmarkCreateGoroutines", |cell| chains(cell, 1)),
    any("BenchmarkCreateGoroutinesParallel", |cell| chains(cell, cell.procs as u64)),
    any("BenchmarkCreateGoroutinesCapture", capture),
    any("BenchmarkCreateGoroutinesSingle", single),
    only("BenchmarkPingPongHog", &[1], ping_pong_hog),
    any("BenchmarkSyscall", |cell| declared(cell, 1, 0)),
    any("BenchmarkSyscallWork", |cell| declared(cell, 1, 100)),
    any("BenchmarkSyscallExcess", |cell| declared(cell, 4, 0)),
    any("BenchmarkSyscallExcessWork", |cell| declared(cell, 4, 100)),
    only("BenchmarkWakeupParallelSpinning/0us", &[2], |cell| wakeup(cell, 0, spin)),
    only("BenchmarkWakeupParallelSpinning/1us", &[2], |cell| wakeup(cell, 1, spin)),
    only("BenchmarkWakeupParallelSpinning/5us", &[2], |cell| wakeup(cell, 5, spin)),
    only("BenchmarkWakeupParallelSpinning/20us", &[2], |cell| wakeup(cell, 20, spin)),
    only("BenchmarkWakeupParallelSpinning/100us", &[2], |cell| wakeup(cell, 100, spin)),
    only("BenchmarkWakeupParallelSyscall/0us", &[2], |cell| wakeup(cell, 0, syscall)),
    only("BenchmarkWakeupParallelSyscall/1us", &[2], |cell| wakeup(cell, 1, syscall)),
    only("BenchmarkWakeupParallelSyscall/5us", &[2], |cell| wakeup(cell, 5, syscall)),
    only("BenchmarkWakeupParallelSyscall/20us", &[2], |cell| wakeup(cell, 20, syscall)),
    only("BenchmarkWakeupParallelSyscall/100us", &[2], |cell| wakeup(cell, 100, syscall)),
    fixed("BenchmarkMatmult", &[1, 2], &[1_000_000], 30_000, matmult),
];

/// This many goroutines each start the next, n in all.
fn chains(cell: &Cell, many: u64) -> Result<Figures> {
    fn link(left: u64, done: u64, ended: Sender<u64>) {
        if left == 0 {
            let _sent = ended.send(done);
            return;
        }
        drop(gmp::go(move || link(left - 1, done + 1, ended)));
    }
    measure::looped(cell, |n| {
        let (send, ended) = chan(0);
        for _ in 0..many {
            let send = send.clone();
            drop(gmp::go(move || link(n / many, 0, send)));
        }
        expect("goroutines", ended.iter().take(many as usize).sum(), n / many * many)
    })
}

fn capture(cell: &Cell) -> Result<Figures> {
    const MANY: u64 = 4;
    measure::looped(cell, |n| {
        for _ in 0..n {
            let latch = Latch::new(MANY)?;
            for i in 0..MANY {
                drop(gmp::go(move || {
                    assert!(i < MANY, "captured something else");
                    latch.done();
                }));
            }
            latch.wait();
        }
        Ok(())
    })
}

fn single(cell: &Cell) -> Result<Figures> {
    warm(cell.procs);
    measure::looped(cell, |n| {
        let latch = Latch::new(n)?;
        (0..n).for_each(|_| drop(gmp::go(|| latch.done())));
        // This is the check: it returns after n calls and never before.
        latch.wait();
        Ok(())
    })
}

/// A time slice. Go takes the processor from the hog then; ours must look at the clock and yield.
const SLICE: Duration = Duration::from_millis(10);

/// A round trip of two goroutines on one processor, beside a third that all the time looks whether it may end.
fn ping_pong_hog(cell: &Cell) -> Result<Figures> {
    // Where all stand in one line each hand-over waits for a slice of the hog: too long for a smoke run's thousand.
    let length = if cell.quick { SLICE / 10 } else { SLICE };
    measure::looped(cell, |n| {
        let (over, end) = chan::<()>(0);
        let hog = gmp::go(move || {
            let mut slice = Instant::now();
            while end.try_recv() == Err(TryRecvError::Empty) {
                if slice.elapsed() >= length {
                    gmp::yield_now();
                    slice = Instant::now();
                }
            }
        });
        let ((ping, pinged), (pong, ponged)) = (chan::<u64>(0), chan::<u64>(0));
        drop(gmp::go(move || pinged.iter().all(|value| pong.send(value + 1).is_ok())));
        let trips = gmp::go(move || {
            let trip = |value| {
                let _sent = ping.send(value);
                ponged.recv().unwrap_or(0)
            };
            (0..n).fold(0, |value, _| trip(value))
        });
        let got = trips.join().map_err(|error| error.to_string())?;
        drop(over);
        hog.join().map_err(|error| error.to_string())?;
        expect("round trips", got, n)
    })
}

/// A declared blocking call that does nothing, or a little work.
fn declared(cell: &Cell, excess: usize, steps: u64) -> Result<Figures> {
    in_parallel(cell, excess, || {
        move |count| {
            let mut x = 1;
            each(count, || x = gmp::blocking(|| work(steps, x)))
        }
    })
}

/// A call that blocks without saying so would keep its processor, so it is declared, as all of Go's are.
fn syscall(time: Duration) {
    if !time.is_zero() {
        gmp::blocking(|| process::nanosleep(time));
    }
}

/// How much longer than the receiver a sender is busy, so that the receiver waits when both run at once.
const LONGER: Duration = Duration::from_micros(5);

/// Two goroutines take turns as sender and receiver of a message, busy before each. Twice the delay shows in the figure
/// if they run at once, and four times if they run one after the other.
fn wakeup(cell: &Cell, micros: u64, busy: fn(Duration)) -> Result<Figures> {
    let delay = Duration::from_micros(micros);
    let send = move |to: &Sender<u64>| {
        busy(delay + LONGER);
        u64::from(to.send(1).is_ok())
    };
    let receive = move |from: &Receiver<u64>| {
        busy(delay);
        from.recv().unwrap_or(0)
    };
    measure::looped(cell, |n| {
        let ((ping, pinged), (pong, ponged)) = (chan(0), chan(0));
        let first = gmp::go(move || (0..n).map(|_| send(&ping) * receive(&ponged)).sum::<u64>());
        let second = gmp::go(move || (0..n).map(|_| receive(&pinged) * send(&pong)).sum::<u64>());
        let messages = first.join().unwrap_or(0) + second.join().unwrap_or(0);
        expect("messages", messages, 2 * n)
    })
}

/// Multiplies matrices, with n multiplications in all. The work is split down to sides of 8, and is parallel except
/// along the sums.
fn matmult(cell: &Cell) -> Result<Figures> {
    let side = (cell.n as f64).cbrt().round() as usize;
    let numbers: Vec<f64> = (0..side * side).map(|i| i as f64).collect();
    let want = (0..side).map(|k| numbers[(side - 1) * side + k] * numbers[k * side]).sum::<f64>();
    measure::whole(cell, (side as u64).pow(3), || {
        let product = numbers.iter().map(|_| AtomicU64::new(0)).collect();
        let matrices = Arc::new(Matrices { side, numbers: numbers.clone(), product });
        multiply(&matrices, [0..side, 0..side, 0..side]);
        expect("corner", matrices.at((side - 1) * side), want)
    })
}

/// Both factors are the same numbers, row by row.
struct Matrices {
    side: usize,
    numbers: Vec<f64>,
    /// The bits of numbers. Each is written by one goroutine at a time, without a locked instruction.
    product: Vec<AtomicU64>,
}

impl Matrices {
    fn at(&self, i: usize) -> f64 {
        f64::from_bits(self.product[i].load(Ordering::Relaxed))
    }

    fn add(&self, [rows, columns, along]: &[Range<usize>; 3]) {
        for i in rows.clone() {
            for j in columns.clone() {
                for k in along.clone() {
                    let sum = self.at(i * self.side + j)
                        + self.numbers[i * self.side + k] * self.numbers[k * self.side + j];
                    self.product[i * self.side + j].store(sum.to_bits(), Ordering::Relaxed);
                }
            }
        }
    }
}

/// Halves the longest of rows, columns and the side along which sums are taken. Rows and columns go to two goroutines.
fn multiply(matrices: &Arc<Matrices>, part: [Range<usize>; 3]) {
    const SMALL: usize = 8;
    let longest = if part[0].len() >= part[1].len().max(part[2].len()) {
        0
    } else if part[1].len() >= part[2].len() {
        1
    } else {
        2
    };
    if part[longest].len() < SMALL {
        return matrices.add(&part);
    }
    let Range { start, end } = part[longest];
    let middle = start + (end - start) / 2;
    let (mut below, mut above) = (part.clone(), part);
    (below[longest], above[longest]) = (start..middle, middle..end);
    if longest == 2 {
        multiply(matrices, below);
        return multiply(matrices, above);
    }
    let theirs = Arc::clone(matrices);
    let other = gmp::go(move || multiply(&theirs, below));
    multiply(matrices, above);
    // One that failed leaves its part of the product at 0, and the check says so.
    let _ended = other.join();
}
