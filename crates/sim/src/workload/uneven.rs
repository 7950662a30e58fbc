//! A deep, uneven tree: each node spawns a goroutine for each child and waits for all; one child has most of what is below.

use super::program::{Do, Program, Size, Task};

const CHILDREN: u64 = 4;

struct Uneven {
    nodes: u64,
    work: f64,
}

pub(super) fn start(size: &Size) -> Box<dyn Program> {
    Box::new(Uneven { nodes: size.n, work: size.work })
}

/// The children of a node: the size of what is below each and including it, and the seed of its own children. The same
/// arithmetic as the bench's `uneven_tree`.
fn children(size: u64, seed: u64) -> impl Iterator<Item = (u64, u64)> + Clone {
    let mut left = size - 1;
    (0..CHILDREN).rev().map(move |child| {
        let seed = (seed + child).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) | 1;
        let share = if child == 0 { left } else { left * (seed % 16) / 32 };
        left -= share;
        (share, seed)
    })
}

impl Program for Uneven {
    fn main(&self) -> Task {
        Task::new(0, self.nodes, self.nodes | 1)
    }

    fn step(&mut self, _me: usize, task: &mut Task) -> Do {
        let at = task.step();
        if at == 0 {
            return Do::Work(self.work);
        }
        let inhabited = children(task.a, task.b).filter(|(share, _)| *share > 0);
        let (spawned, at) = (task.children.len(), at as usize - 1);
        if at == spawned
            && let Some((share, seed)) = inhabited.clone().nth(at)
        {
            return Do::Spawn(Task::new(0, share, seed));
        }
        match task.children.get(at - spawned) {
            Some(child) => Do::Join(*child),
            None => Do::Exit,
        }
    }

    fn operations(&self) -> u64 {
        self.nodes
    }
}

#[cfg(test)]
mod tests {
    use super::children;

    #[test]
    fn no_node_is_lost() {
        fn count(size: u64, seed: u64) -> u64 {
            1 + children(size, seed)
                .filter(|(share, _)| *share > 0)
                .map(|(share, seed)| count(share, seed))
                .sum::<u64>()
        }
        assert_eq!(count(5_000, 5_001), 5_000);
    }
}
