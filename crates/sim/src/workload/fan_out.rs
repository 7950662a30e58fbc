//! Wakers that wake their goroutines again and again, each of which works a little and parks; the last one wakes the waker.

use super::program::{Do, Program, Size, Task};

const MAIN: u8 = 0;
const WAKER: u8 = 1;
const WOKEN: u8 = 2;

/// They fit into a P's queue.
const PER_WAKER: u64 = 100;
/// A round of a waker: it begins, wakes each, waits.
const ROUND: u64 = PER_WAKER + 2;
/// The number of wakes in a whole run, about.
const WAKES: u64 = 20_000;
/// How long a woken goroutine works, as in the bench.
const WORK: f64 = 20.0;

struct FanOut {
    rounds: u64,
    work: f64,
    wakers: Vec<Waker>,
}

#[derive(Clone, Default)]
struct Waker {
    goroutine: usize,
    /// How many goroutines have yet to run in this round.
    left: u64,
    /// Whether this round is the last, after which they end.
    over: bool,
}

pub(super) fn start(size: &Size) -> Box<dyn Program> {
    let wakers = if size.n == 0 { size.procs.max(2) } else { size.n };
    Box::new(FanOut {
        rounds: (WAKES / PER_WAKER / wakers).max(2),
        work: WORK + size.work,
        wakers: vec![Waker::default(); wakers as usize],
    })
}

impl FanOut {
    fn wake(&mut self, me: usize, task: &mut Task) -> Do {
        let waker = &mut self.wakers[task.a as usize];
        let at = task.step();
        if at < PER_WAKER {
            return Do::Spawn(Task::new(WOKEN, task.a, at));
        }
        let (round, place) = ((at - PER_WAKER) / ROUND, (at - PER_WAKER) % ROUND);
        match place {
            _ if round > self.rounds => Do::Exit,
            0 => {
                *waker = Waker { goroutine: me, left: PER_WAKER, over: round == self.rounds };
                Do::Work(0.0)
            }
            1..=PER_WAKER => Do::Unpark(task.children[place as usize - 1]),
            _ if waker.left > 0 => {
                // It may have been woken for an earlier round, so it looks again.
                task.at -= 1;
                Do::Park
            }
            _ => Do::Work(0.0),
        }
    }

    fn be_woken(&mut self, task: &mut Task) -> Do {
        let waker = &mut self.wakers[task.a as usize];
        match task.step() {
            0 => Do::Park,
            1 => Do::Work(self.work),
            // It counts itself, and tells the wait group.
            2 | 3 => Do::Share(task.a as usize),
            4 => {
                // As a wait group's `done` does, it finds out whether this round is the last before the round is over.
                task.b = u64::from(waker.over);
                waker.left -= 1;
                if waker.left > 0 { Do::Work(0.0) } else { Do::Unpark(waker.goroutine) }
            }
            _ if task.b == 1 => Do::Exit,
            _ => {
                task.at = 1;
                Do::Park
            }
        }
    }
}

impl Program for FanOut {
    fn main(&self) -> Task {
        Task::new(MAIN, 0, 0)
    }

    fn step(&mut self, me: usize, task: &mut Task) -> Do {
        let wakers = self.wakers.len() as u64;
        match task.kind {
            WAKER => self.wake(me, task),
            WOKEN => self.be_woken(task),
            _ => match task.step() {
                at if at < wakers => Do::Spawn(Task::new(WAKER, at, 0)),
                at if at < 2 * wakers => Do::Join(task.children[(at - wakers) as usize]),
                _ => Do::Exit,
            },
        }
    }

    fn operations(&self) -> u64 {
        self.wakers.len() as u64 * self.rounds * PER_WAKER
    }
}
