//! What somebody sees who looks at a goroutine from outside: for dumps.

use crate::contract::{Context, SavedRegisters};
use crate::ground::frames::describe_by;
use crate::records::g::extra::{Ancestor, Extra, Reader};
use crate::records::g::{Flags, G, WaitReason};
use core::fmt;
use core::num::{NonZeroU64, NonZeroUsize};
use core::ops::Range;
use core::panic::Location;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use crate::ground::frames::{Describe, Stack};

/// A goroutine at one moment.
///
/// Dumps may be kept for long, while somebody searches the memory for handles of channels
/// (`gmp::profile::goroutine_leaks`). So that nothing in one is taken for a handle, addresses of objects are kept inverted,
/// and there is room for nothing else: each word is written, whatever the goroutine does. What may be lacking is no
/// `Option` of more than a word, as that has room for a payload, in which there would be what a register happened to hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sight {
    /// Its number: main is 1.
    pub number: u64,
    /// The number of the goroutine that spawned it; 0 for main and for those spawned by plain threads.
    pub parent: u64,
    /// Its name; empty if it was given none.
    pub name: Arc<str>,
    /// Its labels, inherited ones too; empty if it has none.
    pub labels: Arc<[(String, String)]>,
    /// Its spawners, nearest first, as far back as the builder asked for.
    pub ancestors: Vec<Ancestor>,
    /// Where it was spawned.
    pub created_at: &'static Location<'static>,
    /// The type of the closure that it was spawned with, which names the function that has it: `demo::main::{{closure}}`.
    pub function: &'static str,
    /// One of the runtime's own.
    pub system: bool,
    /// What it does.
    state: Does,
    /// The addresses of its stack; none if it has none yet, or a thread's.
    pub stack: Range<usize>,
    /// The number of its wait, if it waits: no two waits of one goroutine have the same.
    pub wait: u64,
    /// Whether it waits until a moment at most. That is not told of waits at descriptors.
    pub timed: bool,
    /// If it waits for a `Mutex` that somebody has at this moment: an address on the stack of whoever took that last.
    pub held_from: Option<Address>,
    /// The goroutine whose stack that is; filled in by whoever has seen them all.
    pub holder: Option<NonZeroU64>,
    _rest: Rest,
}

impl Sight {
    /// What is written down about `g`, of which the caller has seen the state.
    pub(crate) fn of(g: &G, extra: Option<&Extra>, state: State) -> Self {
        Self {
            number: g.number.get(),
            parent: g.parent.get(),
            name: extra.and_then(|extra| extra.name.clone()).unwrap_or_default(),
            labels: extra.map(|extra| extra.labels.clone()).unwrap_or_default(),
            ancestors: extra.map(|extra| extra.ancestors.clone()).unwrap_or_default(),
            created_at: g.created_at.get(),
            function: (g.table.get().name)(),
            system: g.flags.get().has(Flags::SYSTEM),
            state: Does::of(state),
            stack: g.stack.addresses(),
            wait: 0,
            timed: false,
            held_from: None,
            holder: None,
            _rest: [0; 6],
        }
    }

    /// What it does.
    #[must_use]
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// The goroutine that a thread's current-G slot held a moment ago; `None`: the thread ran no goroutine's code. If the
    /// goroutine has ended since, its record may be another one's by now, and so is what is seen.
    ///
    /// # Safety
    /// The slot is the one that the process's runtimes use, and held this.
    pub unsafe fn in_slot(held: usize) -> Option<Self> {
        let g = core::ptr::with_exposed_provenance::<G>(held);
        // The scheduler marks the address of an M.
        if g.is_null() || !g.is_aligned() {
            return None;
        }
        // SAFETY: the caller says that the slot held it; what is no mark is a record, and those are never freed.
        let g = unsafe { &*g };
        let reader = Reader::enter();
        let sight = Self::of(g, reader.look(&g.extra), State::Running(None));
        drop(reader);
        Some(sight)
    }
}

