//! A runtime that has nothing to do but start an empty goroutine each millisecond.

use super::program::{Do, Program, Size, Task};

const MAIN: u8 = 0;
const MILLISECOND: f64 = 1e6;

struct Trickle {
    n: u64,
    work: f64,
}

pub(super) fn start(size: &Size) -> Box<dyn Program> {
    Box::new(Trickle { n: size.n, work: size.work })
}

impl Program for Trickle {
    fn main(&self) -> Task {
        Task::new(MAIN, 0, 0)
    }

    fn step(&mut self, _me: usize, task: &mut Task) -> Do {
        match (task.kind, task.step()) {
            (MAIN, at) if at == 2 * self.n => Do::Join(task.children[self.n as usize - 1]),
            (MAIN, at) if at > 2 * self.n => Do::Exit,
            (MAIN, at) if at % 2 == 0 => Do::Sleep(MILLISECOND),
            (MAIN, _) => Do::Spawn(Task::new(1, 0, 0)),
            (_, 0) => Do::Work(self.work),
            _ => Do::Exit,
        }
    }

    fn operations(&self) -> u64 {
        self.n
    }

    fn counts_cpu(&self) -> bool {
        true
    }
}
