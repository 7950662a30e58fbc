//! Pairs of goroutines, the two of which hand a message to and fro.

use super::program::{Do, Program, Size, Task};

const MAIN: u8 = 0;
const SERVES: u8 = 1;
const ANSWERS: u8 = 2;

/// Round trips of a whole run, about.
const ROUND_TRIPS: u64 = 20_000;

struct Pairs {
    pairs: u64,
    rounds: u64,
    work: f64,
}

pub(super) fn start(size: &Size) -> Box<dyn Program> {
    let pairs = if size.n == 0 { size.procs } else { size.n };
    Box::new(Pairs { pairs, rounds: (ROUND_TRIPS / pairs).max(2), work: size.work })
}

impl Program for Pairs {
    fn main(&self) -> Task {
        Task::new(MAIN, 0, 0)
    }

    fn step(&mut self, me: usize, task: &mut Task) -> Do {
        let at = task.step();
        match task.kind {
            MAIN if at < self.pairs => Do::Spawn(Task::new(SERVES, 0, 0)),
            MAIN if at < 2 * self.pairs => Do::Join(task.children[(at - self.pairs) as usize]),
            MAIN => Do::Exit,
            SERVES if at == 0 => Do::Spawn(Task::new(ANSWERS, me as u64, 0)),
            // The other one is told where to answer by its task, and is known here by the spawn.
            SERVES => match ((at - 1) / 3, (at - 1) % 3) {
                (round, _) if round == self.rounds => Do::Exit,
                (_, 0) => Do::Work(self.work),
                (_, 1) => Do::Send(task.children[0]),
                _ => Do::Park,
            },
            _ => match (at / 3, at % 3) {
                (round, _) if round == self.rounds => Do::Exit,
                (_, 0) => Do::Park,
                (_, 1) => Do::Work(self.work),
                _ => Do::Send(task.a as usize),
            },
        }
    }

    fn operations(&self) -> u64 {
        self.pairs * self.rounds
    }
}