/// Finds goroutines by addresses on their stacks.
#[derive(Clone, Debug, Default)]
pub struct ByStack(Vec<(usize, usize, u64)>);

impl ByStack {
    /// Of these: where each one's stack lies, and its number.
    pub fn new(stacks: impl Iterator<Item = (Range<usize>, u64)>) -> Self {
        let mut all: Vec<_> = stacks.map(|(stack, number)| (stack.start, stack.end, number)).collect();
        all.retain(|&(start, end, _)| start < end);
        all.sort_unstable();
        Self(all)
    }

    /// The one on whose stack this address is.
    pub fn find(&self, address: usize) -> Option<u64> {
        let after = self.0.partition_point(|&(start, ..)| start <= address);
        let &(_, end, number) = self.0.get(after.checked_sub(1)?)?;
        (address < end).then_some(number)
    }

    /// For whom a goroutine waits, where that is one: whom it joins, or whoever took the mutex that it waits at from the
    /// address `held_from`.
    pub fn awaited(&self, at: Option<Object>, held_from: Option<Address>) -> Option<u64> {
        match at {
            Some(Object::Goroutine(joined)) => Some(joined),
            _ => self.find(held_from?.get()),
        }
    }
}

/// The cycles among goroutines each of which waits for one other: of `waits`, which says for whom each does, by number.
/// Each begins with its lowest number, and the next is the one that it waits for.
pub fn cycles(waits: &BTreeMap<u64, u64>) -> Vec<Vec<u64>> {
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for &first in waits.keys() {
        let (mut path, mut at) = (Vec::new(), first);
        while done.insert(at) {
            path.push(at);
            let Some(&next) = waits.get(&at) else { break };
            at = next;
        }
        // Where the path came back to itself; a path into one that was walked before has no cycle of its own.
        if let Some(start) = path.iter().position(|&number| number == at).filter(|_| waits.contains_key(&at))
        {
            let mut cycle = path.split_off(start);
            let lowest = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
            cycle.rotate_left(lowest);
            found.push(cycle);
        }
    }
    found.sort();
    found
}

/// What a goroutine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is on a queue, or on its way to one.
    Runnable {
        /// Whether it has run before; otherwise it has no stack yet.
        started: bool,
    },
    /// The M of this number runs it; `None`: it came off it a moment ago.
    Running(Option<u64>),
    /// It is in a declared blocking call, on the thread of the M of this number.
    Blocked(Option<u64>),
    /// It waits.
    Waiting {
        /// For what.
        reason: WaitReason,
        /// For how long, good to 10 ms.
        age: Duration,
        /// At which object.
        at: Option<Object>,
    },
}

/// The rest of a word that begins with two small fields.
type Rest = [u8; 6];

/// A [`State`] of which every word is written, as [`Sight`] says.
#[derive(Clone)]
struct Does {
    /// The number of the M, and one more; 0: none.
    m: u64,
    /// In nanoseconds.
    age: u64,
    /// The object that it waits at.
    at: Option<Address>,
    /// The goroutine that it joins.
    joins: Option<NonZeroU64>,
    what: What,
    /// What matters only if it waits.
    reason: WaitReason,
    _rest: Rest,
}

#[derive(Clone, Copy)]
enum What {
    Begins,
    Runnable,
    Running,
    Blocked,
    Waiting,
}

impl Does {
    fn of(state: State) -> Self {
        let (mut does, m) = match state {
            State::Runnable { started } => {
                (Self::just(if started { What::Runnable } else { What::Begins }), None)
            }
            State::Running(m) => (Self::just(What::Running), m),
            State::Blocked(m) => (Self::just(What::Blocked), m),
            State::Waiting { reason, age, at } => {
                let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
                let (at, joins) = match at {
                    Some(Object::At(address)) => (Some(address), None),
                    Some(Object::Goroutine(number)) => (None, NonZeroU64::new(number)),
                    None => (None, None),
                };
                (Self { age, at, joins, reason, ..Self::just(What::Waiting) }, None)
            }
        };
        does.m = m.map_or(0, |m| m + 1);
        does
    }

