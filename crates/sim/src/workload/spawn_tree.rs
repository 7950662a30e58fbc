//! A binary tree: each inner node spawns two children and waits for both, one after the other.

use super::program::{Do, Program, Size, Task};

struct Tree {
    depth: u64,
    work: f64,
}

pub(super) fn start(size: &Size) -> Box<dyn Program> {
    Box::new(Tree { depth: size.n, work: size.work })
}

impl Program for Tree {
    fn main(&self) -> Task {
        Task::new(0, self.depth, 0)
    }

    fn step(&mut self, _me: usize, task: &mut Task) -> Do {
        let child = Task::new(0, task.a.wrapping_sub(1), 0);
        match task.step() {
            0 => Do::Work(self.work),
            1..=2 if task.a > 0 => Do::Spawn(child),
            3 => Do::Join(task.children[0]),
            4 => Do::Join(task.children[1]),
            _ => Do::Exit,
        }
    }

    fn operations(&self) -> u64 {
        (2 << self.depth) - 1
    }
}
