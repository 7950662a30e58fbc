//! What a workload is written in: steps, tasks, programs.

/// What a goroutine does next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Do {
    /// Computes for this many nanoseconds.
    Work(f64),
    /// Starts a goroutine, which becomes the next of its task's children.
    Spawn(Task),
    /// Waits for a child to end.
    Join(usize),
    /// Wakes a goroutine that parks, or lets its next park return at once.
    Unpark(usize),
    /// The same by a channel.
    Send(usize),
    /// Changes a word that goroutines of the program share, by its number, as a counter or a wait group does.
    Share(usize),
    /// Sleeps until it is woken.
    Park,
    /// Sleeps for this many nanoseconds.
    Sleep(f64),
    /// Ends.
    Exit,
}

/// What a goroutine is to do, and how far it has come.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Task {
    pub(crate) kind: u8,
    pub(crate) a: u64,
    pub(crate) b: u64,
    /// Counts the steps.
    pub(crate) at: u64,
    /// The goroutines that it has started.
    pub(crate) children: Vec<usize>,
}

impl Task {
    pub(crate) fn new(kind: u8, a: u64, b: u64) -> Self {
        Self { kind, a, b, ..Self::default() }
    }

    /// The step that comes now, counted from 0.
    pub(super) fn step(&mut self) -> u64 {
        self.at += 1;
        self.at - 1
    }
}

/// A workload under way.
pub(crate) trait Program {
    /// The task of the first goroutine. When it ends, the run is over.
    fn main(&self) -> Task;

    /// What goroutine `me` does next.
    fn step(&mut self, me: usize, task: &mut Task) -> Do;

    /// How many operations the whole is.
    fn operations(&self) -> u64;

    /// Whether the figure is CPU time, and not elapsed time.
    fn counts_cpu(&self) -> bool {
        false
    }
}

/// How large a workload is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) n: u64,
    pub(crate) procs: u64,
    /// Nanoseconds that each goroutine computes beside what the workload is about.
    pub(crate) work: f64,
}
