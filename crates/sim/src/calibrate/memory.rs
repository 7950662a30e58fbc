//! What records and stacks take that have gone cold, or that another CPU has: timed with the real allocator's stacks and
//! the real switch, so that page tables and colours are what they are.

use super::timing::{NOWHERE, cpu, median};
use crate::costs::{Curve, MemoryCosts};
use crate::memory::{RECORD, STACK};
use gmp_arch_amd64::{Amd64, Guarded};
use gmp_core::contract::{Carry, Context, Stack, StackAllocator, Switch};
use gmp_core::queue::Rng;
use gmp_stack::{Config, Stacks};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many stacks there are in a round, from what fits into the nearest cache to what fits into none. So many take 3 GiB
/// with their page tables.
const STACKS: [usize; 9] = [16, 64, 256, 1024, 4096, 16384, 65536, 196_608, 524_288];
/// The same for records.
const RECORDS: [usize; 8] = [16, 128, 512, 2048, 8192, 32768, 131_072, 1_048_576];
/// What goroutines have by default.
const STACK_SIZE: usize = 1 << 20;
/// A round of as many things goes to another CPU.
const MOVED: usize = 64;
/// How often a round goes there, and for how long that is tried.
const MOVES: usize = 200;
const LONGEST: Duration = Duration::from_secs(3);
/// Touches of each measurement, about.
const TOUCHES: usize = 200_000;

/// The costs that can be measured here. The others stay as they were: those of stacks, where there is no memory for so many
/// or they cannot be switched to, and those of what has moved, where two threads have not been seen on two CPUs.
pub(super) fn measured(before: &MemoryCosts) -> MemoryCosts {
    let mut records = vec![Record::default(); RECORDS[RECORDS.len() - 1]];
    let (order, jumps) = (in_order(records.len()), by_jumps(records.len()));
    let mut of_records = |order: &[usize]| {
        curve(&RECORDS, RECORD, |count| {
            let part: Vec<usize> = order.iter().copied().filter(|at| *at < count).collect();
            best(count, || touch(&mut records, &part))
        })
    };
    let (record_in_order, record_by_jumps) = (of_records(&order), of_records(&jumps));
    let few = in_order(MOVED);
    let record_moved = moved(|| touch(&mut records, &few));
    let stacks = Round::new(STACKS[STACKS.len() - 1]).map(|mut round| {
        let (order, jumps) = (in_order(round.stacks.len()), by_jumps(round.stacks.len()));
        let mut of_stacks = |order: &[usize]| {
            curve(&STACKS, STACK, |count| {
                round.order = order.iter().copied().filter(|at| *at < count).collect();
                best(count, || round.go())
            })
        };
        let curves = (of_stacks(&order), of_stacks(&jumps));
        round.order = few;
        (curves, moved(|| round.go()))
    });
    let ((stack_in_order, stack_by_jumps), stack_moved) = stacks.unwrap_or_else(|| {
        ((before.stack_in_order.clone(), before.stack_by_jumps.clone()), Some(before.stack_moved))
    });
    MemoryCosts {
        record_in_order,
        record_by_jumps,
        record_moved: record_moved.unwrap_or(before.record_moved),
        stack_in_order,
        stack_by_jumps,
        stack_moved: stack_moved.unwrap_or(before.stack_moved),
    }
}

fn in_order(count: usize) -> Vec<usize> {
    (0..count).collect()
}

fn by_jumps(count: usize) -> Vec<usize> {
    let (mut order, mut rng) = (in_order(count), Rng::new(1));
    (1..count).for_each(|at| order.swap(at, rng.below(at + 1)));
    order
}

/// Nanoseconds by lines of all that is touched, on top of what the smallest round takes.
fn curve(counts: &[usize], lines: u64, mut each: impl FnMut(usize) -> f64) -> Curve {
    let took: Vec<f64> = counts.iter().map(|count| each(*count)).collect();
    let mut most = 0.0_f64;
    let mut rising = |ns: f64| {
        most = most.max(ns - took[0]);
        most
    };
    counts.iter().zip(&took).map(|(count, ns)| [*count as f64 * lines as f64, rising(*ns)]).collect()
}

/// Nanoseconds of one touch in the quickest round.
fn best(count: usize, mut round: impl FnMut()) -> f64 {
    let times = (TOUCHES / count).max(6);
    let one = |_| {
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / count as f64
    };
    (0..times).map(one).fold(f64::INFINITY, f64::min)
}

/// What one of `MOVED` touches takes more if another CPU has made the same touches before; `None`: two threads have not
/// been seen on two CPUs.
fn moved(round: impl FnMut() + Send) -> Option<f64> {
    let round = Mutex::new(round);
    let (turn, there, over) = (AtomicU64::new(0), AtomicUsize::new(NOWHERE), AtomicBool::new(false));
    // Both spin, so that the kernel comes to leave them on two CPUs.
    let is_turn_of = |mine: u64| {
        while turn.load(Ordering::Acquire) % 2 != mine && !over.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
        !over.load(Ordering::Relaxed)
    };
    let one = || {
        let mut round = round.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let start = Instant::now();
        round();
        start.elapsed().as_nanos() as f64 / MOVED as f64
    };
    let pass_on = |cpu: usize| {
        there.store(cpu, Ordering::Relaxed);
        turn.fetch_add(1, Ordering::Release);
    };
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while is_turn_of(1) {
                one();
                pass_on(cpu());
            }
        });
        let begin = Instant::now();
        while all.len() < MOVES && begin.elapsed() < LONGEST && is_turn_of(0) {
            let (from, to) = (there.load(Ordering::Relaxed), cpu());
            // The second round finds everything here.
            let took = one() - one();
            if from != NOWHERE && from != to && to == cpu() {
                all.push(took);
            }
            pass_on(to);
        }
        over.store(true, Ordering::Relaxed);
    });
    (!all.is_empty()).then(|| median(all.into_iter()).max(0.0))
}

