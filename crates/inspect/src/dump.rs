//! `Dump`: all goroutines of a runtime, grouped.

use crate::elsewhere::elsewhere;
use crate::symbols::{Frame, Symbols, without_runtime};
use crate::walk::Walk;
use core::mem::{Discriminant, discriminant};
use core::ops::Range;
use core::panic::Location;
use gmp_core::WaitReason;
use gmp_core::contract::{Context, SavedRegisters};
use gmp_core::runtime::Handle;
use gmp_core::sight::{Look, Sight, State};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Every goroutine of a runtime, each as it was at some moment while the dump was made. Those with equal stacks stand
/// together, the largest group first.
///
/// Its `Display` is the text that Go prints, for people; [`Dump::to_json`] is for programs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dump {
    /// The name of the runtime's policy.
    pub policy: &'static str,
    /// How many Ps it has.
    pub procs: usize,
    /// How long the dump took.
    pub took: Duration,
    /// The groups.
    pub groups: Vec<Group>,
    /// Goroutines that wait for each other in a circle, each for the next and the last for the first: at mutexes, and at
    /// joins. None of them will ever go on, unless by a deadline.
    pub cycles: Vec<Vec<u64>>,
}

/// Goroutines that do the same at the same place, were started at the same place and have equal stacks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// The goroutines, by number.
    pub goroutines: Vec<Sight>,
    /// Their stack, innermost frame first; empty if it could not be read.
    pub frames: Vec<Frame>,
    /// Which of the frames are not the runtime's.
    shown: Range<usize>,
}

impl Dump {
    /// How many goroutines there are.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|group| group.goroutines.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Every goroutine, with its stack.
    pub fn goroutines(&self) -> impl Iterator<Item = (&Sight, &[Frame])> {
        self.groups.iter().flat_map(|group| group.goroutines.iter().map(|sight| (sight, group.stack())))
    }
}

impl Group {
    /// The stack without the runtime's own frames.
    pub fn stack(&self) -> &[Frame] {
        &self.frames[self.shown.clone()]
    }
}

/// Dumps the goroutines of a runtime. It is to be called on a thread that is no M, with the stack of a thread.
pub fn dump(handle: &Handle) -> Dump {
    let began = Instant::now();
    let mut collector = Collector::new();
    handle.look(&mut collector);
    let mut groups = collector.into_groups();
    let mut all: Vec<_> = groups.iter_mut().flat_map(|group| &mut group.goroutines).collect();
    let cycles = crate::cycles::find(handle, &mut all);
    Dump { policy: handle.policy(), procs: handle.max_procs(), took: began.elapsed(), groups, cycles }
}

/// The goroutine of this number, as a dump shows it. To be called as [`dump()`] is.
pub(crate) fn one(handle: &Handle, number: u64) -> Option<Group> {
    let mut collector = Collector { only: Some(number), ..Collector::new() };
    handle.look(&mut collector);
    collector.into_groups().pop()
}

/// [`dump()`] on a thread made for it, since tables of symbols need more stack than a goroutine may have.
///
/// # Panics
/// If the operating system refuses a thread.
#[must_use]
pub fn dump_elsewhere(handle: &Handle) -> Dump {
    elsewhere("gmp-dump", "gmp::dump", || dump(handle))
}

/// What goroutines of one group have in common, with their stack by its number.
#[derive(PartialEq, Eq, Hash)]
struct Kind {
    state: Discriminant<State>,
    reason: Option<Discriminant<WaitReason>>,
    created_at: &'static Location<'static>,
    stack: usize,
}

struct Collector {
    walk: Walk,
    /// The different stacks, and the number of each.
    stacks: HashMap<Box<[usize]>, usize>,
    kinds: HashMap<Kind, Vec<Sight>>,
    /// The number of the only one that is wanted.
    only: Option<u64>,
}

impl Collector {
    fn new() -> Self {
        Self { walk: Walk::new(), stacks: HashMap::new(), kinds: HashMap::new(), only: None }
    }

    fn into_groups(self) -> Vec<Group> {
        let mut symbols = Symbols::default();
        let mut stacks: Vec<_> = self.stacks.into_iter().collect();
        stacks.sort_unstable_by_key(|&(_, number)| number);
        let stacks: Vec<_> = stacks.iter().map(|(addresses, _)| symbols.resolve(addresses)).collect();
        let group = |(kind, mut goroutines): (Kind, Vec<Sight>)| {
            goroutines.sort_unstable_by_key(|sight| sight.number);
            let frames = stacks[kind.stack].clone();
            let suspended = matches!(goroutines[0].state(), State::Waiting { .. } | State::Runnable { .. });
            let shown = without_runtime(&frames, suspended);
            Group { goroutines, frames, shown }
        };
        let mut groups: Vec<_> = self.kinds.into_iter().map(group).collect();
        groups.sort_by_key(|group| (core::cmp::Reverse(group.goroutines.len()), group.goroutines[0].number));
        groups
    }
}

impl Look for Collector {
    fn copy(&mut self, context: Context, saved: SavedRegisters, stack: Range<usize>) {
        self.walk.copy(context, saved, &stack);
    }

    fn capture(&mut self, thread: i32, slot: usize) {
        self.walk.capture(thread, slot);
    }

    fn forget(&mut self) {
        self.walk.forget();
    }

    fn see(&mut self, sight: Sight) {
        if self.only.is_some_and(|only| only != sight.number) {
            return self.walk.forget();
        }
        let addresses = self.walk.addresses();
        let next = self.stacks.len();
        let stack = match self.stacks.get(addresses) {
            Some(&known) => known,
            None => *self.stacks.entry(addresses.into()).or_insert(next),
        };
        let reason = match sight.state() {
            State::Waiting { reason, .. } => Some(discriminant(&reason)),
            _ => None,
        };
        let state = discriminant(&sight.state());
        let kind = Kind { state, reason, created_at: sight.created_at, stack };
        self.kinds.entry(kind).or_default().push(sight);
    }
}