    fn just(what: What) -> Self {
        Self { m: 0, age: 0, at: None, joins: None, what, reason: WaitReason::Park, _rest: [0; 6] }
    }

    fn get(&self) -> State {
        let m = self.m.checked_sub(1);
        match self.what {
            What::Begins => State::Runnable { started: false },
            What::Runnable => State::Runnable { started: true },
            What::Running => State::Running(m),
            What::Blocked => State::Blocked(m),
            What::Waiting => {
                let joined = self.joins.map(|number| Object::Goroutine(number.get()));
                let at = self.at.map(Object::At).or(joined);
                State::Waiting { reason: self.reason, age: Duration::from_nanos(self.age), at }
            }
        }
    }
}

impl fmt::Debug for Does {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// The address of an object. It is kept inverted, so that whoever searches memory for handles of a channel
/// (`gmp::profile::goroutine_leaks`) does not take somebody's dump for one. Nor does it find one where there is none: a
/// place for an address that may be lacking is this one word, without room for what a register happened to hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(NonZeroUsize);

impl Address {
    pub(crate) fn new(address: usize) -> Self {
        // No object is at the last address.
        Self(NonZeroUsize::new(!address).unwrap_or(NonZeroUsize::MIN))
    }

    /// The address as a number.
    #[must_use]
    pub fn get(self) -> usize {
        !self.0.get()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.get())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.get())
    }
}

/// What a goroutine waits at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Object {
    /// The channel, lock or other object at this address.
    At(Address),
    /// The goroutine of this number, which it joins.
    Goroutine(u64),
}

/// The one who looks. What `copy` and `capture` get is the stack of the goroutine that the next `see` is about;
/// `forget` says that it was nobody's.
pub trait Look {
    /// Copies the stack of a suspended goroutine from its context up to the end of the addresses. The goroutine may be
    /// frozen, and whoever readies it then waits for this call: it copies and does nothing else. The goroutine may also run
    /// meanwhile: the memory changes then, and need not even be there.
    fn copy(&mut self, context: Context, saved: SavedRegisters, stack: Range<usize>);

    /// Copies what the thread of this number executes, if that is the goroutine whose current-G slot holds `slot`.
    fn capture(&mut self, thread: i32, slot: usize);

    /// What was copied since the last `see` was nobody's.
    fn forget(&mut self);

    /// Sees a goroutine.
    fn see(&mut self, sight: Sight);
}

/// Walks along suspended stacks.
pub trait Unwind {
    /// The addresses of the flow that was suspended in `context`, innermost first: where it stands, then where its calls
    /// return to. Empty if they cannot be had.
    fn unwind(&mut self, context: Context, saved: SavedRegisters, stack: Range<usize>) -> Vec<usize>;
}

/// The copied stack of a goroutine that ran, still to be walked along.
pub trait Captured: Send {
    /// The same as [`Unwind::unwind`].
    fn addresses(self: Box<Self>) -> Vec<usize>;
}

/// What gives the scheduler's own reports stacks, where a program has it: core knows neither unwind tables nor symbols.
#[derive(Clone, Copy, Debug)]
pub struct Inspector {
    /// Begins to walk.
    pub unwind: fn() -> Box<dyn Unwind>,
    /// Copies what the thread of this number executes, if that is the goroutine whose current-G slot holds this, and if the
    /// thread shows itself so soon.
    pub capture: fn(thread: i32, slot: usize, patience: Duration) -> Option<Box<dyn Captured>>,
    /// Writes the frames.
    pub describe: Describe,
}

static INSPECTOR: OnceLock<Inspector> = OnceLock::new();

/// Sets the process's inspector. The first one stays.
pub fn inspect_by(inspector: &Inspector) {
    describe_by(inspector.describe);
    let _ = INSPECTOR.set(*inspector);
}

/// The process's inspector, if it has one.
pub(crate) fn inspector() -> Option<&'static Inspector> {
    INSPECTOR.get()
}

#[cfg(all(test, not(loom)))]
mod tests;