/// What a goroutine's record takes: three lines, the first of which holds words that are changed with locked
/// instructions.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Record {
    word: AtomicU64,
    first: [u64; 7],
    second: [u64; 8],
    third: [u64; 8],
}

impl Clone for Record {
    fn clone(&self) -> Self {
        Self::default()
    }
}

fn touch(records: &mut [Record], order: &[usize]) {
    for at in order {
        let record = &mut records[*at];
        record.word.fetch_add(1, Ordering::Relaxed);
        record.first[0] = record.first[0].wrapping_add(1);
        record.second[0] = record.second[0].wrapping_add(1);
        record.third[0] = record.third[0].wrapping_add(1);
    }
    black_box(records);
}

/// Flows on stacks of their own, each of which switches to the next.
struct Round {
    home: Context,
    contexts: Vec<Context>,
    order: Vec<usize>,
    /// Which place of the order runs.
    at: usize,
    stacks: Vec<Stack>,
    cache: <Stacks<Guarded> as StackAllocator>::Cache,
    allocator: Stacks<Guarded>,
}

// SAFETY: a flow uses nothing of its thread, so a round may go on on another one; whoever has it has all of it.
unsafe impl Send for Round {}

/// Touches its frame and goes on with the next flow, again and again.
unsafe extern "C" fn flow(carry: Carry) -> Context {
    let mut round: *mut Round = carry.cast();
    // SAFETY: the round lives until no flow is switched to any more, and only one flow runs at a time.
    let me = unsafe { (&(*round).order)[(*round).at] };
    // What a goroutine does next depends on what lies on its stack, so here the step to the next flow does: the CPU cannot
    // begin with that one before the frame of this one is there.
    let mut frame = [1_usize; 16];
    loop {
        frame[8] = frame[8].wrapping_add(1);
        black_box(&mut frame);
        // SAFETY: as above.
        round = unsafe { Round::next(round, me, frame[0]) };
    }
}

impl Round {
    fn new(most: usize) -> Option<Self> {
        let allocator = Stacks::new(Guarded::default(), Config::default()).ok()?;
        let mut cache = allocator.cache();
        let mut stacks: Vec<Stack> =
            (0..most).map_while(|_| allocator.allocate(&mut cache, STACK_SIZE).ok()).collect();
        // Neighbours in memory have consecutive numbers.
        stacks.sort_by_key(Stack::bottom);
        let begin = |stack: &Stack| {
            // SAFETY: the stack is unused and is freed when no flow is switched to any more.
            unsafe { Amd64::init(stack, flow) }
        };
        let contexts = stacks.iter().map(begin).collect::<Result<Vec<_>, _>>().ok()?;
        let all = stacks.len() == most;
        let round =
            Self { home: Context::NULL, contexts, order: Vec::new(), at: 0, stacks, cache, allocator };
        all.then_some(round)
    }

    /// Runs each flow of the order once.
    fn go(&mut self) {
        self.at = 0;
        let round: *mut Self = self;
        // SAFETY: the first context came from `init`, or was saved by the switch by which its flow left.
        unsafe {
            let first = (&(*round).contexts)[(&(*round).order)[0]];
            Amd64::switch(&raw mut (*round).home, first, round.cast());
        }
    }

    /// Leaves flow `me` for the one that is `step` places further on; returns where the round is when the flow goes on, for
    /// it may have moved.
    ///
    /// # Safety
    /// Flow `me` of the round calls it, and nobody else uses the round.
    #[inline(always)]
    unsafe fn next(round: *mut Self, me: usize, step: usize) -> *mut Self {
        // SAFETY: as the caller promises; each context came from `init` or was saved when its flow left.
        unsafe {
            let this = &mut *round;
            this.at += step;
            let to = this.order.get(this.at).map_or(this.home, |next| this.contexts[*next]);
            let save = &raw mut this.contexts[me];
            Amd64::switch(save, to, round.cast()).cast()
        }
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        for stack in self.stacks.drain(..) {
            // SAFETY: it came from this allocator, and its flow, which holds nothing, is never continued.
            unsafe { self.allocator.free(&mut self.cache, stack) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_comes_back_however_it_is_ordered_and_on_another_thread() {
        let mut round = Round::new(20).expect("there is memory for twenty stacks");
        for order in [in_order(20), by_jumps(20)] {
            round.order = order;
            round.go();
            round.go();
        }
        let elsewhere = std::thread::spawn(move || {
            round.go();
            round
        });
        let mut round = elsewhere.join().expect("nothing panics there");
        round.go();
        assert_eq!(round.at, 20);
    }

    #[test]
    fn jumps_reach_everything() {
        let mut order = by_jumps(100);
        assert_ne!(order, in_order(100));
        order.sort_unstable();
        assert_eq!(order, in_order(100));
    }
}
